"""`difflm ablate`: what each default is worth, one change at a time"""

from __future__ import annotations

import argparse
import shlex
import sys
from pathlib import Path

from difflm.cli.fit_options import pairs
from difflm.cli.parser import add_log_clip
from difflm.config import PRESETS
from difflm.errors import ConfigError


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm ablate`."""
    add = parser.add_argument
    add("--data", required=True, metavar="DATA", help="what `difflm fit` takes: a file or a built-in name")
    add("--axis", required=True, metavar="NAMES", help="with commas, or all")
    add("--seeds", default="0,1,2", metavar="N,N", help="every variant is made once with each")
    add("--passes", type=float, default=12.0, metavar="P", help="passes over the rows (default 12)")
    add("--rows", type=int, metavar="N", help="training rows, a seeded choice; fewer to validate with too")
    add("--preset", default="standard", help=f"what is changed: {', '.join(PRESETS)}")
    add("--set", action="append", default=[], metavar="key=value", help="any other setting, for all variants")
    add("--decoder", metavar="NAME_OR_PATH", help="a causal LM as the decoder of all variants")
    add("--target", metavar="COL", help="column that evaluation predicts")
    add("--metrics", default="shape,trend,c2st,dcr", metavar="NAMES", help="of tables; mle takes longest")
    add_log_clip(parser)
    add("--out", type=Path, default=Path("ablation"), metavar="DIR", help="results; finished cells are kept")


def ablate(options: argparse.Namespace) -> None:
    """Run what is missing, write the page, print the tables."""
    from difflm.ablation.axes import AXES, chosen
    from difflm.ablation.cells import Settings
    from difflm.ablation.runner import ablate as run
    from difflm.benchmark.settings import parse_seeds
    from difflm.metrics import resolve

    if not options.passes > 0:
        raise ConfigError("more than 0 for --passes", f"{options.passes:g}")
    if options.rows is not None and options.rows < 10:
        raise ConfigError("at least 10 for --rows", str(options.rows), "fewer leave nothing to learn from")
    changes = pairs(options.set)
    if options.decoder:
        changes |= {"decoder.kind": "causal_lm", "decoder.path": options.decoder, "encoder.kind": "tokens"}
    metrics = tuple(part.strip() for part in options.metrics.split(",") if part.strip())
    for name in metrics:
        resolve(name)
    tables = run(
        options.data,
        AXES if options.axis == "all" else chosen(options.axis),
        parse_seeds(options.seeds),
        Settings(
            preset=options.preset,
            passes=options.passes,
            changes=changes,
            metrics=metrics,
            log_clip=options.log_clip,
        ),
        options.out,
        shlex.join(["difflm", *options.arguments]),
        lambda text: print(text, file=sys.stderr, flush=True),
        options.target,
        options.rows,
    )
    print("\n\n".join(table.markdown() for table in tables))
    print(f"page: {options.out / 'ablation.html'}", file=sys.stderr)
