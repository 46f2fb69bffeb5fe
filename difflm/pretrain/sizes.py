"""The base models that are made: their shape, how they are trained, and how much text of each kind they read."""

from __future__ import annotations

from dataclasses import dataclass

from difflm.errors import ConfigError


@dataclass(frozen=True, kw_only=True)
class Size:
    """One base model. A sequence has `length` tokens, a step `batch` sequences."""

    name: str
    vocabulary: int
    width: int
    layers: int
    heads: int
    key_heads: int
    """Heads of keys and values: several heads of queries share one (grouped-query attention)."""
    hidden: int
    length: int
    longest: int
    """Positions that the model takes. Beyond `length` it was never trained."""
    batch: int
    lr: float
    """Peak of AdamW, for embeddings and norms."""
    muon_lr: float
    """Peak of Muon, for the matrices of the blocks."""
    tokens: int
    """Training tokens where neither a time limit nor a number is given."""
    held_tokens: int
    """Held-out tokens of each kind that an evaluation reads."""
    characters: int
    """Characters of the whole corpus."""

    def share(self, kind: str) -> int:
        """Characters wanted of one kind."""
        return int(self.characters * SHARES[kind])


SHARES = {"code": 0.33, "tool": 0.11, "text": 0.10, "table": 0.18, "json": 0.09, "pair": 0.10, "copy": 0.09}
"""Of the corpus's characters, by kind."""

SIZES = {
    size.name: size
    for size in (
        Size(
            name="tiny",
            vocabulary=4096,
            width=256,
            layers=6,
            heads=4,
            key_heads=2,
            hidden=576,
            length=256,
            longest=1024,
            batch=16,
            lr=3e-3,
            muon_lr=0.02,
            tokens=40_000_000,
            held_tokens=12_000,
            characters=100_000_000,
        ),
        Size(
            name="small",
            vocabulary=8192,
            width=512,
            layers=8,
            heads=8,
            key_heads=4,
            hidden=1408,
            length=512,
            longest=2048,
            batch=128,
            lr=2e-3,
            muon_lr=0.02,
            tokens=300_000_000,
            held_tokens=64_000,
            characters=200_000_000,
        ),
    )
}


def size_named(name: str) -> Size:
    """The size called `name`."""
    if name not in SIZES:
        raise ConfigError(f"a size out of {', '.join(SIZES)}", repr(name))
    return SIZES[name]
