"""`difflm benchmark`: difflm and its peers side by side on the same rows"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from pathlib import Path

from difflm.cli.fit_options import pairs
from difflm.cli.parser import add_log_clip
from difflm.config import PRESETS, Config
from difflm.errors import ConfigError

DEFAULT_MODELS = "difflm,tabularargn,tvae,ctgan,great,smote,copula,independent"


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm benchmark`."""
    add = parser.add_argument
    add("data", nargs="+", metavar="DATA", help="what `difflm fit` takes: files or built-in names")
    add("--models", default=DEFAULT_MODELS, metavar="NAMES", help=f"with commas (default: {DEFAULT_MODELS})")
    add("--preset", default="standard", help=f"of difflm: {', '.join(PRESETS)}")
    add("--set", action="append", default=[], metavar="key=value", help="any other setting of difflm")
    add("--time-limit", type=float, metavar="MIN", help="for each training (default: the preset's)")
    add("--seeds", default="0", metavar="N,N", help="each model is trained once with each")
    add("--sets", type=int, default=1, metavar="K", help="sets that each trained model generates")
    add("--rows", type=int, metavar="N", help="training rows, a seeded choice; fewer to validate with too")
    add("--threads", type=int, metavar="T", help="threads of every model (default: all cores)")
    add("--target", metavar="COL", help="column that evaluation predicts")
    add_log_clip(parser)
    add("--great-model", metavar="PATH", help="base model of GReaT (or DIFFLM_GREAT_MODEL)")
    add("--out", type=Path, default=Path("benchmark"), metavar="DIR", help="results; finished cells are kept")


def benchmark(options: argparse.Namespace) -> None:
    """Run what is missing, write the page, print the table."""
    from difflm.benchmark.registry import chosen
    from difflm.benchmark.settings import Settings, parse_seeds
    from difflm.metrics.base import cores

    changes = pairs(options.set)
    limit = options.time_limit
    for name, number in (("time-limit", limit), ("sets", options.sets), ("threads", options.threads)):
        if number is not None and not number > 0:
            raise ConfigError(f"more than 0 for --{name}", f"{number:g}")
    if options.rows is not None and options.rows < 10:
        raise ConfigError("at least 10 for --rows", str(options.rows), "fewer leave nothing to learn from")
    settings = Settings(
        models=chosen(options.models),
        seeds=parse_seeds(options.seeds),
        preset=options.preset,
        time_limit=limit if limit is not None else Config.from_preset(options.preset, changes).time_limit,
        threads=options.threads or cores(),
        rows=options.rows,
        sets=options.sets,
        target=options.target,
        log_clip=options.log_clip,
        great_model=options.great_model or os.environ.get("DIFFLM_GREAT_MODEL"),
        changes=changes,
    )
    from difflm.benchmark.runner import benchmark as run

    comparisons = run(
        options.data,
        settings,
        options.out,
        shlex.join(["difflm", *options.arguments]),
        lambda text: print(text, file=sys.stderr, flush=True),
    )
    print("\n\n".join(comparison.text() for comparison in comparisons))
    print(f"page: {options.out / 'benchmark.html'}", file=sys.stderr)
