"""What a record format is: text of a record, the record of a text, and the grammar of valid texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

import pandas as pd


class Watch(Protocol):
    """Reads a row as it is written, refuses what the grammar of its format cannot, and knows how it ends soonest."""

    @property
    def late(self) -> bool:
        """Whether the record is about to become longer than any may be."""

    @property
    def debt(self) -> int:
        """Bytes that have to come before it."""

    @property
    def whole(self) -> bool:
        """Whether the record may end here."""

    @property
    def endings(self) -> tuple[bytes, ...]:
        """First bytes of what leads to the end of the record soonest from here, best first."""

    @property
    def continuations(self) -> list[bytes] | None:
        """All that may follow, where that is little: one of these texts has to; None where it is not."""

    def accepts(self, piece: bytes) -> bool:
        """Whether `piece` may be written next."""

    def feed(self, piece: bytes) -> bool:
        """Read on; False where it should not have been written."""


class RecordFormat(ABC):
    """Records <-> text. `read(write(record)) == record` for every record of the format."""

    def watch(self) -> Watch | None:
        """What reads a new row along, where the grammar is not enough."""
        return None

    @abstractmethod
    def write(self, record: Mapping[str, Any]) -> str:
        """The text of one record."""

    @abstractmethod
    def read(self, text: str) -> dict[str, Any]:
        """The record of `text`; raises DataError, with a reason free of cell contents, where it is none."""

    @abstractmethod
    def write_rows(self, frame: pd.DataFrame) -> list[str]:
        """Texts (n,) of canonical records (n)."""

    @abstractmethod
    def read_rows(self, texts: Iterable[str], strict: bool = False) -> tuple[pd.DataFrame, dict[int, str]]:
        """The records that could be read, in order, and why the others (by position) could not; `strict` also refuses
        what the schema does not allow."""

    @abstractmethod
    def grammar(self, only: Mapping[str, Sequence[Any]] | None = None) -> str:
        """Lark source (as llguidance reads it) whose rule `row` is the valid texts of this format.

        `only` narrows a part of the record to the given values. Raises ConfigError where none is valid."""
