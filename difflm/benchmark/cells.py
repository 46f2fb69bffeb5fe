"""One cell of a benchmark, a model with a seed on a data set: made, scored, and kept as JSON at once"""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from difflm.benchmark.making import Made, Say, make, missing
from difflm.benchmark.settings import Settings
from difflm.benchmark.tables import Table
from difflm.disk import make_folder, read_json, write_atomic, write_json
from difflm.errors import DiffLMError
from difflm.evaluation import evaluate
from difflm.metrics import metric_names
from difflm.provenance import CODE, code_mark, machine, versions

UNSCORED = ("validity",)
"""Numbers of peers are repaired before they are scored, so that validity would say nothing."""
EVALUATION_SEED = 0


@dataclass
class Cell:
    """What came of a cell; `error` says why it failed or was skipped."""

    data: str
    model: str
    seed: int
    key: dict[str, Any]
    status: str
    """done, failed or skipped"""
    error: str = ""
    rows: int = 0
    train_seconds: float | None = None
    sample_seconds: float | None = None
    peak_mb: float | None = None
    finished: str = ""
    versions: dict[str, str] = field(default_factory=dict)
    machine: dict[str, Any] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    scores: list[dict[str, Any]] = field(default_factory=list)
    """Score rows as in a report, without the reference rows."""
    figures: list[dict[str, Any]] = field(default_factory=list)
    latent: dict[str, Any] | None = None

    @property
    def rows_per_second(self) -> float | None:
        """Generated rows by the seconds that they took."""
        return self.rows / max(self.sample_seconds, 1e-6) if self.sample_seconds is not None else None

    def save(self, path: Path) -> None:
        """Write it whole."""
        write_json(path, asdict(self))

    @classmethod
    def load(cls, path: Path, key: dict[str, Any]) -> Cell | None:
        """The finished cell in `path` if it was made with the same settings."""
        try:
            cell = cls(**read_json(path)) if path.exists() else None
        except (DiffLMError, TypeError):
            return None
        return cell if cell is not None and cell.status == "done" and cell.key == key else None


def run_cell(table: Table, model: str, seed: int, settings: Settings, folder: Path, say: Say) -> Cell:
    """Make, score and save one cell in `folder`; an error of a model is the result of its cell."""
    key = settings.key(table, model, seed)
    path = folder / f"{model}-{seed}.json"
    if kept := Cell.load(path, key):
        changed = kept.versions.get(CODE) != code_mark()
        say(
            f"done already, but by other code of difflm; delete {path} to repeat it"
            if changed
            else "done already"
        )
        return kept
    cell = Cell(table.name, model, seed, key, "skipped", machine=machine())
    if reason := missing(settings, model):
        cell.error = reason
    else:
        try:
            say("training and generating")
            made = make(table, model, seed, settings, folder / f"{model}-{seed}", say)
            say("scoring")
            _score(cell, made, table, settings, folder)
            cell.status = "done"
        except Exception as error:
            # Whatever a peer does wrong, the other cells go on.
            known = isinstance(error, DiffLMError)
            cell.status = "failed"
            cell.error = str(error) if known else f"{type(error).__name__}: {error}"
    cell.finished = time.strftime("%Y-%m-%d %H:%M:%S %z")
    if cell.error:
        say(f"{cell.status}: {cell.error}")
    cell.save(path)
    return cell


def references_path(folder: Path) -> Path:
    """Where the reference rows of a data set are kept."""
    return folder / "references.json"


def load_references(folder: Path, key: dict[str, Any]) -> list[dict[str, Any]]:
    """The reference rows of a data set, empty where none were scored with the same settings."""
    try:
        kept = read_json(references_path(folder)) if references_path(folder).exists() else {}
    except DiffLMError:
        return []
    return list(kept["rows"]) if kept.get("key") == key else []


def _score(cell: Cell, made: Made, table: Table, settings: Settings, folder: Path) -> None:
    """Figures of the generated sets, for difflm also of its decoder; reference rows where there are none yet."""
    dataset, shared = table.dataset, settings.shared(table)
    report = evaluate(
        dataset.train,
        made.sets,
        dataset.test,
        schema=dataset.schema,
        target=dataset.schema.target,
        validation=dataset.validation,
        seed=EVALUATION_SEED,
        references=not load_references(folder, shared),
        metrics=[name for name in metric_names() if name not in UNSCORED],
        log_clip=shared["log_clip"],
        data_name=table.name,
        **(_latent(made.run, table, cell.seed) if made.run else {}),
    )
    plain = report.to_dict()
    own = ("generated", "posterior", "decoder_alone")
    if others := [row for row in plain["rows"] if row["name"] not in own]:
        write_json(references_path(folder), {"key": shared, "rows": others})
    cell.scores = [row for row in plain["rows"] if row["name"] in own]
    cell.figures, cell.latent = plain["figures"], plain["latent"]
    cell.rows = sum(len(frame) for frame in made.sets)
    cell.train_seconds, cell.sample_seconds = made.train_seconds, made.sample_seconds
    cell.peak_mb = made.peak_mb
    cell.versions = {**versions(), CODE: code_mark(), **made.versions}
    schema_notes = {f"Schema: {note}" for note in dataset.schema.notes}
    cell.notes = [*made.notes, *(note for note in report.notes if note not in schema_notes)]
    write_atomic(make_folder(folder / f"{cell.model}-{cell.seed}") / "report.html", report.to_html().encode())


def _latent(run: Path, table: Table, seed: int) -> dict[str, Any]:
    """What no fidelity figure stands without: latent use, rows from encoded real rows, the decoder alone."""
    from difflm.latent_use import latent_use
    from difflm.pipeline import DiffLM

    model, real = DiffLM.from_pretrained(run), table.dataset.train
    extra: dict[str, Any] = {
        "posterior": model.posterior_rows(real, seed=seed).dropna(how="all"),
        "decoder_alone": model.decoder_alone(len(real), seed=seed),
    }
    for frame in extra.values():
        frame.attrs = {}
    return {**extra, "latent": latent_use(model, table.dataset.test)}
