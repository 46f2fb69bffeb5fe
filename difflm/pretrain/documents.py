"""What a document of the corpus is, and which part of the corpus is held out."""

from __future__ import annotations

import hashlib
import random
from typing import Literal, NamedTuple

KINDS = ("code", "tool", "text", "table", "json", "pair", "copy")
Prefix = Literal["", "other", "same", "shuffled", "thinned"]
HELD_OUT = 100
"""One origin in so many is held out."""


class Document(NamedTuple):
    """A text of one kind. `origin` names the file or the generated record behind it: all documents of one origin are
    trained on, or all are held out, so that a docstring is not seen in training and asked for afterwards.

    A "copy" has something before it, from which it can be told: `before`, or its own tokens, in order, shuffled, or
    with some left out."""

    kind: str
    text: str
    source: str
    origin: str
    prefix: Prefix = ""
    before: str = ""

    @property
    def held_out(self) -> bool:
        """Whether it is never trained on."""
        return digest(self.origin) % HELD_OUT == 0


def digest(text: str) -> int:
    """64 bits of the SHA-256 of a text: the same on every machine."""
    return int.from_bytes(hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()[:8], "big")


def seeded(*names: object) -> random.Random:
    """A generator of its own for each purpose."""
    return random.Random(digest(repr(names)))
