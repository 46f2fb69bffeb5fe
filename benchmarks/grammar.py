"""Time of the grammar per decoded token: slot tables over fitted tokens against llguidance over text.

Real rows are written again token by token; only the masks and the steps of the grammar are timed.

    DIFFLM_DATA=... python benchmarks/grammar.py [--batch 256] [--vocabulary 50000] [--seconds 5]
"""

from __future__ import annotations

import argparse
import os
import platform
import sysconfig
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path

import pandas as pd
import plotly.data
import torch
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
from transformers import PreTrainedTokenizerFast

from difflm.formats.codec import FittedCodec
from difflm.formats.grammar import FittedGrammar
from difflm.formats.table import CompactFormat, JsonFormat, TableFormat
from difflm.formats.text_grammar import Matchers, TextGrammar
from difflm.schema import Schema

CPU = torch.device("cpu")


@dataclass
class Spent:
    """Seconds and counts of one pass over a batch."""

    masks: float = 0.0
    bits: float = 0.0
    steps_time: float = 0.0
    steps: int = 0
    tokens: int = 0
    forced: int = 0


def table() -> tuple[str, pd.DataFrame]:
    """Adult where DIFFLM_DATA has it, else gapminder."""
    path = Path(os.environ.get("DIFFLM_DATA", "")) / "paper" / "adult" / "train.parquet"
    return ("adult", pd.read_parquet(path)) if path.exists() else ("gapminder", plotly.data.gapminder())


def train_tokenizer(lines: list[str], vocabulary: int) -> PreTrainedTokenizerFast:
    """Byte-level BPE of the size of an LLM's, from Python's standard library and the table itself."""
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    trainer = trainers.BpeTrainer(
        vocab_size=vocabulary,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        special_tokens=["<|end|>"],
        show_progress=False,
    )
    sources = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py")) + sorted(
        Path(sysconfig.get_path("purelib")).glob("[pst]*/*/*.py")
    )
    texts = (path.read_text(encoding="utf-8", errors="ignore") for path in sources)
    tokenizer.train_from_iterator((*texts, *lines[:2000]), trainer)
    return PreTrainedTokenizerFast(tokenizer_object=tokenizer, eos_token="<|end|>")


def slot_tables(codec: FittedCodec, ids: torch.Tensor, spent: Spent) -> None:
    """Write `ids` (n, T) under the slot tables; the mask is applied as the decoder would."""
    grammar = FittedGrammar(codec, len(ids), CPU)
    while not grammar.finished and grammar.position < ids.shape[1]:
        slot, position = grammar.common_slot, grammar.position
        start = time.perf_counter()
        grammar.allowed()
        middle = time.perf_counter()
        column = ids[:, position]
        grammar.advance(column if slot is None else column - codec.slots[slot].lo)
        spent.masks += middle - start
        spent.steps_time += time.perf_counter() - middle
        spent.steps += 1
        spent.tokens += len(ids)


def guided(grammar: TextGrammar, lines: list[list[int]], spent: Spent) -> None:
    """Write token ids `lines` under llguidance, forced tokens in one go."""
    start = time.perf_counter()
    matchers: Matchers = grammar.start(len(lines))
    rows = list(range(len(lines)))
    spent.forced += sum(map(len, matchers.forced(rows)))
    spent.steps_time += time.perf_counter() - start
    while rows:
        start = time.perf_counter()
        matchers.fill(rows)
        bits = time.perf_counter()
        # `allowed` fills once more, so its time stands for itself.
        allowed = matchers.allowed(rows, CPU)
        middle = time.perf_counter()
        tokens = [lines[row][len(matchers.written[row])] for row in rows]
        assert bool(allowed[torch.arange(len(rows)), torch.tensor(tokens)].all())
        again = time.perf_counter()
        chunks = matchers.advance(rows, tokens)
        spent.bits += bits - start
        spent.masks += middle - bits
        spent.steps_time += time.perf_counter() - again
        spent.steps += 1
        spent.tokens += len(rows)
        spent.forced += sum(len(chunk) - 1 for chunk in chunks)
        rows = [row for row in rows if not matchers.done[row]]


def measure(name: str, batch: int, seconds: float, one: Callable[[Spent], None]) -> None:
    """One warm-up pass, then passes for about `seconds`; prints means."""
    first = Spent()
    one(first)
    spent, passes, start = Spent(), 0, time.perf_counter()
    while passes == 0 or time.perf_counter() - start < seconds:
        one(spent)
        passes += 1
    total = spent.masks + spent.steps_time
    cold = first.masks + first.steps_time
    print(
        f"{name:22}{spent.steps / passes:7.0f}{spent.tokens / passes / batch:8.1f}"
        f"{spent.forced / passes / batch:8.1f}{1e6 * spent.bits / spent.tokens:9.2f}"
        f"{1e6 * spent.masks / spent.tokens:9.2f}{1e6 * spent.steps_time / spent.tokens:9.2f}"
        f"{1e6 * total / spent.tokens:9.2f}{1e6 * total / passes / batch:9.0f}{1e6 * cold / batch:9.0f}"
    )


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--vocabulary", type=int, default=50_000)
    parser.add_argument("--seconds", type=float, default=5.0)
    settings = parser.parse_args()
    name, frame = table()
    schema = Schema.infer(frame)
    rows = schema.canonical(frame)
    some = rows.sample(settings.batch, random_state=0)
    formats: list[TableFormat] = [JsonFormat(schema), CompactFormat(schema)]
    tokenizer = train_tokenizer(formats[0].write_rows(rows.iloc[:2000]), settings.vocabulary)
    print(f"machine   {platform.machine()}, {os.cpu_count()} cores, torch threads {torch.get_num_threads()}")
    print("versions  " + ", ".join(f"{p} {version(p)}" for p in ("torch", "llguidance", "tokenizers")))
    print(f"settings  {name}, batch {settings.batch}, vocabulary {len(tokenizer)}, CPU")
    print("us a token, of tokens that were chosen: fill = llguidance's bits; mask = fill and a bool mask")
    print(f"{'':22}  steps  chosen  forced     fill     mask     step      all   us/row cold/row")
    codec = FittedCodec.fit(schema, rows)
    ids = torch.from_numpy(codec.encode(some)).long()
    measure("slot tables", settings.batch, settings.seconds, partial(slot_tables, codec, ids))
    for form in formats:
        grammar = TextGrammar(form, tokenizer, len(tokenizer))
        lines = [grammar.encode(text) for text in form.write_rows(some)]
        label = f"llguidance {type(form).__name__.removesuffix('Format').lower()}"
        measure(label, settings.batch, settings.seconds, partial(guided, grammar, lines))


if __name__ == "__main__":
    main()
