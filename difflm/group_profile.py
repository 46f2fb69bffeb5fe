"""What sets a group of records apart from the rest: the answer to a lasso on the map."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

from difflm.errors import DataError

FEW_VALUES = 8
"""Numbers with at most so many values are compared like categories."""
LONG_TEXT = 3.0
"""Words a cell from which a column is compared by its words."""
WORDS = 5
_WORD = re.compile(r"\w{2,}")
MISSING = "(missing)"


def profile(group: pd.DataFrame, rest: pd.DataFrame) -> pd.DataFrame:
    """For each column what it is in the group and in the rest, the most different first.

    `difference` goes from 0 (the same) to 1 (nothing in common): the Kolmogorov-Smirnov statistic of numbers and
    dates, the total variation distance of categories, the largest gap in the share of records with a word in texts."""
    if not len(group) or not len(rest):
        raise DataError("records in the group and outside of it", f"{len(group)} and {len(rest)}")
    rows = [(name, *_compared(group[name], rest[name])) for name in group.columns]
    table = pd.DataFrame(rows, columns=["column", "in the group", "in the rest", "difference"])
    return table.sort_values("difference", ascending=False, kind="stable", ignore_index=True)


def _compared(group: pd.Series, rest: pd.Series) -> tuple[str, str, float]:
    both = pd.concat([group, rest], ignore_index=True)
    dates = pd.api.types.is_datetime64_any_dtype(both)
    numbers = pd.api.types.is_numeric_dtype(both) and not pd.api.types.is_bool_dtype(both)
    if (dates or numbers) and both.nunique() > FEW_VALUES and group.notna().any() and rest.notna().any():
        return _ranges(group, rest, dates)
    texts = both.dropna().astype("string")
    if not (dates or numbers) and len(texts) and texts.str.count(_WORD.pattern).mean() > LONG_TEXT:
        return _words(group, rest)
    return _shares(group, rest)


def _ranges(group: pd.Series, rest: pd.Series, dates: bool) -> tuple[str, str, float]:
    """Median and middle half."""
    from scipy.stats import ks_2samp

    told = []
    for part in (group, rest):
        low, middle, high = part.dropna().quantile([0.25, 0.5, 0.75])
        if dates:
            told.append(f"{middle:%Y-%m-%d} ({low:%Y-%m-%d} to {high:%Y-%m-%d})")
        else:
            told.append(f"{middle:.4g} ({low:.4g} to {high:.4g})")
    plain = [
        (p.dropna().astype("int64") if dates else p.dropna().astype("float64")).to_numpy()
        for p in (group, rest)
    ]
    gap = abs(group.isna().mean() - rest.isna().mean())
    return told[0], told[1], float(max(ks_2samp(*plain).statistic, gap))


def _shares(group: pd.Series, rest: pd.Series) -> tuple[str, str, float]:
    """The value whose share differs most."""
    shares = [part.astype("string").fillna(MISSING).value_counts(normalize=True) for part in (group, rest)]
    inside, outside = shares[0].align(shares[1], fill_value=0.0)
    gap = (inside - outside).abs()
    value = str(gap.idxmax())
    told = [f"{value[:40]}: {part[value]:.0%}" for part in (inside, outside)]
    return told[0], told[1], float(gap.sum() / 2)


def _words(group: pd.Series, rest: pd.Series) -> tuple[str, str, float]:
    """The words that more of the group's texts hold than of the others."""
    shares = [_with_word(part) for part in (group, rest)]
    inside, outside = shares[0].align(shares[1], fill_value=0.0)
    gap = (inside - outside).sort_values(ascending=False, kind="stable")
    top = list(gap.index[:WORDS])
    told = [", ".join(f"{word} {part[word]:.0%}" for word in top) for part in (inside, outside)]
    return told[0], told[1], float(gap.abs().max())


def _with_word(texts: pd.Series) -> pd.Series:
    """Share of texts that hold each word."""
    found = texts.dropna().astype("string").map(lambda text: list(set(_WORD.findall(text.lower()))))
    counts = found.explode().value_counts()
    return (counts / max(len(texts), 1)).astype(np.float64)
