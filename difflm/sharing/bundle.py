"""What is given away, each as a folder with its card, and any folder as one file to download"""

from __future__ import annotations

import io
import tempfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pandas as pd

from difflm.errors import RunError
from difflm.map_data import latest_sample
from difflm.pipeline import DiffLM
from difflm.runs import Run
from difflm.sharing.cards import data_card, model_card
from difflm.sharing.hub import What
from difflm.sharing.space import write_space
from difflm.sharing.static_page import Choice, write_page


def write_model(model: DiffLM, run: Run, folder: Path) -> None:
    """The model and its card, with no training rows."""
    model.save_pretrained(folder)
    (folder / "README.md").write_text(model_card(run), encoding="utf-8")


def write_rows(rows: pd.DataFrame, run: Run, folder: Path, seed: int | None = None) -> None:
    """Rows as CSV, Parquet and JSONL, and their card."""
    folder.mkdir(parents=True, exist_ok=True)
    rows.to_csv(folder / "rows.csv", index=False)
    rows.to_parquet(folder / "rows.parquet", index=False)
    rows.to_json(folder / "rows.jsonl", orient="records", lines=True, force_ascii=False, date_format="iso")
    (folder / "README.md").write_text(data_card(run, len(rows), seed), encoding="utf-8")


def write_shared(what: What, run: Run, folder: Path, choice: Choice) -> None:
    """Whatever can be shared of a run: the page by `choice`, the model, the newest generated rows, or the Space."""
    if what == "page":
        write_page(run, folder, choice)
    elif what == "space":
        write_space(folder, run)
    elif what == "model":
        write_model(DiffLM.from_pretrained(run), run, folder)
    elif (name := latest_sample(Path(run.path))) is None:
        raise RunError(f"generated rows in {run.name}", "none", "`difflm sample` first")
    else:
        write_rows(pd.read_parquet(Path(run.path) / "samples" / f"{name}.parquet"), run, folder)


def page_bundle(run: Run, choice: Choice) -> bytes:
    """A zip with the page of `write_page`."""
    return _packed(run.name, lambda folder: write_page(run, folder, choice))


def model_bundle(model: DiffLM, run: Run) -> bytes:
    """A zip with what `write_model` writes."""
    return _packed(run.name, lambda folder: write_model(model, run, folder))


def rows_bundle(rows: pd.DataFrame, run: Run, seed: int | None = None) -> bytes:
    """A zip with what `write_rows` writes."""
    return _packed(f"{run.name}-synthetic", lambda folder: write_rows(rows, run, folder, seed))


def _packed(name: str, write: Callable[[Path], object]) -> bytes:
    """All files that `write` puts into a folder, under its name."""
    with tempfile.TemporaryDirectory() as place:
        write(Path(place) / name)
        return zipped(Path(place))


def zipped(folder: Path) -> bytes:
    """All files below `folder` under their names in it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for file in sorted(folder.rglob("*")):
            if file.is_file():
                archive.write(file, file.relative_to(folder).as_posix())
    return buffer.getvalue()
