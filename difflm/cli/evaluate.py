"""`difflm evaluate`: synthetic rows against real ones, from files or from a whole run."""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difflm.cli.parser import add_log_clip
from difflm.cli.sample import load_model, read_frame
from difflm.data.builtin import log_scored
from difflm.disk import read_json, write_atomic
from difflm.errors import ConfigError, DataError, RunError
from difflm.runs import Run, runs_root

if TYPE_CHECKING:
    import pandas as pd

    from difflm.schema import Schema


MOST_ROWS, MOST_DOCUMENTS = 100_000, 500
"""What a run writes of each set where --rows says nothing: as many as it was trained on, up to this."""


@dataclass(kw_only=True)
class Inputs:
    """The frames to score and what is known beside them; `extra` goes to `evaluate` as it is."""

    real: pd.DataFrame
    synthetic: list[pd.DataFrame]
    test: pd.DataFrame
    validation: pd.DataFrame | None
    target: str | None
    schema: Schema | None = None
    log_scored: bool = False
    extra: dict[str, Any] = field(default_factory=dict)


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm evaluate`."""
    add = parser.add_argument
    add("--real", required=True, metavar="TRAIN", help="rows trained on: a file, or a run directory")
    add(
        "--synthetic", nargs="+", default=[], metavar="FILE", help="one or several sets (a run makes its own)"
    )
    add("--test", metavar="TEST", help="real rows never trained on (a run has its own)")
    add("--val", metavar="FILE", help="real rows that choose the settings of the MLE model")
    add("--target", metavar="COL", help="column that the MLE model predicts")
    add("--sets", type=int, default=1, metavar="K", help="sets that a run generates")
    add(
        "--rows",
        type=int,
        metavar="N",
        help="of each set that a run makes (default: as many as it was trained on, at most "
        f"{MOST_ROWS:,}, or {MOST_DOCUMENTS} documents)",
    )
    add("--seed", type=int, default=0)
    add_log_clip(parser)
    add("--no-references", action="store_true", help="leave out the reference rows")
    add("--out", type=Path, metavar="report.html", help="one page for people")
    add("--json", type=Path, metavar="FILE", help="the same for programs")


def evaluate(options: argparse.Namespace) -> None:
    """Score, print the table, write the reports."""
    if options.sets < 1:
        raise ConfigError("at least 1 for --sets", str(options.sets))
    if options.rows is not None and options.rows < 1:
        raise ConfigError("at least 1 for --rows", str(options.rows))
    run = run_of(options.real)
    _check_files(options, run)
    inputs = _from_files(options) if run is None else _from_run(run, options)
    from difflm.evaluation import evaluate as score

    report = score(
        inputs.real,
        inputs.synthetic,
        inputs.test,
        schema=inputs.schema,
        target=inputs.target,
        validation=inputs.validation,
        seed=options.seed,
        references=not options.no_references,
        log_clip=options.log_clip or inputs.log_scored,
        data_name=run.name if run else Path(options.real).stem,
        on_progress=lambda share, text: print(f"{share:4.0%} {text}", file=sys.stderr, flush=True),
        **inputs.extra,
    )
    if options.json:
        write_atomic(options.json, report.to_json().encode())
    if options.out:
        write_atomic(options.out, report.to_html().encode())
    print(report.summary())


def run_of(text: str) -> Run | None:
    """The run that --real names, None when it names a file."""
    for place in (Path(text), runs_root() / text):
        if place.is_dir():
            return Run.open(place)
    return None


def _check_files(options: argparse.Namespace, run: Run | None) -> None:
    if run is not None:
        return
    if not options.synthetic:
        raise ConfigError("--synthetic FILE beside --real FILE", "nothing", "name the rows to score")
    if not options.test:
        raise ConfigError("--test FILE beside --real FILE", "nothing", "name real rows not trained on")


def _from_files(options: argparse.Namespace) -> Inputs:
    return Inputs(
        real=read_frame(options.real),
        synthetic=[read_frame(path) for path in options.synthetic],
        test=read_frame(options.test),
        validation=read_frame(options.val) if options.val else None,
        target=options.target,
    )


def _from_run(run: Run, options: argparse.Namespace) -> Inputs:
    """The run's own split; what its model generates, decodes from real rows, and writes without a latent."""
    from difflm.latent_use import latent_use

    parts = {name: run.path / "data" / f"{name}.parquet" for name in ("train", "validation", "test")}
    missing = [path.name for path in parts.values() if not path.exists()]
    if missing:
        raise RunError(f"the split of {run.name} in its data folder", f"no {missing[0]}", "train it again")
    real, validation, held = (read_frame(path) for path in parts.values())
    test = read_frame(options.test) if options.test else held
    if not len(test):
        raise DataError("rows to test on", "none", "name some with --test")
    model = load_model(str(run.path))
    extra: dict[str, Any] = {"latent": latent_use(model, test)}
    most = MOST_ROWS if model.schema.record == "table" else MOST_DOCUMENTS
    count = options.rows or min(len(real), most)
    if options.synthetic:
        synthetic = [read_frame(path) for path in options.synthetic]
    else:
        print("generating rows", file=sys.stderr, flush=True)
        synthetic = [model.sample(count, seed=options.seed + k) for k in range(options.sets)]
        tallies = [frame.attrs.get("generation", {}) for frame in synthetic]
        attempts = sum(int(tally.get("attempts", 0)) for tally in tallies)
        if attempts:
            extra["raw_validity"] = sum(int(tally["valid"]) for tally in tallies) / attempts
    for frame in synthetic:
        frame.attrs = {}
    print("decoding encoded rows", file=sys.stderr, flush=True)
    chosen = real if count >= len(real) else real.sample(count, random_state=options.seed)
    extra["posterior"] = model.posterior_rows(chosen, seed=options.seed).dropna(how="all")
    extra["decoder_alone"] = model.decoder_alone(count, seed=options.seed)
    for name in ("posterior", "decoder_alone"):
        extra[name].attrs = {}
    target = options.target or run.config.get("target") or model.schema.target
    return Inputs(
        real=real,
        synthetic=synthetic,
        test=test,
        validation=validation,
        target=target,
        schema=model.schema,
        log_scored=log_scored(str(_card(run).get("name")), target),
        extra=extra,
    )


def _card(run: Run) -> dict[str, Any]:
    """What the run knows of its data set; nothing where it has only rows."""
    path = run.path / "data" / "card.json"
    return read_json(path) if path.exists() else {}
