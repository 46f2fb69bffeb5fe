"""Formats of whole documents: JSON (`tool`), Python source (`code`) and plain text (`text`).

A record has one field, named after its kind, which holds the document's text: canonical for JSON, as it is
for the others. Reasons for refusing a text never quote it.
"""

from __future__ import annotations

import ast
import warnings
from abc import abstractmethod
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, final

import pandas as pd

from difflm.columns import Column, Kind
from difflm.errors import ConfigError, DataError
from difflm.formats.base import RecordFormat, Watch
from difflm.formats.code_watch import CodeWatch
from difflm.formats.json_grammar import json_grammar
from difflm.formats.json_references import REFERENCES, UNIQUE, all_once, references_hold
from difflm.formats.json_schema import Validity, narrowed
from difflm.formats.json_text import canonical_text, parse_document
from difflm.formats.json_watch import JsonWatch
from difflm.formats.table import lark_string


class DocumentFormat(RecordFormat):
    """What the three kinds share; no generated document has more than `longest` characters."""

    name: str

    def __init__(self, longest: int) -> None:
        if longest < 1:
            raise ConfigError("documents of at least one character", str(longest))
        self.longest = longest
        self.columns = [Column(name=self.name, kind=Kind.text)]

    @abstractmethod
    def canonical(self, text: str) -> str:
        """The one text of the same content; raises DataError where `text` is no document of this kind."""

    @abstractmethod
    def check(self, text: str) -> None:
        """Raise DataError where a canonical text is not what a generated document must be."""

    def write(self, record: Mapping[str, Any]) -> str:
        """The canonical text of the record's document."""
        return self.canonical(record[self.name])

    def write_rows(self, frame: pd.DataFrame) -> list[str]:
        """Texts (n,) of the documents of a frame (n)."""
        return [self.canonical(text) for text in frame[self.name]]

    def read(self, text: str, strict: bool = False) -> dict[str, Any]:
        """The record of a text; `strict` also refuses what no generated document may be."""
        canonical = self.canonical(text)
        if strict:
            if len(canonical) > self.longest:
                raise DataError(f"longer than {self.longest} characters")
            self.check(canonical)
        return {self.name: canonical}

    def read_rows(self, texts: Iterable[str], strict: bool = False) -> tuple[pd.DataFrame, dict[int, str]]:
        """The documents that could be read, in order, and why the others (by position) could not."""
        found, rejected = [], {}
        for position, text in enumerate(texts):
            try:
                found.append(self.read(text, strict)[self.name])
            except DataError as error:
                rejected[position] = str(error)
        return pd.DataFrame({self.name: pd.Series(found, dtype=object)}), rejected


@final
class ToolFormat(DocumentFormat):
    """JSON documents that share a schema, such as definitions of tools."""

    name = "tool"

    def watch(self) -> Watch:
        """Keys of one object differ, lists of names name what is there, and some have nothing twice."""
        return JsonWatch(self.longest, self.references, self.unique)

    def __init__(self, json_schema: Mapping[str, Any], longest: int) -> None:
        """`json_schema` as `infer_json_schema` makes it."""
        super().__init__(longest)
        self.json_schema = json_schema
        self.references: Mapping[str, str] = json_schema.get(REFERENCES, {})
        self.unique: Sequence[str] = json_schema.get(UNIQUE, ())
        self._validity = Validity(json_schema)

    def canonical(self, text: str) -> str:
        """Canonical JSON with the content of any JSON text, read strictly."""
        return canonical_text(text)

    def check(self, text: str) -> None:
        """Hold a document against the schema and its references."""
        document = parse_document(text)
        reason = self._validity.reason(document)
        if reason is not None:
            raise DataError(reason)
        if not references_hold(document, self.references):
            raise DataError(f"{' or '.join(self.references)} names what is not there, or twice")
        if not all_once(document, self.unique):
            raise DataError(f"something twice in {' or '.join(self.unique)}")

    def grammar(self, only: Mapping[str, Sequence[Any]] | None = None) -> str:
        """Lark source of canonical JSON under the schema.

        `only` maps keys of the outermost object to the JSON values that they may have. Each string, list and map
        is bounded, their sum and depth are not: who writes the text bounds its length."""
        return json_grammar(narrowed(self.json_schema, only) if only else self.json_schema, self.longest)


class _PlainFormat(DocumentFormat):
    """Texts that are what they are, NUL and half surrogates excepted."""

    character = r"[^\x00]"
    """Regular expression of one character of a generated text."""

    def canonical(self, text: str) -> str:
        """The text itself."""
        if not text:
            raise DataError("an empty text")
        if "\x00" in text:
            raise DataError("a NUL character, which text files do not have")
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise DataError("half of a surrogate pair, which is no character") from error
        return text

    def grammar(self, only: Mapping[str, Sequence[Any]] | None = None) -> str:
        """Lark source of any text of up to `longest` characters; `only` may list the texts that are allowed."""
        strange = set(only or ()) - {self.name}
        if strange:
            raise ConfigError(f"conditions on {self.name} alone", ", ".join(sorted(strange)))
        if not only:
            return f"row: TEXT\nTEXT: /{self.character}{{1,{self.longest}}}/"
        texts = [lark_string(self.canonical(text)) for text in only[self.name]]
        if not texts:
            raise ConfigError(f"texts that {self.name} can have", "none")
        return f"row: TEXT\nTEXT: {' | '.join(texts)}"


@final
class CodeFormat(_PlainFormat):
    """Python source. No grammar of this kind can hold all of Python: validity is for `read(strict=True)`."""

    name = "code"

    def watch(self) -> Watch:
        """What cannot become Python any more is not written."""
        return CodeWatch(self.longest)

    def check(self, text: str) -> None:
        """Parse the source with the Python that runs this."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                ast.parse(text)
        except SyntaxError as error:
            # The parser's own message may quote the source.
            what = "a wrong indentation" if isinstance(error, IndentationError) else "a syntax error"
            raise DataError(f"no Python: {what} in line {error.lineno or 1}") from error
        except (RecursionError, MemoryError, ValueError) as error:
            raise DataError("no Python: more than the parser can hold") from error


@final
class TextFormat(_PlainFormat):
    """Plain text of any lines, or of one."""

    name = "text"

    def __init__(self, longest: int, one_line: bool = False) -> None:
        super().__init__(longest)
        self.one_line = one_line
        if one_line:
            self.character = r"[^\x00\n\r]"

    def check(self, text: str) -> None:
        """Refuse white space alone, and line ends where there is one line."""
        if not text.strip():
            raise DataError("nothing but white space")
        if self.one_line and ("\n" in text or "\r" in text):
            raise DataError("more than one line")


DOCUMENT_FORMATS = ("tool", "code", "text")


def make_document_format(record: str, json_schema: Mapping[str, Any] | None, longest: int) -> RecordFormat:
    """The format of records of a kind; ConfigError for an unknown kind, or for tools without a schema."""
    if record == "code":
        return CodeFormat(longest)
    if record == "text":
        return TextFormat(longest)
    if record != "tool":
        raise ConfigError(f"a kind of document out of {', '.join(DOCUMENT_FORMATS)}", repr(record))
    if json_schema is None:
        raise ConfigError("the JSON Schema of tool documents", "none", "infer it from the training documents")
    return ToolFormat(json_schema, longest)
