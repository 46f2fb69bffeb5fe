"""`difflm share`: a run as a page that opens from disk, for people who have nothing installed"""

from __future__ import annotations

import argparse
from pathlib import Path

from difflm.errors import ConfigError, RunError


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm share`."""
    add = parser.add_argument
    add("run", metavar="RUN")
    add(
        "--out",
        type=Path,
        required=True,
        metavar="DIR",
        help="folder of the page; an earlier page is replaced",
    )
    add("--points", type=int, default=3000, metavar="N", help="most points on the map")
    add("--anchors", type=int, default=8, metavar="K", help="records that can be walked between")
    add("--steps", type=int, default=9, metavar="N", help="records on each way, ends included")
    add("--real-rows", action="store_true", help="put real records into the page, not only their places")
    add("--seed", type=int, default=0)


def share(options: argparse.Namespace) -> None:
    """Write the page and say where it is."""
    from difflm.cli.fit import find_run
    from difflm.sharing.static_page import Choice, write_page

    for name, least in (("points", 10), ("anchors", 2), ("steps", 3)):
        if getattr(options, name) < least:
            raise ConfigError(f"at least {least} for --{name}", str(getattr(options, name)))
    folder: Path = options.out
    if folder.exists() and (not folder.is_dir() or _foreign(folder)):
        raise RunError(
            f"a new folder {folder}, or one with an earlier page", "one with other files", "choose another"
        )
    choice = Choice(
        points=options.points,
        anchors=options.anchors,
        steps=options.steps,
        real_rows=options.real_rows,
        seed=options.seed,
    )
    print(write_page(find_run(options.run), folder, choice))


def _foreign(folder: Path) -> bool:
    return any(file.name not in ("index.html", "plotly.min.js") for file in folder.iterdir())
