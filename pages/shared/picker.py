"""Which runs there are, which one is chosen, and what state it is in."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Literal

import streamlit as st

from difflm.runs import Run, list_runs, runs_root
from pages.shared.public import visible
from pages.shared.session import choose_run, demo_root
from pages.shared.states import empty

Color = Literal["red", "orange", "blue", "green", "gray"]
BADGES: dict[str, tuple[Color, str, str]] = {
    "queued": ("gray", ":material/hourglass_empty:", "waiting for its turn"),
    "running": ("blue", ":material/play_circle:", "training"),
    "stopping": ("orange", ":material/pending:", "stopping"),
    "stopped": ("orange", ":material/pause_circle:", "stopped early"),
    "done": ("green", ":material/check_circle:", "ready"),
    "failed": ("red", ":material/error:", "failed"),
}


def all_runs() -> list[Run]:
    """Everything under the runs root, the newest first, and then the demos."""
    runs = sorted(visible(list_runs(runs_root())), key=lambda run: -changed_at(run))
    bundled = demos()
    taken = {run.name for run in bundled}
    return [run for run in runs if run.name not in taken] + bundled


def demos() -> list[Run]:
    """The bundled demos; a table first, since it is what most people bring."""
    return sorted(
        list_runs(demo_root()),
        key=lambda run: (run.config.get("encoder", {}).get("kind") == "tokens", run.name),
    )


def changed_at(run: Run) -> float:
    """When the run last wrote something, for the order and for caches."""
    times = [0.0]
    for name in ("config.json", "status.json", "metrics.jsonl"):
        if (Path(run.path) / name).exists():
            times.append((Path(run.path) / name).stat().st_mtime)
    return max(times)


def is_demo(run: Run) -> bool:
    return Path(run.path).resolve().parent == demo_root()


def has_model(run: Run) -> bool:
    """Whether there is something to look at: the latents are written when the model is usable."""
    return (Path(run.path) / "latents" / "train.safetensors").exists()


def pick_run(*, usable: bool = True) -> Run | None:
    """The run chosen in the URL or here; draws the picker. None after drawing the empty state."""
    runs = {run.name: run for run in all_runs() if has_model(run) or not usable}
    if not runs:
        empty(
            "There is no trained model yet. Choose a table and train one; `quick` takes about two minutes.",
            ("data", "Choose data", ":material/table:"),
        )
        return None
    wanted = st.query_params.get("run") or st.session_state.get("run")
    if wanted not in runs:
        if wanted:
            st.warning(
                f"There is no usable run “{wanted}” here; showing another one.", icon=":material/info:"
            )
        wanted = next(iter(runs))
    choose_run(wanted)
    st.session_state["picked"] = wanted
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.selectbox(
            "Run",
            list(runs),
            key="picked",
            format_func=lambda name: label(runs[name]),
            width=340,
            on_change=lambda: choose_run(st.session_state["picked"]),
        )
        badge(runs[wanted])
    return runs[wanted]


def label(run: Run) -> str:
    return f"{run.name} (bundled demo)" if is_demo(run) else run.name


def badge(run: Run) -> None:
    """Coloured word for the state of a run."""
    state = run.status.state
    color, icon, word = BADGES.get(state, ("gray", ":material/help:", state))
    st.badge(word, color=color, icon=icon)


def ago(seconds: float) -> str:
    """How long since a moment in seconds since 1970, in words."""
    gap = max(0.0, time.time() - seconds)
    for size, name in ((86_400, "day"), (3_600, "hour"), (60, "minute")):
        if gap >= size:
            count = int(gap // size)
            return f"{count} {name}{'s' if count > 1 else ''} ago"
    return "just now"
