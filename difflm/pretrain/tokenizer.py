"""The tokenizer of the base models: byte-level BPE, every digit a token of its own, no space added.

Any text comes back exactly. Pieces never cross from letters to digits or quotes, so that a value has the same tokens
in JSON, in CSV and in a line of text: that is what makes copying between formats easy to learn.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tokenizers import Regex, Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

BOS, EOS, PAD = "<|bos|>", "<|eos|>", "<|pad|>"
SPECIAL = (BOS, EOS, PAD)
"""In the order of their ids, from 0."""
PIECES = (
    r"[ _]?\p{L}+"
    r"|\p{N}"
    r"| ?[^\s\p{L}\p{N}]+(?: [^\s\p{L}\p{N}]+)*(?: (?=\p{N}))?"
    r"|\s+(?!\S)"
    r"|\s+"
)
"""Words with the space or underscore before them; single digits; runs of signs such as `": "` or `}, {`; blanks."""


def train_tokenizer(texts: Iterable[str], vocabulary: int) -> Tokenizer:
    """Byte-pair merges learned from `texts`, `vocabulary` tokens in all with special tokens and single bytes."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Split(Regex(PIECES), "isolated"),
            pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    tokenizer.train_from_iterator(
        texts,
        trainers.BpeTrainer(
            vocab_size=vocabulary,
            special_tokens=list(SPECIAL),
            initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet()),
            max_token_length=24,
            show_progress=False,
        ),
    )
    tokenizer.encode_special_tokens = True
    return tokenizer


def load_tokenizer(path: str) -> Tokenizer:
    """A saved tokenizer.json; names of special tokens inside a text stay plain text."""
    tokenizer: Any = Tokenizer.from_file(path)
    tokenizer.encode_special_tokens = True
    return tokenizer


def for_transformers(tokenizer: Tokenizer, longest: int) -> PreTrainedTokenizerFast:
    """The tokenizer as `transformers` loads it again from a folder."""
    return PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=BOS,
        eos_token=EOS,
        pad_token=PAD,
        clean_up_tokenization_spaces=False,
        model_max_length=longest,
        padding_side="right",
    )
