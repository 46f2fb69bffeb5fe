"""Records of one kind as they are gathered: checked, and those that are left out listed with the reason."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from typing import Any, get_args

import pandas as pd

from difflm.cells import plain
from difflm.data.delimited import MAX_CELL
from difflm.data.json_documents import Flaw, checked, parse_json
from difflm.data.python_source import Unit, snippets, unix_lines
from difflm.data.recognition import KIND_NAMES, unfenced
from difflm.errors import ConfigError, DataError

_SURROGATE = re.compile("[\ud800-\udfff]")
_SHOWN = 8


class Collector:
    """Takes texts and parsed values one by one; `frame` is what they make."""

    def __init__(self, record: str, longest: int | None = None, unit: Unit = "file") -> None:
        if record not in KIND_NAMES:
            raise ConfigError(f"a kind of document out of {', '.join(KIND_NAMES)}", repr(record))
        if unit not in get_args(Unit):
            raise ConfigError(f"a unit of code out of {', '.join(get_args(Unit))}", repr(unit))
        self.record, self.unit = record, unit
        self.longest = min(longest or MAX_CELL, MAX_CELL)
        self.left_out: list[dict[str, str]] = []
        self.changes: Counter[str] = Counter()
        """What was done to so many records."""
        self._names: dict[str, str] = {}

    def leave(self, name: str, reason: str) -> None:
        """List a record that is left out; what stands before a colon in the reason is its sort."""
        self.left_out.append({"name": name, "reason": reason})

    def add(self, text: str, name: str) -> None:
        """A record as text; nothing is kept of what is no record of this kind."""
        plain = unix_lines(text.removeprefix("\ufeff"))
        if not plain.strip():
            self.leave(name, "empty")
        elif len(plain) > MAX_CELL:
            self.leave(name, f"too long: {len(plain):,} characters (at most {self.longest:,})")
        elif "\x00" in plain:
            self.leave(name, "binary: a null byte")
        else:
            inner = unfenced(plain) if self.record != "text" else plain
            self.changes["Markdown fences taken off"] += inner is not plain
            self.changes["line ends are LF instead of CRLF or CR"] += "\r" in text and self.record != "tool"
            {"tool": self._add_json, "code": self._add_code, "text": self.keep}[self.record](inner, name)

    def add_value(self, value: Any, name: str) -> None:
        """A document as parsed JSON."""
        if not isinstance(value, dict | Flaw):
            self.leave(name, f"other kind: {type(value).__name__} instead of a JSON object")
            return
        text, reason, rounded = checked(value)
        if reason:
            self.leave(name, f"not JSON: {reason}")
        else:
            self.changes["numbers rounded to what a double holds"] += rounded
            self.keep(text, name)

    def frame(self, source: str, named: bool = True) -> pd.DataFrame:
        """One column named after the kind, what was left out and noted in attrs; DataError without a record."""
        sorts = Counter(item["reason"].partition(":")[0] for item in self.left_out)
        told = ", ".join(f"{count:,} {sort}" for sort, count in sorts.most_common(_SHOWN))
        if not self._names:
            first = f"; {self.left_out[0]['name']}: {self.left_out[0]['reason']}" if self.left_out else ""
            raise DataError(
                f"{KIND_NAMES[self.record]} in {source}",
                f"no record that can be used ({told}{first})" if told else "none",
                "check the file, or name another kind",
            )
        frame = pd.DataFrame({self.record: pd.Series(list(self._names), dtype="str")})
        notes = [
            f"{what} ({count:,} record{'s' * (count > 1)})" for what, count in self.changes.items() if count
        ]
        total = len(self._names) + len(self.left_out)
        notes += [f"{len(self.left_out):,} of {total:,} records are left out: {told}"] if told else []
        frame.attrs = {"notes": notes, "left_out": self.left_out, "record": self.record}
        if named:
            frame.attrs["names"] = list(self._names.values())
        return frame

    def _add_json(self, text: str, name: str) -> None:
        try:
            self.add_value(parse_json(text), name)
        except DataError as error:
            self.leave(name, f"not JSON: {error.got}")

    def _add_code(self, text: str, name: str) -> None:
        if self.unit == "file" and len(text) > self.longest:
            self.keep(text, name)
            return
        try:
            found = snippets(text, name, self.unit)
        except DataError as error:
            self.leave(name, f"syntax error: {error.got}")
            return
        if not found:
            self.leave(name, f"no {self.unit}")
        for snippet in found:
            if snippet.node.body:
                self.keep(snippet.source, name if self.unit == "file" else snippet.name)
            else:
                self.leave(name, "empty: no statement")

    def keep(self, text: str, name: str) -> None:
        """A record that is known to be of this kind, where it is new and not too long."""
        half = _SURROGATE.search(text)
        if len(text) > self.longest:
            self.leave(name, f"too long: {len(text):,} characters (at most {self.longest:,})")
        elif half:
            self.leave(name, f"not Unicode: half a character (\\u{ord(half[0]):04x})")
        elif text in self._names:
            self.leave(name, f"duplicate: of {self._names[text]}")
        else:
            self._names[text] = name


def cell_text(cell: Any) -> str:
    """A cell as the text of a document; lists and mappings as JSON, "" where it is missing."""
    if isinstance(cell, str):
        return cell
    if hasattr(cell, "tolist"):
        cell = cell.tolist()
    if isinstance(cell, Mapping | list | tuple):
        return json.dumps(cell, ensure_ascii=False, default=plain)
    return "" if pd.isna(cell) else str(cell)
