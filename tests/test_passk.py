"""pass@k: the estimator against all draws, tasks of HumanEval and MBPP, and that nothing runs unasked."""

from __future__ import annotations

import itertools
import json
import math
import os
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.errors import ConfigError, DataError
from difflm.passk import Task, cut, load_humaneval, load_mbpp, parsed_part, pass_at_k, run_tasks
from difflm.sandbox import Limits

QUICK = Limits(seconds=60, cpu_seconds=1, memory_mb=256)


def test_nothing_runs_without_leave() -> None:
    with pytest.raises(ConfigError, match="allow_execution"):
        run_tasks([Task("t", "", "", "", "")], {"t": ["x = 1"]})


@given(st.integers(1, 12).flatmap(lambda n: st.tuples(st.just(n), st.integers(0, n), st.integers(1, n))))
@settings(deadline=None)
def test_pass_at_k_is_the_share_of_all_draws(numbers: tuple[int, int, int]) -> None:
    n, c, k = numbers
    draws = list(itertools.combinations(range(n), k))
    exact = sum(any(i < c for i in draw) for draw in draws) / len(draws)
    assert pass_at_k(n, c, k) == pytest.approx(exact, abs=1e-12)


def test_pass_at_k_does_not_overflow_and_checks_its_counts() -> None:
    assert pass_at_k(10_000, 1, 5_000) == pytest.approx(0.5)
    assert pass_at_k(5, 0, 5) == 0 and pass_at_k(5, 5, 1) == 1
    assert pass_at_k(200, 20, 10) == pytest.approx(1 - math.comb(180, 10) / math.comb(200, 10))
    for n, c, k in ((5, 6, 1), (5, 1, 6), (0, 0, 0), (5, -1, 1)):
        with pytest.raises(ConfigError):
            pass_at_k(n, c, k)


def test_candidates_are_cut_where_they_leave_the_function() -> None:
    assert cut("    return 1\n\ndef other():\n    pass") == "    return 1\n"
    assert cut("    return 1") == "    return 1"
    assert parsed_part("def f():\n    return 1\n\nprint(f(") == "def f():\n    return 1\n"
    assert parsed_part("((") == "(("


def test_run_tasks_counts_and_estimates() -> None:
    tasks = [Task(f"t{n}", "", "", "assert f() == 1", "def f(): return 1") for n in range(3)]
    right, wrong = "def f(): return 1", "def f(): return 2"
    candidates = {"t0": [right, wrong], "t1": [wrong, wrong], "t2": [right, right, wrong]}
    steps: list[float] = []
    report = run_tasks(
        tasks,
        candidates,
        ks=(1, 2),
        allow_execution=True,
        limits=QUICK,
        on_progress=lambda x, _: steps.append(x),
    )
    assert report.tasks == {"t0": (2, 1), "t1": (2, 0), "t2": (3, 2)}
    assert report.scores == pytest.approx({1: (1 / 2 + 0 + 2 / 3) / 3, 2: (1 + 0 + 1) / 3})
    low, high = report.intervals[1]
    assert low <= report.scores[1] <= high
    assert report.statuses["passed"] == 3 and report.statuses["failed"] == 4 and steps[-1] == 1
    assert json.loads(json.dumps(report.to_dict()))["scores"]["2"] == pytest.approx(2 / 3)
    with pytest.raises(DataError, match="fewer for t0"):
        run_tasks(tasks, candidates, ks=(3,), allow_execution=True)


def test_data_sets_that_are_missing_say_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DIFFLM_DATA", raising=False)
    for load in (load_humaneval, load_mbpp):
        with pytest.raises(DataError, match="DIFFLM_DATA"):
            load()
        with pytest.raises(DataError, match=r"\.parquet"):
            load(tmp_path)


def test_own_solutions_of_humaneval_and_mbpp_pass_and_wrong_ones_fail() -> None:
    root = os.environ.get("DIFFLM_DATA")
    if not root or not (Path(root) / "code" / "humaneval.parquet").exists():
        pytest.skip("DIFFLM_DATA names no folder with code/humaneval.parquet and code/mbpp.parquet")
    for tasks, count in ((load_humaneval(), 164), (load_mbpp(), 500)):
        assert len(tasks) == count
        some = tasks[:: count // 5]
        candidates = {task.name: [task.solution, "    return None\n"] for task in some}
        report = run_tasks(some, candidates, allow_execution=True)
        assert set(report.tasks.values()) == {(2, 1)}
        assert report.scores[1] == 0.5
