"""Records as a causal LM counts and reads them: tokens of texts, and a batch of lines of tokens."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from difflm.errors import DataError
from difflm.formats.documents import TextFormat
from difflm.formats.text_grammar import TextGrammar
from difflm.models.pretrained import load_tokenizer


def token_counts(path: str, texts: Sequence[str]) -> list[int]:
    """Tokens of each text, its end included, as the LM at `path` counts them."""
    tokenizer = load_tokenizer(path)
    grammar = TextGrammar(TextFormat(1), tokenizer, len(tokenizer), tokenizer.eos_token_id)
    return [len(grammar.encode(text)) for text in texts]


def padded(lines: Sequence[Sequence[int]], most: int) -> tuple[torch.Tensor, torch.Tensor]:
    """Token numbers (n, T) int32, padded at the end with 0, and where there are tokens (n, T) bool.

    Raises DataError where lines are longer than `most`: they are never cut."""
    longest = max(map(len, lines), default=0)
    if longest > most:
        over = sum(len(line) > most for line in lines)
        raise DataError(
            f"records of at most {most} tokens",
            f"{over} of {len(lines)} that are longer, up to {longest} tokens",
            "raise decoder.max_tokens, set format.text=compact, or shorten the long cells",
        )
    ids = torch.zeros(len(lines), longest, dtype=torch.int32)
    mask = torch.zeros(len(lines), longest, dtype=torch.bool)
    for row, line in enumerate(lines):
        ids[row, : len(line)] = torch.tensor(line, dtype=torch.int32)
        mask[row, : len(line)] = True
    return ids, mask
