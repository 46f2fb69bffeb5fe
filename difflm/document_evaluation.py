"""Score generated documents (code, tools, text) against real ones, with their reference rows."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pandas as pd

from difflm.errors import DataError
from difflm.metrics.base import Result
from difflm.metrics.documents import (
    DocumentBench,
    DocumentKind,
    DocumentMetric,
    Documents,
    document_metric_names,
    resolve,
    shuffled,
)
from difflm.metrics.documents.references import HOW
from difflm.provenance import machine, versions
from difflm.report import LABELS, Report, ScoreRow
from difflm.schema import Schema

Progress = Callable[[float, str], None]
EXTRA = ("posterior", "decoder_alone")
HALVES = (
    "For copies one half of the unseen real records is scored against the other half, so that its near copies "
    "are about 2 % by definition."
)


def evaluate_documents(
    record: DocumentKind,
    generated: Sequence[str],
    training: Sequence[str],
    holdout: Sequence[str],
    *,
    json_schema: Mapping[str, Any] | Callable[[Any], bool] | None = None,
    raw_validity: float | None = None,
    seed: int = 0,
    extra: Mapping[str, Sequence[str] | None] | None = None,
    latent: Mapping[str, Any] | None = None,
    references: bool = True,
    metrics: Sequence[str] | None = None,
    max_documents: int = 5_000,
    data_name: str = "",
    on_progress: Progress | None = None,
) -> Report:
    """Compare `generated` with `training` and `holdout` (real records never trained on); texts of one kind.

    `json_schema`: for tools, a JSON Schema or a function from a JSON value to whether it is valid.
    `raw_validity` is the share of valid records before any retry, if the generator kept it. `extra`:
    posterior (decoded from encoded real records), decoder_alone. `latent`: kl (nats a record), active,
    reconstruction, as in the report of a table. The same seed gives the same figures.
    """
    started = time.monotonic()
    if not len(generated):
        raise DataError("at least one generated record", "none", "generate records first")
    unknown = set(extra or {}) - set(EXTRA)
    if unknown:
        raise DataError(f"extra records among {', '.join(EXTRA)}", ", ".join(sorted(unknown)))
    bench = DocumentBench.build(
        record, training, holdout, json_schema=json_schema, seed=seed, max_documents=max_documents
    )
    chosen = [resolve(name)() for name in (metrics if metrics is not None else document_metric_names(record))]
    tables = [("generated", bench.read(generated))]
    tables += [(name, bench.read(texts)) for name in EXTRA if (texts := (extra or {}).get(name))]
    if references:
        tables += [("holdout", bench.holdout), ("independent", shuffled(bench)), ("copy", bench.training)]

    clock: dict[str, float] = {}
    scored: dict[str, list[Result]] = {}
    for number, (name, documents) in enumerate(tables):
        scored[name] = []
        for index, metric in enumerate(chosen):
            if on_progress:
                done = (number + index / len(chosen)) / len(tables)
                on_progress(done, f"{LABELS[name]}: {metric.name}")
            before = time.monotonic()
            scored[name].append(_score(metric, bench, documents, name))
            clock[metric.name] = clock.get(metric.name, 0.0) + time.monotonic() - before
    if on_progress:
        on_progress(1.0, "done")

    rows = [
        ScoreRow(name, len(documents), {k: v for result in scored[name] for k, v in result.scores.items()})
        for name, documents in tables
    ]
    if raw_validity is not None:
        rows[0].scores["raw_validity"] = float(raw_validity)
    sizes = {"train": len(bench.training), "test": len(bench.holdout), "synthetic": len(generated)}
    return Report(
        rows=rows,
        figures=[figure for metric in chosen for figure in metric.figures()],
        latent=None if latent is None else dict(latent),
        details=_details(scored),
        settings={
            "data": data_name,
            "record": record,
            "rows": sizes,
            "target": None,
            "seed": seed,
            "max_documents": max_documents,
            "versions": versions(),
            "machine": machine(),
            "seconds": {name: round(value, 2) for name, value in clock.items()},
            "seconds_total": round(time.monotonic() - started, 2),
        },
        notes=_notes(bench, tables, scored),
    )


def evaluate_frames(
    schema: Schema,
    real: pd.DataFrame,
    synthetic: pd.DataFrame | Sequence[pd.DataFrame],
    test: pd.DataFrame,
    *,
    extra: Mapping[str, pd.DataFrame | None],
    **settings: Any,
) -> Report:
    """`evaluate_documents` of frames with the one column that `schema` names; several sets are scored as one."""
    record = schema.record
    assert record != "table"
    sets = [synthetic] if isinstance(synthetic, pd.DataFrame) else synthetic
    for what, frame in [("real", real), ("test", test), *(("synthetic", frame) for frame in sets)]:
        if record not in frame.columns:
            got = ", ".join(map(str, frame.columns[:8])) or "none"
            raise DataError(
                f"a column {record} in the {what} records", got, "write them as difflm sample does"
            )

    def texts(frame: pd.DataFrame) -> list[str]:
        return [str(text) for text in frame[record].dropna()]

    return evaluate_documents(
        record,
        [text for frame in sets for text in texts(frame)],
        texts(real),
        texts(test),
        json_schema=schema.json_schema,
        extra={name: None if frame is None else texts(frame) for name, frame in extra.items()},
        **settings,
    )


def _score(metric: DocumentMetric, bench: DocumentBench, documents: Documents, row: str) -> Result:
    """Score one set; the holdout needs care where it meets itself."""
    if row == "holdout" and metric.private:
        if len(documents) < 4:
            return Result({figure.name: None for figure in metric.figures()})
        halved, half = bench.halved()
        return metric.compute(halved, half)
    return metric.compute(bench, documents)


def _details(scored: Mapping[str, list[Result]]) -> dict[str, Any]:
    """Details of the generated set; columns of all metrics in one list, the worst first, as tables have them."""
    details: dict[str, Any] = {}
    columns: list[dict[str, Any]] = []
    for result in scored["generated"]:
        columns += result.details.get("columns", [])
        details |= {name: value for name, value in result.details.items() if name != "columns"}
    details["columns"] = sorted(columns, key=lambda column: -float(column["error"]))
    details["columns_by_row"] = {
        name: {c["name"]: c["error"] for result in results for c in result.details.get("columns", [])}
        for name, results in scored.items()
    }
    return details


def _notes(
    bench: DocumentBench, tables: Sequence[tuple[str, Documents]], scored: Mapping[str, list[Result]]
) -> list[str]:
    notes = [note for result in scored["generated"] for note in result.notes]
    notes += [
        f"{LABELS[name]}: {broken} of {len(documents)} records are not readable as {bench.record} and count in "
        "validity, lengths and copies only."
        for name, documents in tables
        if bench.record != "text" and (broken := documents.readable.count(False))
    ]
    if max(len(documents) for _, documents in tables) > bench.max_documents:
        notes.append(f"Near copies use seeded subsamples of at most {bench.max_documents} records.")
    if any(name == "independent" for name, _ in tables):
        notes += [HALVES, HOW[bench.record]]
    return list(dict.fromkeys(notes))
