"""`difflm sample`: generated rows, streamed into a file, or as parts into a folder; by one process or by several."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difflm.cli.fit import find_run
from difflm.cli.where import parse_where
from difflm.cli.writers import check_ending, writing
from difflm.errors import ConfigError, DataError, GenerationError
from difflm.ranks import launched, leave

if TYPE_CHECKING:
    import pandas as pd

    from difflm.pipeline import DiffLM

CHUNK = 2048
"""Rows decoded at once with --like."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm sample`."""
    add = parser.add_argument
    add("run", metavar="RUN", help="run directory, or its name below the folder of runs")
    add("-n", "--number", type=int, required=True, metavar="N", help="rows to generate")
    add("--out", required=True, type=Path, metavar="FILE", help=".csv, .tsv, .parquet or .jsonl, or a folder")
    add("--seed", type=int, default=0)
    add("--where", action="append", default=[], metavar='"col = value"', help="also !=, <, <=, >, >=, in")
    add("--prior", help="diffusion, gmm, gaussian, or none for the decoder alone")
    add("--temperature", type=float, metavar="T", help="of the decoder; 0 is greedy")
    add("--apart", action="store_true", help="leave out rows nearer to a training row than unseen rows are")
    add("--like", type=Path, metavar="FILE", help="rows near the latents of the rows in FILE")


def sample(options: argparse.Namespace) -> None:
    """Generate and write; a file appears when it is whole, a folder grows by whole parts."""
    if options.number < 1:
        raise ConfigError("a number of rows of at least 1", str(options.number))
    into_folder = options.out.is_dir() or not options.out.suffix
    if not into_folder:
        check_ending(options.out)
    if options.like and (options.where or options.prior or options.temperature is not None or options.apart):
        told = "--where, --prior, --temperature or --apart beside it"
        raise ConfigError("--like alone", told, "leave one out")
    if options.like and (into_folder or launched() > 1):
        raise ConfigError("--like with one process and a file", "several, or a folder", "leave --like out")
    started = time.monotonic()
    model = load_model(options.run)
    if into_folder or launched() > 1:
        _by_parts(model, options, into_folder, started)
    else:
        _into_file(model, options, started)


def _into_file(model: DiffLM, options: argparse.Namespace, started: float) -> None:
    tally: dict[str, Any] = {}
    written = 0
    with writing(options.out) as writer:
        for chunk in _chunks(model, options):
            tally = chunk.attrs.pop("generation", tally)
            chunk.attrs = {}
            writer.write(chunk)
            written += len(chunk)
            print(f"{written}/{options.number} rows", file=sys.stderr, flush=True)
        if not written:
            raise GenerationError("some rows", "none", "loosen the conditions")
    print(f"{options.out}: {written} rows{_told(tally)}, {_rate(written, started)}", file=sys.stderr)


def _by_parts(model: DiffLM, options: argparse.Namespace, into_folder: bool, started: float) -> None:
    from difflm.ranks import Ranks
    from difflm.scale import manifest, sampling

    ranks = Ranks()
    asked = _asked(model, options)
    chunks = model.to(ranks.device).chunks(**asked, seed=options.seed)
    sampled = chunks.settings
    settings = {
        "fingerprint": manifest.fingerprint(_folder(options.run), asked["prior"] or model.config.prior.kind),
        "n": options.number,
        "seed": options.seed,
        **asked,
        **{name: getattr(sampled, name) for name in ("temperature", "noise", "batch_size")},
        "device": ranks.device.type,
    }
    hidden = options.out.with_name(f".{options.out.name}.parts")
    work = sampling.Work(
        model=model,
        chunks=chunks,
        n=options.number,
        seed=options.seed,
        folder=options.out if into_folder else hidden,
        ranks=ranks,
        digest=manifest.digest_of(settings),
        whole=not into_folder,
    )
    if into_folder:
        tally = sampling.sample_parts(work, settings, sampling.say_on_stderr)
    else:
        with writing(options.out) if ranks.main else nullcontext() as writer:
            write = writer.write if writer is not None else _nothing
            tally = sampling.sample_file(work, settings, write, sampling.say_on_stderr)
    if ranks.main:
        told = f"{options.out}: {options.number} rows{_told(tally.to_dict())}"
        print(f"{told}, {_rate(options.number, started)}", file=sys.stderr)
    leave()


def _asked(model: DiffLM, options: argparse.Namespace) -> dict[str, Any]:
    """What of the rows the command chose."""
    return {
        "where": parse_where(options.where, model.schema.names),
        "prior": options.prior,
        "temperature": options.temperature,
        "apart": options.apart,
    }


def _nothing(rows: pd.DataFrame) -> None:
    """What ranks beside the first one write."""


def _folder(text: str) -> Path:
    """Where the model of a run lies, or one that `difflm export` wrote."""
    folder = Path(text)
    exported = (folder / "config.json").exists() and not (folder / "status.json").exists()
    return folder if exported else find_run(text).path


def load_model(text: str) -> DiffLM:
    """The model of a run, or one that `difflm export` wrote."""
    from difflm.pipeline import DiffLM

    return DiffLM.from_pretrained(_folder(text))


def read_frame(source: str | Path) -> pd.DataFrame:
    """The rows of a file."""
    from difflm.data import read_table

    return read_table(Path(source))


def _chunks(model: DiffLM, options: argparse.Namespace) -> Iterator[pd.DataFrame]:
    if options.like:
        return _near(model, read_frame(options.like), options.number, options.seed)
    return model.stream(options.number, **_asked(model, options), seed=options.seed)


def _near(model: DiffLM, rows: pd.DataFrame, number: int, seed: int) -> Iterator[pd.DataFrame]:
    """The given rows in turn, encoded, noised as in generation and decoded at temperature."""
    if not len(rows):
        raise DataError("at least one row in --like", "none", "name a file with rows")
    for first in range(0, number, CHUNK):
        positions = [i % len(rows) for i in range(first, min(first + CHUNK, number))]
        wanted = rows.iloc[positions].reset_index(drop=True)
        yield model.posterior_rows(wanted, seed=seed + first // CHUNK).dropna(how="all")


def _told(tally: dict[str, Any]) -> str:
    attempts = int(tally.get("attempts") or 0)
    if not attempts:
        return ""
    rejected = ", ".join(
        f"{count} {reason}" for reason, count in (tally.get("rejected") or {}).items() if count
    )
    valid = int(tally.get("valid", 0)) / attempts
    return f", {valid:.1%} of {attempts} valid at the first try" + (
        f", not used: {rejected}" if rejected else ""
    )


def _rate(rows: int, started: float) -> str:
    return f"{rows / max(time.monotonic() - started, 1e-6):.0f} rows/s"
