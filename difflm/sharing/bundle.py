"""Folders as one file to download: the page, the model, the rows, each with its card"""

from __future__ import annotations

import io
import tempfile
import zipfile
from pathlib import Path

import pandas as pd

from difflm.pipeline import DiffLM
from difflm.runs import Run
from difflm.sharing.cards import data_card, model_card
from difflm.sharing.static_page import Choice, write_page


def page_bundle(run: Run, choice: Choice) -> bytes:
    """A zip with the page of `write_page`."""
    with tempfile.TemporaryDirectory() as place:
        write_page(run, Path(place) / run.name, choice)
        return zipped(Path(place))


def model_bundle(model: DiffLM, run: Run) -> bytes:
    """A zip with the model, its card, and no training rows."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / run.name
        model.save_pretrained(folder)
        (folder / "README.md").write_text(model_card(run), encoding="utf-8")
        return zipped(Path(place))


def rows_bundle(rows: pd.DataFrame, run: Run, seed: int | None = None) -> bytes:
    """A zip with rows as CSV, Parquet and JSONL, and their card."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place) / f"{run.name}-synthetic"
        folder.mkdir()
        rows.to_csv(folder / "rows.csv", index=False)
        rows.to_parquet(folder / "rows.parquet", index=False)
        rows.to_json(
            folder / "rows.jsonl", orient="records", lines=True, force_ascii=False, date_format="iso"
        )
        (folder / "README.md").write_text(data_card(run, len(rows), seed), encoding="utf-8")
        return zipped(Path(place))


def zipped(folder: Path) -> bytes:
    """All files below `folder` under their names in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return buffer.getvalue()
