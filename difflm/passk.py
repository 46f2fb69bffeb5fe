"""pass@k: the share of programming tasks that k generated programs solve, on HumanEval and MBPP.

Programs run in difflm.sandbox, and only with `allow_execution=True`. The app never imports this.
"""

from __future__ import annotations

import ast
import os
import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pandas as pd

from difflm.errors import ConfigError, DataError
from difflm.sandbox import STATUSES, Limits, Status, run_programs

STOPS = ("\nclass ", "\ndef ", "\n#", "\nif ", "\nprint(")
"""Where a completion of a HumanEval prompt has left its function (Chen et al. 2021, section 2.1)."""
RESAMPLES = 1_000
MBPP_SPLITS = ("prompt", "test", "validation", "train")


@dataclass(frozen=True)
class Task:
    """One programming task."""

    name: str
    prompt: str
    """What a model continues."""
    before: str
    """What comes before a candidate in its program: HumanEval's prompt, nothing for MBPP."""
    after: str
    """Set-up and tests, which raise where the candidate is wrong."""
    solution: str
    """The data set's own candidate."""

    def program(self, candidate: str) -> str:
        """Candidate and tests as one program that ends without an exception where the candidate is right."""
        return f"{self.before}{candidate}\n\n{self.after}\n"


@dataclass
class PassReport:
    """Figures of a set of tasks."""

    scores: dict[int, float]
    """pass@k by k, the mean over tasks."""
    intervals: dict[int, tuple[float, float]]
    """95 % by bootstrap over tasks."""
    tasks: dict[str, tuple[int, int]]
    """(candidates, right ones) by task."""
    statuses: dict[str, int]
    """How the programs ended."""
    protections: list[str]
    settings: dict[str, Any] = field(default_factory=dict)

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types; k as text."""
        return asdict(self) | {
            "scores": {str(k): value for k, value in self.scores.items()},
            "intervals": {str(k): list(value) for k, value in self.intervals.items()},
        }


def pass_at_k(candidates: int, right: int, k: int) -> float:
    """Chance that of k candidates drawn from n without replacement one is right; unbiased, in [0, 1].

    1 - C(n - c, k) / C(n, k) as the product of Chen et al. 2021 (arXiv 2107.03374, eq. 1 and figure 3), which
    does not overflow. ConfigError where k > n or counts make no sense.
    """
    if not (0 <= right <= candidates and 1 <= k <= candidates):
        raise ConfigError(
            "1 <= k <= candidates and 0 <= right <= candidates",
            f"k {k}, {candidates} candidates, {right} right",
            "generate at least k candidates a task",
        )
    if candidates - right < k:
        return 1.0
    return float(1.0 - np.prod(1.0 - k / np.arange(candidates - right + 1, candidates + 1)))


def load_humaneval(folder: Path | None = None) -> list[Task]:
    """HumanEval's 164 tasks from humaneval.parquet in `folder`, by default code/ of DIFFLM_DATA."""
    frame = _read("humaneval.parquet", folder, "task_id prompt entry_point canonical_solution test")
    return [
        Task(
            name=row["task_id"],
            prompt=row["prompt"],
            before=row["prompt"],
            after=f"{row['test']}\n\ncheck({row['entry_point']})",
            solution=row["canonical_solution"],
        )
        for row in frame.to_dict("records")
    ]


def load_mbpp(
    folder: Path | None = None, split: Literal["prompt", "test", "validation", "train"] = "test"
) -> list[Task]:
    """MBPP's tasks of one split from mbpp.parquet in `folder`, by default code/ of DIFFLM_DATA.

    The prompt is a docstring with the task and its tests, as in Austin et al. 2021 (arXiv 2108.07732).
    """
    frame = _read("mbpp.parquet", folder, "task_id split text code test_list test_setup_code")
    if split not in MBPP_SPLITS:
        raise ConfigError(f"a split of MBPP among {', '.join(MBPP_SPLITS)}", repr(split))
    tasks = []
    for row in frame[frame["split"] == split].to_dict("records"):
        tests = "\n".join(row["test_list"])
        tasks.append(
            Task(
                name=f"MBPP/{row['task_id']}",
                prompt=f'"""\n{row["text"].strip()}\n{tests}\n"""\n',
                before="",
                # The set-up of the two tasks that have one uses what the candidate defines.
                after=f"{row['test_setup_code']}\n{tests}",
                solution=row["code"],
            )
        )
    return tasks


def _read(name: str, folder: Path | None, columns: str) -> pd.DataFrame:
    root = os.environ.get("DIFFLM_DATA")
    place = folder if folder is not None else Path(root) / "code" if root else None
    if place is None or not (place / name).is_file():
        raise DataError(
            f"the file {name}",
            "none" if place is None else f"none in {place}",
            "set DIFFLM_DATA to its folder",
        )
    frame = pd.read_parquet(place / name)
    missing = set(columns.split()) - set(frame.columns)
    if missing:
        raise DataError(f"the columns {columns} in {name}", f"none named {', '.join(sorted(missing))}")
    return frame


def cut(completion: str, stops: Sequence[str] = STOPS) -> str:
    """A completion up to the first stop: what a model wrote beyond its function is no part of it."""
    found = re.search("|".join(map(re.escape, stops)), completion) if stops else None
    return completion[: found.start()] if found else completion


def parsed_part(candidate: str) -> str:
    """The longest run of whole lines from the first on that parses; the candidate itself where none does.

    For candidates that a limit of length cut in the middle of a line.
    """
    lines = candidate.splitlines()
    for count in range(len(lines), 0, -1):
        text = "\n".join(lines[:count])
        try:
            if ast.parse(text).body:
                return text
        except (SyntaxError, ValueError, RecursionError, MemoryError):
            continue
    return candidate


def run_tasks(
    tasks: Sequence[Task],
    candidates: Mapping[str, Sequence[str]],
    *,
    ks: Sequence[int] = (1,),
    allow_execution: bool = False,
    limits: Limits | None = None,
    workers: int = 1,
    seed: int = 0,
    on_progress: Callable[[float, str], None] | None = None,
    should_stop: Callable[[], bool] = lambda: False,
) -> PassReport:
    """Run the candidates of each task (by its name) with its tests, and estimate pass@k for each k.

    Every task needs at least max(ks) candidates, not all as many. When told to stop, tasks that were not
    finished are left out. ConfigError without `allow_execution`, DataError where a task has too few candidates.
    """
    short = [t.name for t in tasks if len(candidates.get(t.name, ())) < max(ks)]
    if short or not tasks:
        found = f"fewer for {', '.join(short[:3])}" if short else "no task"
        raise DataError(f"at least {max(ks)} candidates for each of one or more tasks", found)
    jobs = [(task, text) for task in tasks for text in candidates[task.name]]
    ended: dict[str, list[Status]] = {task.name: [] for task in tasks}
    protections: set[str] = set()
    outcomes = run_programs(
        [task.program(text) for task, text in jobs],
        limits=limits,
        allow_execution=allow_execution,
        workers=workers,
        should_stop=should_stop,
    )
    for number, ((task, _), outcome) in enumerate(zip(jobs, outcomes, strict=False), 1):
        ended[task.name].append(outcome.status)
        protections |= set(outcome.protections)
        if on_progress:
            on_progress(number / len(jobs), task.name)
    done = {name: one for name, one in ended.items() if len(one) == len(candidates[name])}
    counts = {name: (len(one), one.count("passed")) for name, one in done.items()}
    rng = np.random.default_rng(seed)
    scores, intervals = {}, {}
    if counts:
        draws = rng.integers(0, len(counts), (RESAMPLES, len(counts)))
        for k in ks:
            values = np.array([pass_at_k(n, c, k) for n, c in counts.values()])
            low, high = np.quantile(values[draws].mean(1), [0.025, 0.975])
            scores[k], intervals[k] = float(values.mean()), (float(low), float(high))
    found_statuses = Counter(status for one in done.values() for status in one)
    return PassReport(
        scores,
        intervals,
        counts,
        {status: found_statuses[status] for status in STATUSES},
        sorted(protections),
        {"limits": asdict(limits or Limits()), "tasks": len(tasks), "finished": len(counts), "seed": seed},
    )
