"""The format that a schema and a setting name: names resolve to classes here."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from difflm.errors import ConfigError
from difflm.formats.base import RecordFormat
from difflm.formats.documents import make_document_format
from difflm.formats.json_schema import infer_json_schema
from difflm.formats.table import CompactFormat, JsonFormat, TableFormat

if TYPE_CHECKING:
    from difflm.schema import Schema

ROWS: dict[str, type[TableFormat]] = {"compact": CompactFormat, "json": JsonFormat}


def with_documents(schema: Schema, train: pd.DataFrame) -> Schema:
    """`schema` of documents with what their format has to know of canonical training rows: the length of the longest,
    and the JSON Schema of tools."""
    documents = train[schema.record]
    learned: dict[str, Any] = {"longest": int(documents.str.len().max())}
    if schema.record == "tool":
        learned["json_schema"] = infer_json_schema(json.loads(text) for text in documents)
    return schema.model_copy(update=learned)


def make_format(schema: Schema, text: str) -> RecordFormat:
    """How records of `schema` are written for a causal LM; `text` chooses among the forms of a table's rows."""
    if schema.record != "table":
        return make_document_format(schema.record, schema.json_schema, schema.longest)
    if text not in ROWS:
        raise ConfigError(f"a text of rows out of {', '.join(ROWS)}", repr(text))
    return ROWS[text](schema)
