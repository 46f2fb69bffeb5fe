"""Random numbers by purpose: what one part draws does not depend on how much another drew."""

from __future__ import annotations

import hashlib

import torch


def seeded(seed: int, *names: object) -> torch.Generator:
    """A generator of its own for each purpose."""
    digest = hashlib.sha256(repr((seed, *names)).encode()).digest()
    return torch.Generator().manual_seed(int.from_bytes(digest[:7], "little"))
