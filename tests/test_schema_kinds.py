"""Kinds of columns are guessed sanely."""

from __future__ import annotations

import datetime
from typing import Any

import numpy as np
import pandas as pd
import pytest

from difflm.schema import Column, Kind, Schema


def one(cells: Any, name: str = "x", kind: str | None = None) -> Column:
    """The inferred column of `cells`."""
    frame = pd.DataFrame({name: cells})
    return Schema.infer(frame, kinds={name: Kind(kind)} if kind else None).columns[0]


@pytest.mark.parametrize(
    ("cells", "kind"),
    [
        ([3, 1, 2, 3] * 5, "integer"),
        ([0, 1] * 10, "integer"),
        ([1.0, np.nan, 3.0] * 5, "integer"),
        ([0.5, 1.0, np.nan] * 5, "real"),
        ([0.1, 0.2] * 10, "real"),
        (["a", "b", None] * 5, "category"),
        (["NA", "DE", "FR"] * 5, "category"),
        (["?", "a"] * 10, "category"),
        ([True, False] * 5, "boolean"),
        ([True, None] * 5, "boolean"),
        (["yes", "no"] * 5, "boolean"),
        (["True", "False", ""] * 5, "boolean"),
        (["m", "f"] * 5, "category"),
        (["2020-01-31", "1999-12-01"] * 5, "datetime"),
        (pd.to_datetime(["2020-01-31", None] * 5), "datetime"),
        ([datetime.date(2020, 1, 31)] * 5, "datetime"),
        (["10:30", "11:45"] * 5, "category"),
        ([f"AB-{i:04d}" for i in range(30)], "identifier"),
        (range(1, 31), "identifier"),
        (np.random.default_rng(0).permutation(30), "identifier"),
        (np.arange(30) + 0.0, "integer"),
        ([f"a text of several words, number {i}" for i in range(30)], "text"),
        ([f"word{'x' * i}" for i in range(30)], "text"),
        ([f"https://example.org/page/{i}" for i in range(30)], "text"),
        (["x" * 5000, "y", "z"] * 5, "text"),
        (["1", "2", "NA"] * 5, "integer"),
        (["007", "012"] * 5, "category"),
        ([1, "a", 2.5] * 5, "category"),
        ([1e300, -1e300, 0.5] * 5, "real"),
        ([None] * 12, "category"),
    ],
)
def test_kind(cells: Any, kind: str) -> None:
    assert one(cells).kind == kind


def test_unique_numbers_are_ids_by_name_but_years_and_floats_are_not() -> None:
    loose = list(range(0, 3000, 100))
    assert one(loose, "customer_id").kind == "identifier"
    assert one(loose, "userId").kind == "identifier"
    assert one(loose, "population").kind == "integer"
    assert one(range(1950, 2000), "year").kind == "integer"
    assert one([i + 0.5 for i in loose], "id").kind == "real"


def test_ambiguous_dates_are_noted() -> None:
    assert "would fit as well" in one(["01/02/2020", "03/04/2021"] * 5).note


@pytest.mark.parametrize(
    ("name", "cells", "personal"),
    [
        ("email", ["a@b.org"] * 12, True),
        ("contact", [f"u{i}@mail.com" for i in range(12)], True),
        ("x", ["+49 171 1234567", "+1 212 555 0100"] * 6, True),
        ("konto", ["DE44 5001 0517 5407 3249 31"] * 12, True),
        ("last_name", ["Smith", "Jones"] * 6, True),
        ("name", ["Ann Smith", "Bob van Dyk", "Cy Jones"] * 4, True),
        ("name", ["washing machine", "fridge"] * 6, False),
        ("street", ["1 High St", "2 Low Rd"] * 6, True),
        ("country", ["Chad", "Peru"] * 6, False),
        ("colour", ["red", "blue"] * 6, False),
    ],
)
def test_personal_data_is_flagged(name: str, cells: list[str], personal: bool) -> None:
    assert one(cells, name).personal is personal
