"""Tables that a page or a command must hold: very short, very wide, very large, of every kind of column.

python tests/odd_tables.py FOLDER [MEGABYTES]   # the same as files, to be uploaded by hand
"""

from __future__ import annotations

import io
import sys
from pathlib import Path

import numpy as np
import pandas as pd


def short(rows: int = 5) -> pd.DataFrame:
    """A handful of rows."""
    return pd.DataFrame(
        {
            "name": [f"n{i}" for i in range(rows)],
            "size": range(rows),
            "tame": [True, False, True, True, False][:rows],
        }
    )


def every_kind(n: int = 90) -> pd.DataFrame:
    """An identifier, reals, integers and days that hang together, and a class; cells are missing."""
    rng = np.random.default_rng(0)
    x = rng.normal(size=n).round(2)
    k = pd.Series(np.rint(10 * x + rng.normal(size=n)).astype(int), dtype="Int64")
    k[:5] = pd.NA
    day = pd.Timestamp("2024-01-01") + pd.to_timedelta(rng.integers(0, 300, n), unit="D")
    mood = np.where(x > 0, "<good>", "bad").astype(object)
    mood[:4] = None
    return pd.DataFrame({"id": [f"R-{i:04d}" for i in range(n)], "x": x, "k": k, "day": day, "mood": mood})


def wide(columns: int = 300, rows: int = 120) -> pd.DataFrame:
    """Numbers and categories in turns."""
    rng = np.random.default_rng(0)
    made = {
        f"c{i}": rng.normal(size=rows).round(2) if i % 2 else rng.choice(["a", "b", "c"], rows)
        for i in range(columns)
    }
    return pd.DataFrame(made)


def large(megabytes: float) -> bytes:
    """CSV of about so many megabytes, as no person would write by hand."""
    rng = np.random.default_rng(0)
    block = pd.DataFrame(
        {
            "city": rng.choice(["Bern", "Lima", "Oslo"], 20_000),
            "income": rng.lognormal(10, 1, 20_000).round(2),
            "age": rng.integers(18, 99, 20_000),
            "note": rng.choice(["", "late", "paid", "open"], 20_000),
        }
    )
    head, _, body = block.to_csv(index=False).partition("\n")
    out = io.StringIO()
    out.write(head + "\n")
    for _ in range(max(1, round(megabytes * 1e6 / len(body)))):
        out.write(body)
    return out.getvalue().encode()


if __name__ == "__main__":
    folder = Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    short().to_csv(folder / "short.csv", index=False)
    wide().to_csv(folder / "wide.csv", index=False)
    (folder / "large.csv").write_bytes(large(float(sys.argv[2]) if len(sys.argv) > 2 else 195))
