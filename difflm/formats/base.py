"""What a record format is: text of a record, the record of a text, and the grammar of valid texts."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd


class RecordFormat(ABC):
    """Records <-> text. `read(write(record)) == record` for every record of the format."""

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
