"""`difflm share`: a run as a page that opens from disk, as a model, as rows, or as a Space of the whole app"""

from __future__ import annotations

import argparse
import tempfile
from contextlib import ExitStack
from pathlib import Path

from difflm.errors import ConfigError, RunError

OWN = {
    "page": ("index.html", "plotly.min.js", "README.md"),
    "rows": ("rows.csv", "rows.parquet", "rows.jsonl", "README.md"),
    "model": ("README.md", "config.json", "data", "vae", "prior"),
}
"""What may be in a folder that is written again."""


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm share`."""
    add = parser.add_argument
    add("run", metavar="RUN")
    add("--what", choices=[*OWN, "space"], default="page", help="page (default)")
    add("--out", type=Path, metavar="DIR", help="folder to write; an earlier one of this kind is replaced")
    add("--push", metavar="OWNER/NAME", help="upload it to the Hub, with HF_TOKEN of the environment")
    add("--public", action="store_true", help="everybody may see what is pushed")
    add("--points", type=int, default=3000, metavar="N", help="page: most points on the map")
    add("--anchors", type=int, default=8, metavar="K", help="page: records that can be walked between")
    add("--steps", type=int, default=9, metavar="N", help="page: records on each way, ends included")
    add("--real-rows", action="store_true", help="page: put real records in, not only their places")
    add("--seed", type=int, default=0)


def share(options: argparse.Namespace) -> None:
    """Write the folder, say where it is, and push it where asked."""
    from difflm.cli.fit import find_run
    from difflm.sharing.bundle import write_shared
    from difflm.sharing.hub import push
    from difflm.sharing.static_page import Choice

    for name, least in (("points", 10), ("anchors", 2), ("steps", 3)):
        if getattr(options, name) < least:
            raise ConfigError(f"at least {least} for --{name}", str(getattr(options, name)))
    if options.out is None and options.push is None:
        raise ConfigError("--out DIR, --push OWNER/NAME, or both", "neither")
    run = find_run(options.run)
    with ExitStack() as stack:
        folder: Path = options.out or Path(stack.enter_context(tempfile.TemporaryDirectory())) / run.name
        _check(folder, options.what)
        choice = Choice(
            points=options.points,
            anchors=options.anchors,
            steps=options.steps,
            real_rows=options.real_rows,
            seed=options.seed,
        )
        write_shared(options.what, run, folder, choice)
        if options.out is not None:
            print(folder / "index.html" if options.what == "page" else folder)
        if options.push:
            print(push(folder, options.push, options.what, private=not options.public))


def _check(folder: Path, what: str) -> None:
    """Only what was written by an earlier call may be replaced; a Space checks for itself."""
    if what != "space" and folder.exists():
        if folder.is_dir() and all(file.name in OWN[what] for file in folder.iterdir()):
            return
        raise RunError(
            f"a new folder {folder}, or one with an earlier {what}", "one with other files", "choose another"
        )
