"""`difflm continue-pretrain`: what synthetic documents are worth to a language model that reads them."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any

from difflm.disk import write_json
from difflm.errors import ConfigError


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm continue-pretrain`."""
    add = parser.add_argument
    add("decoder", metavar="NAME_OR_PATH", help="the causal LM to continue, such as base-tiny")
    add("--real", required=True, metavar="DATA", help="real documents, or a run with its own split")
    add("--synthetic", metavar="FILE", help="documents of difflm sample (a run makes its own)")
    add("--holdout", metavar="DATA", help="real documents that no model has read (a run has its own)")
    add(
        "--format", default="auto", choices=["auto", "tool", "code", "text"], help="kind of document in files"
    )
    add("--seeds", default="0,1,2", metavar="N,N", help="each condition is trained once with each")
    add("--steps", type=int, default=200, metavar="N")
    add("--batch-size", type=int, default=16, metavar="N")
    add("--lr", type=float, default=3e-4)
    add("--longest", type=int, default=512, metavar="TOKENS", help="what is beyond is not read")
    add("--json", type=Path, metavar="FILE", help="all results, for programs")


def continue_pretrain(options: argparse.Namespace) -> None:
    """Continue, and print the table of held-out losses."""
    from difflm.benchmark.settings import parse_seeds
    from difflm.continued import Settings, continue_pretraining, summary

    for name in ("steps", "batch_size", "lr", "longest"):
        if not getattr(options, name) > 0:
            raise ConfigError(f"more than 0 for --{name.replace('_', '-')}", str(getattr(options, name)))
    real, synthetic, holdout = _documents(options)
    settings = Settings(
        steps=options.steps,
        batch_size=options.batch_size,
        lr=options.lr,
        longest=options.longest,
        seeds=parse_seeds(options.seeds),
    )

    def tell(row: dict[str, Any]) -> None:
        print(" ".join(f"{key} {value}" for key, value in row.items()), file=sys.stderr, flush=True)

    results = continue_pretraining(options.decoder, real, synthetic, holdout, settings, tell)
    rows = summary(results)
    if options.json:
        found = {"settings": vars(settings), "summary": rows, "results": [vars(one) for one in results]}
        write_json(options.json, {"decoder": options.decoder, **found})
    print(f"{'read':<10} {'documents':>10} {'held-out nats a character':>26} {'sd':>8}")
    for row in rows:
        spread = "-" if row["sd"] is None else f"{row['sd']:.4f}"
        print(f"{row['condition']:<10} {row['documents']:>10,} {row['loss']:>26.4f} {spread:>8}")


def _documents(options: argparse.Namespace) -> tuple[list[str], list[str], list[str]]:
    """Real, synthetic and held-out documents, from files or from a run."""
    from difflm.cli.evaluate import run_of
    from difflm.cli.sample import load_model
    from difflm.data import Dataset, read_documents

    run = run_of(options.real)
    if run is None:
        for name in ("synthetic", "holdout"):
            if getattr(options, name) is None:
                raise ConfigError(
                    f"--{name} beside --real FILE", "nothing", "name it, or give a run as --real"
                )
        frames = [
            read_documents(place, options.format)
            for place in (options.real, options.synthetic, options.holdout)
        ]
    else:
        data = Dataset.read(run.path / "data")
        if data.schema.record == "table":
            raise ConfigError("a run of code, tools or text", f"{run.name}, which learned a table")
        made = (
            read_documents(options.synthetic, data.schema.record)
            if options.synthetic
            else load_model(str(run.path)).sample(len(data.train))
        )
        held = read_documents(options.holdout, data.schema.record) if options.holdout else data.test
        frames = [data.train, made, held]
    real, synthetic, holdout = ([str(text) for text in frame.iloc[:, 0].dropna()] for frame in frames)
    return real, synthetic, holdout
