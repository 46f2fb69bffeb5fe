"""`difflm pretrain`: a base language model from what is at hand, and a look at what that is."""

from __future__ import annotations

import argparse
import os
import shlex
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, Any

from difflm.cli.progress import line_of
from difflm.disk import cache_folder
from difflm.errors import ConfigError

if TYPE_CHECKING:
    from difflm.pretrain.train import Request


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm pretrain`."""
    add = parser.add_argument
    add(
        "--out", type=Path, required=True, metavar="DIR", help="the checkpoint, such as checkpoints/base-tiny"
    )
    add("--size", default="tiny", choices=["tiny", "small"], help="tiny: 5 M weights; small: 28 M, for a GPU")
    add("--time-limit", type=float, metavar="MIN", help="of the training; the corpus comes before")
    add("--tokens", type=int, metavar="N", help="tokens to train on (default: 40 M tiny, 300 M small)")
    add("--batch", type=int, metavar="N", help="sequences a step (default: 16 tiny, 128 small)")
    add("--seed", type=int, default=0, metavar="N", help="of corpus, weights and order")
    add("--work", type=Path, metavar="DIR", help="corpus and state (default: in the user's cache folder)")
    add("--resume", action="store_true", help="go on with the training in the work folder")
    add("--workers", type=int, default=1, metavar="N", help="processes that read and make documents")
    add("--compile", action="store_true", help="compile the model first (a minute): for trainings on a GPU")
    add("--dry-run", action="store_true", help="build the corpus, list sources and sizes, train nothing")


def pretrain(options: argparse.Namespace) -> None:
    """Train, or with --dry-run tell what there is to train on."""
    request = _request(options)
    from difflm.pretrain.train import prepare
    from difflm.pretrain.train import pretrain as run

    if options.dry_run:
        print("\n".join(listing(prepare(request, _say).manifest)))
        return
    printed: dict[str, float] = {}

    def tell(row: dict[str, Any]) -> None:
        if line := line_of(row, printed):
            _say(line)

    with stopping() as should_stop:
        finished = run(request, _say, tell, should_stop)
    if not finished:
        _say("stopped; the checkpoint has the weights so far, --resume goes on")


def listing(manifest: dict[str, Any]) -> list[str]:
    """Sources and sizes in lines."""
    lines = ["kind        documents        tokens      held out  characters/token"]
    for kind, told in manifest["kinds"].items():
        if told:
            rate = told["characters"] / told["tokens"]
            numbers = f"{told['documents']:>12,} {told['tokens']:>13,} {told['held_tokens']:>13,}"
            lines.append(f"{kind:<8} {numbers} {rate:>17.2f}")
    total = sum(told.get("tokens", 0) for told in manifest["kinds"].values())
    lines += [f"{total:,} tokens, built in {manifest['seconds']:.0f} s", ""]
    for source in manifest["sources"]:
        size = f"{source['documents']:>8,} documents {source['characters']:>12,} characters"
        lines.append(f"{size}  {source['name']} {source['version']} ({source['licence']})")
    lines += ["", "not read for their licence:"]
    lines += [f"  {told['name']} {told['version']} ({told['licence']})" for told in manifest["refused"]]
    return lines


@contextmanager
def stopping() -> Iterator[Callable[[], bool]]:
    """Whether a first Ctrl-C or SIGTERM asked for a stop; the second one ends it at once."""
    asked = threading.Event()

    def on_signal(number: int, frame: FrameType | None) -> None:
        if asked.is_set():
            raise KeyboardInterrupt
        asked.set()
        _say("stopping after this step and saving; once more to end at once")

    before: dict[int, Any] = {n: signal.signal(n, on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield asked.is_set
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _request(options: argparse.Namespace) -> Request:
    for name in ("time_limit", "tokens", "batch", "workers"):
        number = getattr(options, name)
        if number is not None and not number > 0:
            raise ConfigError(f"more than 0 for --{name.replace('_', '-')}", f"{number:g}")
    if options.seed < 0:
        raise ConfigError("0 or more for --seed", str(options.seed))
    from difflm.pretrain.sizes import size_named
    from difflm.pretrain.train import Request

    out, size = options.out.expanduser().absolute(), size_named(options.size)
    work = options.work or cache_folder() / "pretrain" / out.name
    return Request(
        size=replace(size, batch=options.batch or size.batch),
        out=out,
        work=work.expanduser().absolute(),
        seed=options.seed,
        seconds=None if options.time_limit is None else 60 * options.time_limit,
        tokens=options.tokens,
        resume=options.resume,
        compiled=options.compile,
        workers=min(options.workers, os.cpu_count() or 1),
        command=shlex.join(["difflm", *options.arguments]),
    )


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
