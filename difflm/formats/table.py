"""Rows of a table as text: one JSON object, or values only with one separator.

Both write the canonical rows of a Schema, columns in table order, and read them back exactly.
Identifier columns are left out: they are never learned.
"""

from __future__ import annotations

import json
import re
from abc import abstractmethod
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, final

import pandas as pd

from difflm.columns import Column, Kind
from difflm.errors import ConfigError, DataError, SchemaError
from difflm.formats import cell_text
from difflm.formats.base import RecordFormat

if TYPE_CHECKING:
    from difflm.schema import Schema

TEXT_LENGTH = 256
"""Most characters (escapes count as one) that the grammar lets a text cell have."""

QUOTED = r'"(?:[^"\\\x00-\x1f]|\\["\\bfnrt]|\\u00(?:0[0-7bef]|1[0-9a-f])){0,%d}"'
"""A string as json.dumps writes it, up to a length."""

_SURROGATE = re.compile("[\ud800-\udfff]")


class TableFormat(RecordFormat):
    """What both row formats share; a field is the text of one cell within the row."""

    def __init__(self, schema: Schema, text_length: int = TEXT_LENGTH) -> None:
        self.columns = [c for c in schema.columns if c.kind is not Kind.identifier]
        self.text_length = text_length
        if not self.columns:
            raise SchemaError("a column to learn", "identifiers only")

    @abstractmethod
    def field(self, column: Column, text: str | None) -> str:
        """The field of a cell's plain text, None for missing."""

    @abstractmethod
    def join(self, fields: Sequence[str]) -> str:
        """The row of its fields."""

    @abstractmethod
    def split(self, row: str) -> list[str | None]:
        """Plain texts of the cells of a row; raises DataError where it is none or a cell has a wrong type."""

    @abstractmethod
    def rule(self, cells: Sequence[str]) -> str:
        """The body of grammar rule `row`, given Lark expressions of its fields."""

    @abstractmethod
    def text_patterns(self) -> list[str]:
        """Regular expressions of the fields that a text cell may have."""

    def write(self, record: Mapping[str, Any]) -> str:
        """The text of one row of canonical cells."""
        return self.join([self.field(c, cell_text.text_of(c, record[c.name])) for c in self.columns])

    def write_rows(self, frame: pd.DataFrame) -> list[str]:
        """Texts (n,) of canonical rows (n)."""
        fields = []
        for column in self.columns:
            known = cell_text.texts(column, frame[column.name])
            made = {text: self.field(column, text) for text in set(known)}
            fields.append([made[text] for text in known])
        return [self.join(row) for row in zip(*fields, strict=True)]

    def read(self, text: str, strict: bool = False) -> dict[str, Any]:
        """Canonical cells of one row; `strict` also refuses cells outside the schema's limits."""
        record = {}
        for column, cell in zip(self.columns, self.split(text), strict=True):
            record[column.name] = cell_text.cell_of(column, cell)
            if strict:
                cell_text.check(column, record[column.name])
        return record

    def read_rows(self, rows: Iterable[str], strict: bool = False) -> tuple[pd.DataFrame, dict[int, str]]:
        """The canonical rows that could be read, in order, and why the others (by position) could not."""
        records, rejected = [], {}
        for position, text in enumerate(rows):
            try:
                records.append(self.read(text, strict))
            except DataError as error:
                rejected[position] = str(error)
        made = {c.name: cell_text.series_of(c, [r[c.name] for r in records]) for c in self.columns}
        return pd.DataFrame(made), rejected

    def grammar(self, only: Mapping[str, Sequence[Any]] | None = None) -> str:
        """Lark source; `only` maps columns to the canonical cells (None for missing) that they may take."""
        strange = set(only or ()) - {column.name for column in self.columns}
        if strange:
            raise ConfigError("conditions on columns that are learned", ", ".join(sorted(strange)))
        expressions, terminals = [], []
        for number, column in enumerate(self.columns):
            alternatives, optional = self._alternatives(column, (only or {}).get(column.name))
            if alternatives:
                terminals.append(f"CELL{number}: {' | '.join(alternatives)}")
                expressions.append(f"CELL{number}?" if optional else f"CELL{number}")
            else:
                expressions.append('""')
        return "\n".join([f"row: {self.rule(expressions)}", *terminals])

    def _alternatives(self, column: Column, only: Sequence[Any] | None) -> tuple[list[str], bool]:
        """Lark expressions of a column's valid fields, and whether the field may be empty."""
        known: list[str] = []
        cells: list[Any] = [None] if column.missing else []
        if only is not None:
            cells = [value for value in only if _fits(column, value)]
        elif column.kind is Kind.text:
            known = [f"/{pattern}/" for pattern in self.text_patterns()]
        elif column.kind in cell_text.STRINGS:
            cells = [*(column.categories or []), *cells]
        elif (pattern := cell_text.range_regex(column)) is not None:
            dates = cell_text.calendar_regex(column)
            known = [self.around(column, f"/{pattern}/" if dates is None else f"/{pattern}/ & /{dates}/")]
        fields = dict.fromkeys(self.field(column, cell_text.text_of(column, cell)) for cell in cells)
        if not fields and not known:
            got = "none" if only is None else ", ".join(map(repr, only[:5]))
            raise ConfigError(f"values that column {column.name} can have", got)
        return known + [lark_string(field) for field in fields if field], "" in fields

    def around(self, column: Column, expression: str) -> str:
        """The field around a number or datetime given as a Lark expression."""
        return expression


@final
class JsonFormat(TableFormat):
    """One JSON object a row, as in the paper; numbers are numbers, dates strings, missing is null."""

    def field(self, column: Column, text: str | None) -> str:
        """The JSON value of a cell."""
        if text is None:
            return "null"
        return text if self._bare(column) else quoted(text)

    def join(self, fields: Sequence[str]) -> str:
        """`{"name": value, ...}`"""
        named = (f"{quoted(c.name)}: {field}" for c, field in zip(self.columns, fields, strict=True))
        return "{" + ", ".join(named) + "}"

    def split(self, row: str) -> list[str | None]:
        """Cells of the object, whose keys may come in any order but all once."""
        try:
            found = json.loads(
                row, object_pairs_hook=_Pairs, parse_int=_Number, parse_float=_Number, parse_constant=_refuse
            )
        except (ValueError, RecursionError) as error:
            raise DataError("no JSON object") from error
        if not isinstance(found, _Pairs):
            raise DataError("no JSON object")
        counts = Counter(name for name, _ in found)
        known = {column.name for column in self.columns}
        if any(count > 1 for count in counts.values()) or counts.keys() != known:
            raise DataError("other columns than the table has")
        values = dict(found)
        return [self._plain(column, values[column.name]) for column in self.columns]

    def _plain(self, column: Column, value: Any) -> str | None:
        wanted = _Number if self._bare(column) else str
        if value is None or type(value) is wanted:
            return None if value is None else str(value)
        raise DataError(f"{column.name} is no {'number' if wanted is _Number else 'string'}")

    def rule(self, cells: Sequence[str]) -> str:
        """Keys and punctuation around the fields."""
        keys = [quoted(column.name) + ": " for column in self.columns]
        starts = ["{" + keys[0], *(", " + key for key in keys[1:])]
        parts = (f"{lark_string(start)} {cell}" for start, cell in zip(starts, cells, strict=True))
        return " ".join([*parts, lark_string("}")])

    def text_patterns(self) -> list[str]:
        """JSON strings."""
        return [QUOTED % self.text_length]

    def around(self, column: Column, expression: str) -> str:
        """Dates are strings in JSON."""
        return expression if self._bare(column) else f'"\\"" ({expression}) "\\""'

    def _bare(self, column: Column) -> bool:
        if column.kind is Kind.datetime:
            return not cell_text.has_iso(column)
        return column.kind in cell_text.NUMERIC


@final
class CompactFormat(TableFormat):
    """Values only, in table order, with commas between: a third of the tokens of JSON.

    Missing is nothing at all; a string that is empty or has a comma, quote, backslash or control
    character is written as a JSON string."""

    SEPARATOR = ","
    PLAIN = r'[^",\\\x00-\x1f]'
    _plain = re.compile(r'[^",\\\x00-\x1f\ud800-\udfff]+')
    _field = re.compile(r'"(?:[^"\\]|\\.)*"|[^",\\\x00-\x1f]*')

    def field(self, column: Column, text: str | None) -> str:
        """The cell as it is where that is safe, else quoted."""
        if text is None:
            return ""
        return text if self._plain.fullmatch(text) else quoted(text)

    def join(self, fields: Sequence[str]) -> str:
        """Fields with the separator between them."""
        return self.SEPARATOR.join(fields)

    def split(self, row: str) -> list[str | None]:
        """Cells between the separators."""
        cells: list[str | None] = []
        position = 0
        while True:
            found = self._field.match(row, position)
            assert found is not None
            position = found.end()
            if position < len(row) and row[position] != self.SEPARATOR:
                raise DataError("a value with a character that needs quotes")
            cells.append(self._unquoted(len(cells), found[0]))
            if position == len(row):
                break
            position += 1
        if len(cells) != len(self.columns):
            raise DataError(f"other than {len(self.columns)} values")
        return cells

    def _unquoted(self, number: int, field: str) -> str | None:
        if not field.startswith('"'):
            return field or None
        column = self.columns[min(number, len(self.columns) - 1)]
        if column.kind not in cell_text.STRINGS:
            raise DataError(f"{column.name} is a string")
        try:
            return str(json.loads(field))
        except ValueError as error:
            raise DataError("a quoted value that is no JSON string") from error

    def rule(self, cells: Sequence[str]) -> str:
        """The separator between the fields."""
        return f" {lark_string(self.SEPARATOR)} ".join(cells)

    def text_patterns(self) -> list[str]:
        """Plain or quoted."""
        return [f"{self.PLAIN}{{1,{self.text_length}}}", QUOTED % self.text_length]


class _Number(str):
    """The text of a JSON number."""


class _Pairs(list[tuple[str, Any]]):
    """The members of a JSON object."""


def _refuse(name: str) -> NoReturn:
    raise ValueError(name)


def _fits(column: Column, cell: Any) -> bool:
    try:
        text = cell_text.text_of(column, cell)
        cell_text.check(column, cell_text.cell_of(column, text))
    except (DataError, TypeError, ValueError):
        return False
    return True


def quoted(text: str) -> str:
    """A JSON string; all but quotes, backslashes, control characters and lone surrogates stays readable."""
    return _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))


def lark_string(text: str) -> str:
    """A string literal of Lark."""
    return json.dumps(text, ensure_ascii=False)
