"""What a column is: its kind, how its cells are stored, and what real rows showed of it."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict

ValueType = Literal["int", "float", "str", "bool", "datetime"]
Unit = Literal["D", "h", "m", "s", "ms", "us", "ns"]


class Kind(StrEnum):
    """What a column means to the model and to the metrics."""

    integer = "integer"
    real = "real"
    category = "category"
    boolean = "boolean"
    datetime = "datetime"
    text = "text"
    identifier = "identifier"


class Column(BaseModel):
    """One column of a table. Ranges, categories and `missing` are what generated cells must keep to."""

    model_config = ConfigDict(extra="forbid")

    name: str
    kind: Kind
    value_type: ValueType = "str"
    """Python type of the original cells."""
    dtype: str = "object"
    """pandas dtype of the original column; "date" for datetime.date objects."""
    decimals: int = 0
    """real: decimals that write every value; 15 at most unless all values are below 1e-6."""
    minimum: int | float | None = None
    """integer, real, datetime (a count of `unit`), running identifier: the lowest value."""
    maximum: int | float | None = None
    """integer, real, datetime (a count of `unit`), running identifier: the highest value."""
    categories: list[str] | None = None
    """category, boolean: canonical strings, most frequent first."""
    datetime_format: str | None = None
    """datetime stored as strings: strftime form; %-d and the like are without padding."""
    unit: Unit | None = None
    """datetime: the coarsest unit that counts all values exactly."""
    template: str | None = None
    """identifier with a running number: str.format form such as "C-{:05d}"; `maximum` is the largest."""
    alphabets: list[str] | None = None
    """identifier without one: the characters that each position may have."""
    missing: bool = False
    """Whether cells may be missing."""
    blank: bool = False
    """Missing cells are written as empty strings rather than nulls."""
    lenient: bool = False
    """Cells that do not parse count as missing, because the kind was set by hand."""
    distinct: int = 0
    """Distinct known values."""
    note: str = ""
    """What was done to the column or is to be known of it."""
    personal: bool = False
    """Likely personal data: a guess from name and content, never a certainty."""
