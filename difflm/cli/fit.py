"""`difflm fit`, `resume` and `stop`: training in this process, in all those of a launch, or in one of its own.

Of several processes rank 0 has the run: its lock, its status, its signals. The others train along.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

from difflm import jobs
from difflm.cli.fit_options import FitRequest, request_of
from difflm.cli.progress import following
from difflm.columns import Kind
from difflm.errors import ConfigError, DataError, DiffLMError, RunError, SchemaError
from difflm.ranks import first, launched, leave
from difflm.runs import Run, runs_root

T = TypeVar("T")
USER_ERRORS = (ConfigError, DataError, SchemaError)


def find_run(text: str) -> Run:
    """The run at a path, or of that name in the folder of all runs."""
    named = runs_root() / text
    if not Path(text).exists() and named.resolve().parent == runs_root().resolve() and named.exists():
        return Run.open(named)
    return Run.open(text)


def fit(options: argparse.Namespace) -> None:
    """Train; a stop by signal or by `difflm stop` leaves a usable model."""
    _refuse_many(options.background)
    if options.from_run:
        run = Run.open(options.run)
        return train(run, FitRequest.of_run(run))
    request = request_of(options, options.arguments[1:])
    if options.background:
        run = jobs.start_request(request)
        print(run.path)
        return None
    if not first():
        return _help(request)
    run, is_new = _begin(lambda: _run_for(request))
    try:
        train(run, request, clear=True)
    except USER_ERRORS:
        # What never began leaves nothing behind, so that the corrected command can take the same name.
        if is_new and not (run.path / "data" / "schema.json").exists():
            shutil.rmtree(run.path, ignore_errors=True)
        raise
    return None


def resume(options: argparse.Namespace) -> None:
    """Go on with a run that stopped or failed."""
    run = find_run(options.run)
    _refuse_many(options.background)
    if options.background:
        jobs.resume(run)
        print(run.path)
        return
    if not first():
        _help(FitRequest.of_run(run))
        return

    def resumable() -> FitRequest:
        if run.status.active:
            raise RunError(f"a run {run.name} that stopped or failed", f"one that is {run.status.state}")
        return jobs.make_resumable(run)

    train(run, _begin(resumable))


def stop(options: argparse.Namespace) -> None:
    """Ask a run to stop after its current step, or with --kill end it at once."""
    run = find_run(options.run)
    jobs.kill(run) if options.kill else jobs.stop(run)


def train(run: Run, request: FitRequest, clear: bool = False) -> None:
    """Wait for the turn of `run`, train it in this process, and say where it is."""
    with run.lock(), stopping_by_signal(run), _telling_failures(run):
        if clear:
            run.clear_stop()
        try:
            with jobs.turn(run), following(run):
                run.write_status(state="running", stage="start", message="loading")
                _call_facade(run.path, request, run.stop_requested)
        except jobs.StoppedWaiting:
            run.write_status(state="stopped", message="stopped before its turn came")
    status = run.status
    print(f"{status.state}: {run.path}{f' ({status.message})' if status.message else ''}", file=sys.stderr)
    leave()


def _refuse_many(background: bool) -> None:
    if background and launched() > 1:
        raise ConfigError("--background in one process", f"{launched()} processes", "leave --background out")


def _begin(make: Callable[[], T]) -> T:
    """What `make` gives, on rank 0. Other ranks are waited for, and told when it raises an error."""
    if launched() == 1:
        return make()
    from difflm.ranks import Ranks

    made: list[T] = []
    Ranks().decided(lambda: made.append(make()))
    return made[0]


def _help(request: FitRequest) -> None:
    """Train beside rank 0; it alone is asked to stop, and says so to all."""
    with _ignoring_signals():
        from difflm.ranks import Ranks

        Ranks().decided(lambda: None)
        _call_facade(Path(request.run), request, lambda: False)
    leave()


def _call_facade(run: Path, request: FitRequest, should_stop: Callable[[], bool]) -> None:
    from difflm.pipeline import DiffLM

    config = request.config
    DiffLM.fit(
        request.data,
        run=run,
        target=config.target,
        validation=request.validation,
        kinds={name: Kind(kind) for name, kind in request.kinds.items()},
        preset=config.preset,
        seed=config.seed,
        overrides=request.overrides(),
        time_limit=config.time_limit,
        should_stop=should_stop,
    )


def _run_for(request: FitRequest) -> tuple[Run, bool]:
    """The run to train in and whether it is new. An unfinished one with other settings is refused."""
    path = Path(request.run).expanduser()
    if request.on_existing == "reset" or not (path / "config.json").exists():
        is_new = not path.exists()
        return Run.create(path, request.stored(), on_existing=request.on_existing), is_new
    run = Run.open(path)
    if run.status.active:
        raise RunError(f"a free run {run.name}", f"one that is {run.status.state}", "wait for it, or stop it")
    if run.status.state == "done":
        raise RunError(
            "a new or unfinished run",
            f"the finished run {run.name}",
            "choose another --run, or add --on-existing reset",
        )
    if FitRequest.of_run(run).config != request.config:
        raise RunError(
            f"the settings that the run {run.name} began with",
            "other settings",
            "use `difflm resume`, choose another --run, or add --on-existing reset",
        )
    run.write_status(state="queued", message="")
    return run, False


@contextmanager
def stopping_by_signal(run: Run) -> Iterator[None]:
    """The first Ctrl-C or SIGTERM asks the run to stop, the second one ends it at once."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def on_signal(number: int, frame: FrameType | None) -> None:
        if run.stop_requested():
            raise KeyboardInterrupt
        run.request_stop()
        print("stopping after this step and saving; once more to end at once", file=sys.stderr)

    with _handling(on_signal):
        yield


@contextmanager
def _ignoring_signals() -> Iterator[None]:
    """A launcher hands a signal to all of its processes; a second one ends this one as well."""
    asked: list[int] = []

    def on_signal(number: int, frame: FrameType | None) -> None:
        if asked:
            raise KeyboardInterrupt
        asked.append(number)

    with _handling(on_signal):
        yield


@contextmanager
def _handling(on_signal: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    before: dict[int, Any] = {n: signal.signal(n, on_signal) for n in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _telling_failures(run: Run) -> Iterator[None]:
    """Whatever ends the training early is in the run's status."""
    try:
        yield
    except BaseException as error:
        known = isinstance(error, DiffLMError | KeyboardInterrupt)
        text = str(error) or type(error).__name__
        with suppress(DiffLMError):
            if run.status.active:
                told = text if known else f"{type(error).__name__}: {text}"
                run.write_status(state="failed", error=told, message=told)
        raise
