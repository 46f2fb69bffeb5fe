"""The model card of a base model: what it read, under which licences, how it learned, what it can and cannot do."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from difflm import disk
from difflm.pretrain.documents import KINDS
from difflm.pretrain.sizes import Size

CURVE_ROWS = 12
WHAT = {
    "code": "Python source: files, functions, classes",
    "tool": "tool definitions made of signatures and docstrings, in nine JSON shapes",
    "text": "docstrings, READMEs, reference texts",
    "table": "generated tables: compact rows, JSON objects, CSV, lines, Markdown",
    "json": "generated JSON documents and JSON Schemas",
    "pair": "one record in two forms, or twice, with a separator",
    "copy": "a record after what it can be told from: another form of it, or its own tokens",
}


def write_card(
    path: Path, name: str, size: Size, manifest: Mapping[str, Any], facts: Mapping[str, Any]
) -> None:
    """README.md with front matter as model hubs read it."""
    parts = [
        FRONT,
        f"# {name}",
        about(size, facts),
        "## What it can and cannot do",
        LIMITS.format(length=size.length, longest=size.longest),
        "## Held-out loss",
        losses(facts),
        "## Data",
        data(manifest),
        "## How it was made",
        made(facts),
        "## Sources",
        sources(manifest),
    ]
    disk.write_atomic(path, ("\n\n".join(part.strip() for part in parts) + "\n").encode())


FRONT = """---
license: apache-2.0
library_name: transformers
pipeline_tag: text-generation
tags: [code, json, tables, tool-definitions]
---"""

LIMITS = """It continues Python, JSON, tool definitions and tables, and it was taught to copy: what stands before
`<|bos|>` (a record's tokens in any order, some of them, with noise, or another form of the record) it writes out
again after it. How well it does is in the last column below. It is made to be the decoder of difflm.

It is no assistant: it follows no instructions, knows next to nothing of the world, and its English is that of
docstrings. What it writes may look right and be wrong. Sequences of up to {length} tokens were trained; its
configuration takes {longest}, but beyond what was trained it gets worse. Other languages occur as bytes at best.
Nothing of what it writes should be run unread."""


def about(size: Size, facts: Mapping[str, Any]) -> str:
    """Shape and size."""
    return (
        f"A causal language model of {facts['parameters']:,} weights (Llama class, tied embeddings, RMSNorm, "
        f"rotary positions): width {size.width}, {size.layers} layers, {size.heads} heads of queries, "
        f"{size.key_heads} of keys and values, MLP {size.hidden}. Byte-level BPE with {size.vocabulary:,} tokens, "
        "single digits, no space added: any text comes back exactly. Documents are `<|bos|> text <|eos|>`. "
        "Weights in bfloat16."
    )


def losses(facts: Mapping[str, Any]) -> str:
    """Nats a token by kind at the end, and on the way there."""
    kinds = [kind for kind in KINDS if f"loss_{kind}" in facts["held_out"]]
    lines = [
        "Nats a token of documents whose files or records were never trained on; in the last line of the saved weights."
    ]
    lines += [
        "",
        *table(
            ["tokens seen", *kinds, "copied right"],
            [*curve(facts, kinds), _cells(facts["tokens"], facts["held_out"], kinds)],
        ),
    ]
    lines += [
        "",
        "`copied right`: share of the tokens of held-out copies that are the likeliest, one after the other.",
    ]
    return "\n".join(lines)


def curve(facts: Mapping[str, Any], kinds: Sequence[str]) -> list[list[str]]:
    """Rows of the table of losses, thinned evenly."""
    rows = [row for row in facts["curve"] if all(f"loss_{kind}" in row for kind in kinds)]
    step = max(1, -(-len(rows) // CURVE_ROWS))
    each = facts["tokens"] / max(facts["steps"], 1)
    return [_cells(row["step"] * each, row, kinds) for row in rows[step - 1 :: step]]


def _cells(tokens: float, row: Mapping[str, Any], kinds: Sequence[str]) -> list[str]:
    copied = row.get("copied")
    told = "" if copied is None else f"{100 * copied:.1f} %"
    return [f"{tokens / 1e6:.2f} M", *(f"{row[f'loss_{kind}']:.3f}" for kind in kinds), told]


def data(manifest: Mapping[str, Any]) -> str:
    """Documents and tokens by kind."""
    rows = []
    for kind in KINDS:
        told = manifest["kinds"].get(kind) or {}
        if told:
            numbers = (told["documents"], told["tokens"], told["held_tokens"])
            rows.append([kind, WHAT[kind], *(f"{number:,}" for number in numbers)])
    lines = table(["kind", "what", "documents", "tokens", "of these held out"], rows)
    told = (
        "Held out are all documents of one file, or of one generated record, in a hundred, chosen by the hash of "
        f"its name. Exact duplicates left out: {manifest['duplicates']:,}. Read were only the running Python's "
        "standard library and installed packages whose metadata declare MIT, BSD, Apache-2.0, PSF or ISC, without "
        "their tests, data sets and vendored packages, and without files that name another licence. No benchmark "
        "table or record was read."
    )
    sums = "\n".join(f"- `{name}` sha256 {value}" for name, value in manifest["sha256"].items())
    return "\n".join([told, "", *lines, "", sums])


def made(facts: Mapping[str, Any]) -> str:
    """Command, machine and versions."""
    end = "" if facts["finished"] else f", stopped before its planned {facts['planned_steps']:,}"
    return "\n".join(
        [
            f"- command: `{facts['command']}`, seed {facts['seed']}",
            f"- {facts['steps']:,} steps{end}, {facts['tokens'] / 1e6:.1f} M tokens "
            f"in {facts['seconds'] / 60:.1f} minutes",
            f"- {facts['machine']}",
            "- " + ", ".join(f"{name} {version}" for name, version in facts["versions"].items()),
            "- Muon for the matrices of the blocks, AdamW for the rest; warm-up, plateau, then linearly to zero",
        ]
    )


def sources(manifest: Mapping[str, Any]) -> str:
    """Every source with version and licence."""
    rows = [[s["name"], s["version"], s["licence"], f"{s['characters']:,}"] for s in manifest["sources"]]
    refused = ", ".join(f"{r['name']} ({r['licence']})" for r in manifest["refused"])
    lines = table(["source", "version", "licence", "characters"], rows)
    return "\n".join([*lines, "", f"Not read for their licence: {refused or 'none'}."])


def table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> list[str]:
    """Lines of a Markdown table."""
    return ["| " + " | ".join(row) + " |" for row in (head, ["---"] * len(head), *rows)]
