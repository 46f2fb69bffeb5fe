"""All commands in one parser, and what becomes of their errors: exit code 2 and one line on stderr."""

from __future__ import annotations

import errno
import os
import signal
import sys
import tempfile
import threading
import traceback
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import difflm
from difflm.cli import (
    ablate,
    benchmark,
    continued,
    evaluate,
    fit,
    fit_options,
    latents,
    manage,
    pretrain,
    sample,
    share,
)
from difflm.cli.parser import Parser
from difflm.disk import explained
from difflm.errors import DiffLMError, RunError
from difflm.ranks import first

OUT_OF_MEMORY = ("can't allocate memory", "out of memory", "OutOfMemoryError")


def build() -> Parser:
    """The parser of every command; each names the function that runs it in `call`."""
    parser = Parser(prog="difflm", description="Synthetic tables by a latent language model")
    parser.add_argument("--version", action="version", version=f"difflm {difflm.__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)

    def command(name: str, call: Callable[..., None], text: str) -> Parser:
        made = commands.add_parser(name, help=text, description=text)
        made.set_defaults(call=call)
        return made

    fit_options.add_options(command("fit", fit.fit, "train a model on a table"))
    resume = command("resume", fit.resume, "go on with a run that stopped or failed")
    resume.add_argument("run", metavar="RUN")
    resume.add_argument("--background", action="store_true", help="in a process of its own")
    stop = command("stop", fit.stop, "ask a run to stop and save")
    stop.add_argument("run", metavar="RUN")
    stop.add_argument("--kill", action="store_true", help="end it at once")
    sample.add_options(command("sample", sample.sample, "generate rows"))
    evaluate.add_options(command("evaluate", evaluate.evaluate, "score synthetic rows against real ones"))
    benchmark.add_options(command("benchmark", benchmark.benchmark, "compare with other models"))
    ablate.add_options(command("ablate", ablate.ablate, "change one setting at a time, over several seeds"))
    latents.add_encode(command("encode", latents.encode, "latents of rows"))
    latents.add_decode(command("decode", latents.decode, "rows of latents"))
    latents.add_interpolate(command("interpolate", latents.interpolate, "rows between two rows"))
    latents.add_project(command("project", latents.project, "two-dimensional map of a run's latents"))
    pretrain.add_options(command("pretrain", pretrain.pretrain, "make a base language model"))
    downstream = command(
        "continue-pretrain", continued.continue_pretrain, "continue a language model on documents"
    )
    continued.add_options(downstream)
    share.add_options(command("share", share.share, "a page of a run that opens without a server"))
    manage.add_runs(command("runs", manage.runs, "list the runs and what they are doing"))
    manage.add_export(command("export", manage.export, "copy a trained model without its training rows"))
    return parser


def execute(arguments: Sequence[str]) -> int:
    """Run one command; 0, or 2 after one line on stderr."""
    run: str | None = None
    try:
        options = build().parse_args(list(arguments))
        options.arguments = list(arguments)
        run = getattr(options, "run", None)
        with _tidy_end():
            options.call(options)
        sys.stdout.flush()
    except SystemExit as leaving:
        return int(leaving.code or 0)
    except DiffLMError as error:
        return _say(str(error))
    except KeyboardInterrupt:
        return _say("interrupted")
    except BrokenPipeError:
        # The reader has gone, as in `difflm runs | head`; nothing more may be flushed to it.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:
        place = Path(str(error.filename)) if error.filename else Path(run or ".")
        if error.errno == errno.ENOENT:
            return _say(f"expected a file or folder {place}, but got none; check the name")
        return _say(str(explained(error, place)))
    except Exception as error:
        if not first():
            # Mostly because rank 0 has ended, which has said why.
            what = f"{type(error).__name__}: {error}".splitlines()[0]
            return _say(f"process {os.environ['RANK']} ends with {what}")
        if isinstance(error, MemoryError) or any(text in repr(error) for text in OUT_OF_MEMORY):
            return _say(
                "expected enough memory, but got too little; lower --set vae.batch_size, or take fewer rows"
            )
        what = f"{type(error).__name__}: {error}".splitlines()[0]
        return _say(f"expected no error of the program itself, but got {what}; see {_keep_traceback(run)}")
    return 0


@contextmanager
def _tidy_end() -> Iterator[None]:
    """SIGTERM is what Ctrl-C is: half-written files go, and so do processes that a command has started."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def interrupt(*_: Any) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _say(text: str) -> int:
    print("difflm: " + " ".join(text.split()), file=sys.stderr)
    return 2


def _keep_traceback(run: str | None) -> Path:
    """Where the traceback is now: the run's log, or a file of its own."""
    text = traceback.format_exc()
    try:
        if run is None:
            raise RunError("a run", "none")
        found = fit.find_run(run)
        found.log(text)
        return found.path / "log.txt"
    except (DiffLMError, OSError):
        handle, name = tempfile.mkstemp(prefix="difflm-", suffix=".txt")
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(text)
        return Path(name)
