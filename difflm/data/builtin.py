"""Data that needs no file: tables of plotly, scikit-learn and the DiffLM paper, code and tools of Python itself"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from difflm.data.dataset import Dataset
from difflm.data.document_sets import Fits, document_set
from difflm.data.paper import PAPER, columns_of, paper_frames
from difflm.data.sampled import Draw, drawn_rows
from difflm.data.standard_library import LICENCE as _PSF
from difflm.data.standard_library import stdlib_functions, stdlib_tools
from difflm.errors import DataError
from difflm.schema import Kind, Record

_UCI = "CC BY 4.0 (UCI repository page)"


@dataclass(frozen=True)
class Builtin:
    """What is to be known of a built-in set before it is loaded."""

    name: str
    title: str
    description: str
    source: str
    licence: str
    target: str | None
    rows: int | None
    """None where it depends on the version of Python."""
    columns: int
    frames: Callable[[], dict[str, pd.DataFrame]]
    kinds: Mapping[str, Kind]
    record: Record = "table"
    log_scored: bool = False
    """Whether publications score what predicts the target on log(clip(y, 1, 20000))."""


def _plotly(name: str) -> Callable[[], dict[str, pd.DataFrame]]:
    def frames() -> dict[str, pd.DataFrame]:
        import plotly.data

        return {"train": getattr(plotly.data, name)()}

    return frames


def _sklearn(name: str, named_target: bool, **options: bool) -> Callable[[], dict[str, pd.DataFrame]]:
    def frames() -> dict[str, pd.DataFrame]:
        from sklearn import datasets

        bunch = getattr(datasets, f"load_{name}")(as_frame=True, **options)
        frame = bunch.frame
        if named_target:
            frame["target"] = [str(bunch.target_names[i]) for i in frame["target"]]
        return {"train": frame}

    return frames


def _paper(name: str, title: str, description: str, page: str, rows: int) -> Builtin:
    table = PAPER[name]
    target = columns_of(table.target)[0]
    columns = columns_of(table.columns)
    kinds = dict.fromkeys(columns_of(table.categorical), Kind.category)
    return Builtin(
        f"paper/{name}",
        title,
        description,
        page,
        _UCI,
        target,
        rows,
        len(columns),
        lambda: paper_frames(name),
        kinds,
        log_scored=table.log_scored,
    )


def _documents(name: str, title: str, description: str, record: Record) -> Builtin:
    def frames() -> dict[str, pd.DataFrame]:
        return {"train": stdlib_functions() if record == "code" else stdlib_tools()}

    return Builtin(
        name,
        title,
        description,
        "the standard library of the running Python",
        _PSF,
        None,
        None,
        1,
        frames,
        {},
        record,
    )


_TABLES = [
    Builtin(
        "gapminder", "Gapminder", "Life expectancy, population and income of 142 countries every five years.",
        "gapminder.org, as packaged in plotly", "CC BY 4.0 (gapminder.org)", "lifeExp", 1704, 8,
        _plotly("gapminder"), {},
    ),
    Builtin(
        "tips", "Restaurant tips", "Bills and tips of one waiter, with day, time and party.",
        "Bryant and Smith 1995, as packaged in plotly", "MIT (plotly package)", "tip", 244, 7, _plotly("tips"), {},
    ),
    Builtin(
        "diabetes", "Diabetes", "Ten measurements of patients and how their diabetes progressed in a year.",
        "Efron et al. 2004, as packaged in scikit-learn", "BSD-3-Clause (scikit-learn package)", "target", 442, 11,
        _sklearn("diabetes", False, scaled=False), {},
    ),
    Builtin(
        "breast_cancer", "Breast cancer (Wisconsin)", "Thirty measurements of cell nuclei and the diagnosis.",
        "UCI Machine Learning Repository, as packaged in scikit-learn", _UCI, "target", 569, 31,
        _sklearn("breast_cancer", True), {},
    ),
    Builtin(
        "iris", "Iris", "Four measurements of three species of iris.",
        "Fisher 1936, as packaged in scikit-learn", _UCI, "target", 150, 5, _sklearn("iris", True), {},
    ),
    Builtin(
        "wine", "Wine", "Chemical analysis of wines of three growers.",
        "UCI Machine Learning Repository, as packaged in scikit-learn", _UCI, "target", 178, 14,
        _sklearn("wine", True), {},
    ),
    _paper(
        "adult", "Adult (paper)", "US census 1994: does a person earn more than 50,000 dollars a year?",
        "archive.ics.uci.edu/dataset/2/adult", 48_842,
    ),
    _paper(
        "default", "Default (paper)", "Credit card clients in Taiwan 2005: will the next payment be missed?",
        "archive.ics.uci.edu/dataset/350/default+of+credit+card+clients", 30_000,
    ),
    _paper(
        "magic", "Magic (paper)", "Simulated telescope images: gamma ray or background?",
        "archive.ics.uci.edu/dataset/159/magic+gamma+telescope", 19_020,
    ),
    _paper(
        "shoppers", "Shoppers (paper)", "Visits to an online shop: does the visit end in a purchase?",
        "archive.ics.uci.edu/dataset/468/online+shoppers+purchasing+intention+dataset", 12_330,
    ),
    _paper(
        "beijing", "Beijing (paper)", "Hourly weather and fine dust in Beijing, 2010 to 2014.",
        "archive.ics.uci.edu/dataset/381/beijing+pm2+5+data", 43_824,
    ),
    _documents(
        "stdlib/functions", "Python functions", "Functions and methods of Python's standard library.", "code"
    ),
    _documents(
        "stdlib/tools", "Tool definitions", "Public functions of Python's standard library as tools for a language "
        "model: name, description, parameters.", "tool",
    ),
]  # fmt: skip

BUILTIN: dict[str, Builtin] = {table.name: table for table in _TABLES}
"""Built-in tables by name."""


def log_scored(name: str, target: str | None) -> bool:
    """Whether what predicts this target of a data set is scored as log(clip(y, 1, 20000)), as in publications."""
    table = BUILTIN.get(name)
    return table is not None and table.log_scored and target == table.target


def load_builtin(
    name: str,
    *,
    target: str | None = None,
    kinds: Mapping[str, Kind] | None = None,
    seed: int = 0,
    max_rows: int | None = None,
    fits: Fits | None = None,
) -> Dataset:
    """A built-in set with its own target and kinds unless others are given. The paper tables keep the
    paper's split; the others are split by `seed`. Of the rows of a long table (of a paper table: of those to train on)
    `max_rows` are drawn. Documents that `fits` refuses are left out."""
    if name not in BUILTIN:
        raise DataError(f"a built-in table out of {', '.join(BUILTIN)}", repr(name), "choose one of these")
    table = BUILTIN[name]
    frames = table.frames()
    if table.record != "table":
        about = {"seed": seed, "source": table.source, "licence": table.licence}
        return document_set(name, frames, table.record, fits, **about)  # type: ignore[arg-type]
    frames["train"] = drawn_rows(frames["train"], Draw(seed, max_rows))
    return Dataset.build(
        name,
        frames,
        target=target if target is not None else table.target,
        kinds={**table.kinds, **(kinds or {})},
        seed=seed,
        source=table.source,
        licence=table.licence,
    )
