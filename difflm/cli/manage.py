"""`difflm runs` and `difflm export`."""

from __future__ import annotations

import argparse
import json
import sys
import time
from dataclasses import asdict
from pathlib import Path

from difflm.cli.sample import load_model
from difflm.errors import DiffLMError, NotBuiltError, RunError
from difflm.runs import Run, runs_root


def add_runs(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm runs`."""
    parser.add_argument("--root", type=Path, help="folder of runs (default: DIFFLM_RUNS, or ./runs)")
    parser.add_argument("--json", action="store_true", help="one JSON object a line")


def add_export(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm export`."""
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--out", type=Path, metavar="DIR", help="new folder for weights, settings and schema")
    parser.add_argument("--hub", metavar="REPO", help="a model repository (comes later)")


def runs(options: argparse.Namespace) -> None:
    """Print a line a run; a folder that is no readable run is named on stderr."""
    root = options.root if options.root is not None else runs_root()
    if options.root is not None and not root.is_dir():
        raise RunError("a folder of runs", str(root), "check the name in --root")
    found, broken = readable(root)
    for text in broken:
        print(f"difflm: {text}", file=sys.stderr)
    if options.json:
        for run in found:
            print(json.dumps({"name": run.name, "path": str(run.path), **asdict(run.status)}))
        return
    if not found:
        print(f"no runs in {root}; make one with `difflm fit DATA --run {root.name}/NAME`")
        return
    width = max(len(run.name) for run in found)
    for run in found:
        status = run.status
        when = time.strftime("%Y-%m-%d %H:%M", time.localtime(status.updated))
        line = f"{run.name:<{width}}  {status.state:<8}  {status.progress:4.0%}  {when}  {status.message}"
        print(line.rstrip())


def readable(root: Path) -> tuple[list[Run], list[str]]:
    """Runs below `root`, and what is wrong with those that cannot be read."""
    found, broken = [], []
    folders = sorted(root.iterdir()) if root.is_dir() else []
    for folder in folders:
        if not any((folder / name).exists() for name in ("status.json", "config.json")):
            continue
        try:
            run = Run.open(folder)
            _ = run.status
            found.append(run)
        except DiffLMError as error:
            broken.append(str(error))
    return found, broken


def export(options: argparse.Namespace) -> None:
    """Save the model alone in a new folder."""
    if options.hub:
        raise NotBuiltError(
            "export to a folder with --out", f"--hub {options.hub}", "upload the folder yourself"
        )
    if options.out is None:
        raise RunError("--out DIR after `difflm export RUN`", "nothing", "name a new folder")
    if options.out.exists() and (not options.out.is_dir() or any(options.out.iterdir())):
        raise RunError(f"a new folder {options.out}", "one with files in it", "choose another name")
    load_model(options.run).save_pretrained(options.out)
    print(options.out)
