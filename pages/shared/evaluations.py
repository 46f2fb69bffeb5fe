"""Evaluation as a process of its own, and the report it leaves in the run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Literal

import streamlit as st

from difflm import background
from difflm.errors import DiffLMError, RunError
from difflm.report import Report
from difflm.runs import Run
from pages.shared.picker import is_demo
from pages.shared.states import failure, shown


def read_report(run: Run) -> Report | None:
    """report.json of the run; None when it has not been evaluated."""
    path = Path(run.path) / "report.json"
    if not path.exists():
        return None
    try:
        return Report.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, KeyError, TypeError) as error:
        raise RunError(
            "a report of an evaluation", f"{path.name} that is broken", "delete it and evaluate again"
        ) from error


def evaluate_panel(run: Run, report: Report | None) -> None:
    """Start the evaluation, or watch the one that runs."""
    path = Path(run.path)
    job = background.find(path, "evaluation")
    if job is not None and job.running:
        _watch(run, job)
        return
    if job is not None:
        if report is None or (path / "report.json").stat().st_mtime < job.created:
            failure(
                DiffLMError("the evaluation did not finish", job.last_line() or "no message", "try again")
            )
        else:
            job.forget()
    if is_demo(run) and report is not None:
        return
    if report is None:
        st.info(
            "The synthetic records of this run have not been scored yet. It takes from half a minute to a few minutes.",
            icon=":material/balance:",
        )
    kind: Literal["primary", "tertiary"] = "primary" if report is None else "tertiary"
    if st.button("Evaluate" if report is None else "Evaluate again", type=kind, icon=":material/balance:"):
        with shown():
            background.start(path, "evaluation", arguments(path))
        st.rerun()


def arguments(path: Path) -> list[str]:
    """The command that evaluates a run and leaves its report there."""
    outputs = ["--json", str(path / "report.json"), "--out", str(path / "report.html")]
    return ["evaluate", "--real", str(path), *outputs]


def _watch(run: Run, job: background.Job) -> None:
    @st.fragment(run_every=1.0)
    def watch() -> None:
        if not job.running:
            st.rerun()
        share, _, step = job.last_line().partition("% ")
        done = int(share) / 100 if share.strip().isdigit() else 0.0
        words = f"{step or 'generating records'}, {job.seconds:.0f} s so far"
        st.progress(min(0.99, done), text=f"Scoring in the background: {words}")

    watch()
