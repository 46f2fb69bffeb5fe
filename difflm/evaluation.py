"""Score synthetic rows against real ones, with the reference rows without which no figure means much."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from difflm.errors import DataError
from difflm.metrics import Bench, Encoded, Metric, Result, metric_names, resolve
from difflm.provenance import machine, versions
from difflm.report import LABELS, Report, ScoreRow
from difflm.schema import Schema

Progress = Callable[[float, str], None]
HOLDOUT_NOTE = (
    "The unseen real rows are the test split, so they have no MLE of their own; for privacy figures one half "
    "of them is scored against the other half."
)


def evaluate(
    real: pd.DataFrame,
    synthetic: pd.DataFrame | Sequence[pd.DataFrame],
    test: pd.DataFrame,
    *,
    schema: Schema | None = None,
    target: str | None = None,
    validation: pd.DataFrame | None = None,
    seed: int = 0,
    posterior: pd.DataFrame | None = None,
    decoder_alone: pd.DataFrame | None = None,
    latent: Mapping[str, Any] | None = None,
    raw_validity: float | None = None,
    references: bool = True,
    metrics: Sequence[str] | None = None,
    log_clip: bool = False,
    max_rows: int = 50_000,
    data_name: str = "",
    on_progress: Progress | None = None,
) -> Report:
    """Compare `synthetic` with `real` (the training rows) and `test` (real rows never trained on).

    All frames are raw, as read from a file. Several synthetic frames give means with standard deviations.
    `posterior` are rows decoded from encoded real rows, `decoder_alone` rows of the decoder without a
    latent. `latent`: kl (nats a row), active, reconstruction (share of held-out cells), per_column.
    `raw_validity` is the share of valid records before any retry, if the generator kept it. `log_clip`
    scores a numeric target as log(clip(y, 1, 20000)). `on_progress` gets the share done and what comes.
    The same seed gives the same figures. Documents (by `schema`) are scored as `evaluate_documents` does.
    """
    if schema is not None and schema.record != "table":
        from difflm.document_evaluation import evaluate_frames

        return evaluate_frames(
            schema,
            real,
            synthetic,
            test,
            extra={"posterior": posterior, "decoder_alone": decoder_alone},
            latent=latent,
            raw_validity=raw_validity,
            references=references,
            seed=seed,
            data_name=data_name,
            on_progress=on_progress,
        )
    started = time.monotonic()
    sets = [synthetic] if isinstance(synthetic, pd.DataFrame) else list(synthetic)
    if not sets or not all(len(frame) for frame in sets):
        raise DataError("at least one synthetic row", "none", "generate rows first")
    schema = schema if schema is not None else Schema.infer(real, target=target)
    if target is not None:
        schema.column(target)  # its error lists the columns there are
    bench = Bench.build(
        schema,
        schema.canonical(real),
        schema.canonical(test),
        None if validation is None else schema.canonical(validation),
        target=target,
        seed=seed,
        log_clip=log_clip,
        max_rows=max_rows,
    )
    chosen = [resolve(name)() for name in (metrics if metrics is not None else metric_names())]
    tables: list[tuple[str, Encoded]] = [("generated", bench.encode(schema.canonical(f))) for f in sets]
    for name, frame in (("posterior", posterior), ("decoder_alone", decoder_alone)):
        if frame is not None and len(frame):
            tables.append((name, bench.encode(schema.canonical(frame))))
    if references:
        tables += [("holdout", bench.test), ("independent", shuffled(bench)), ("copy", bench.train)]

    clock: dict[str, float] = {}
    results: list[tuple[str, int, list[Result]]] = []
    for number, (name, table) in enumerate(tables):
        scored = []
        for index, metric in enumerate(chosen):
            if on_progress:
                done = (number + index / len(chosen)) / len(tables)
                on_progress(done, f"{LABELS[name]}: {metric.name}")
            before = time.monotonic()
            scored.append(_score(metric, bench, table, name))
            clock[metric.name] = clock.get(metric.name, 0.0) + time.monotonic() - before
        results.append((name, len(table), scored))
    if on_progress:
        on_progress(1.0, "done")

    rows = [_row(name, [r for r in results if r[0] == name]) for name in dict.fromkeys(r[0] for r in results)]
    if raw_validity is not None:
        rows[0].scores["raw_validity"] = float(raw_validity)
    first = results[0][2]
    details: dict[str, Any] = {}
    for result in first:
        details |= result.details
    details["columns_by_row"] = {name: _columns(scored) for name, _, scored in reversed(results)}
    if "dcr" in details:
        details["dcr"]["closest"] = _side_by_side(details["dcr"]["closest"], tables[0][1], bench)
    notes = [note for _, _, scored in results[: len(sets)] for result in scored for note in result.notes]
    notes += [f"Schema: {note}" for note in schema.notes]
    if max(len(bench.train), *(len(table) for _, table in tables)) > max_rows:
        notes.append(f"Detectors and distances use seeded subsamples of at most {max_rows} rows of a table.")
    if references:
        notes.append(HOLDOUT_NOTE)
    settings = {
        "data": data_name,
        "rows": {
            "train": len(real),
            "validation": 0 if validation is None else len(validation),
            "test": len(test),
            "synthetic": [len(frame) for frame in sets],
        },
        "columns": len(bench.codec.names),
        "target": bench.target,
        "log_clip": log_clip,
        "seed": seed,
        "max_rows": max_rows,
        "versions": versions(),
        "machine": machine(),
        "seconds": {name: round(value, 2) for name, value in clock.items()},
        "seconds_total": round(time.monotonic() - started, 2),
    }
    figures = [figure for metric in chosen for figure in metric.figures(bench)]
    return Report(
        rows=rows,
        figures=figures,
        latent=None if latent is None else dict(latent),
        details=details,
        settings=settings,
        notes=list(dict.fromkeys(notes)),
    )


def shuffled(bench: Bench) -> Encoded:
    """The training rows with each column shuffled on its own: right columns, no relation between them."""
    rng = bench.rng(5)
    frame = bench.train.frame
    columns = {str(name): frame[name].iloc[rng.permutation(len(frame))].array for name in frame.columns}
    return bench.encode(pd.DataFrame(columns))


def _score(metric: Metric, bench: Bench, table: Encoded, row: str) -> Result:
    """Score one table; the holdout and the copy need care where they meet themselves."""
    if row == "holdout" and metric.trains:
        return Result({figure.name: None for figure in metric.figures(bench)})
    if row == "holdout" and metric.private:
        if len(table) < 4:
            return Result({figure.name: None for figure in metric.figures(bench)})
        if "halved" not in bench.cache:
            bench.cache["halved"] = bench.halved()
        halved, half = bench.cache["halved"]
        return metric.compute(halved, half)
    if row == "copy" and metric.trains and bench.borrowed is not None and len(table) > 1:
        rest = np.setdiff1d(np.arange(len(table)), bench.borrowed)
        return metric.compute(bench, table.take(rest))
    return metric.compute(bench, table)


def _row(name: str, results: list[tuple[str, int, list[Result]]]) -> ScoreRow:
    """One score row; over several generated sets mean and standard deviation (n - 1)."""
    merged = [{k: v for result in scored for k, v in result.scores.items()} for _, _, scored in results]
    scores: dict[str, float | None] = {}
    spread: dict[str, float] = {}
    for key in merged[0]:
        values = [value for one in merged if (value := one[key]) is not None]
        scores[key] = float(np.mean(values)) if len(values) == len(merged) else None
        if len(values) == len(merged) > 1:
            spread[key] = float(np.std(values, ddof=1))
    return ScoreRow(name, results[0][1], scores, spread, sets=len(results))


def _columns(scored: list[Result]) -> dict[str, float]:
    """Shape error % of each column."""
    return {c["name"]: c["error"] for result in scored for c in result.details.get("columns", [])}


def _side_by_side(closest: list[dict[str, Any]], synthetic: Encoded, bench: Bench) -> list[dict[str, Any]]:
    """Pairs of row numbers as pairs of rows, written as in the original table."""
    names = [name for name in bench.schema.names if name in bench.codec.names]
    rows = {}
    for side, table in (("synthetic", synthetic), ("real", bench.train)):
        picked = table.frame.iloc[[pair[side] for pair in closest]]
        rows[side] = bench.schema.restore(picked)[names].astype(object)
    return [
        {
            "distance": pair["distance"],
            **{side: {n: _cell(rows[side][n].iloc[i]) for n in names} for side in rows},
        }
        for i, pair in enumerate(closest)
    ]


def _cell(value: Any) -> Any:
    if pd.isna(value):
        return None
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    return float(value) if isinstance(value, float | np.floating) else str(value)
