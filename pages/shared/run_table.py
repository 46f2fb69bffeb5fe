"""The table of runs with sparklines and scores, and the question before a run is deleted."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from difflm.curves import thin
from difflm.errors import RunError
from difflm.runs import ACTIVE, Run, runs_root
from pages.shared.live import curves_of
from pages.shared.picker import BADGES, ago, changed_at, is_demo, label
from pages.shared.public import put_aside
from pages.shared.session import choose_run
from pages.shared.states import shown

SERIES = {
    "Reconstruction, validation": ("vae", "validation", "reconstruction"),
    "Information in the latent (KL), validation": ("vae", "validation", "kl"),
    "Language model, validation": ("lm", "validation", "loss"),
    "Prior, validation": ("prior", "validation", "loss"),
    "Reconstruction, training": ("vae", "train", "reconstruction"),
}
STAGES = {"lm": "1 of 3", "vae": "2 of 3", "prior": "3 of 3"}


def run_table(runs: list[Run]) -> list[Run]:
    """Draw the table; the runs that are ticked."""
    event = st.dataframe(
        pd.DataFrame([_row(run) for run in runs]),
        key="run-table",
        hide_index=True,
        on_select="rerun",
        selection_mode="multi-row",
        alt="All runs",
        placeholder="–",
        column_config={
            "Learning": st.column_config.LineChartColumn(
                help="Validation reconstruction loss over time: down is good", width="small"
            ),
            "Rebuilt": st.column_config.NumberColumn(
                format="%.0f%%", help="Share of unseen cells rebuilt exactly from their latent"
            ),
            "Shape error %": st.column_config.NumberColumn(
                format="%.2f", help="How far single columns are off; 0 is perfect"
            ),
            "Trend error %": st.column_config.NumberColumn(
                format="%.2f", help="How far pairs of columns are off; 0 is perfect"
            ),
        },
    )
    return [runs[i] for i in event["selection"]["rows"] if i < len(runs)]


def _row(run: Run) -> dict[str, Any]:
    curves, status, scores = curves_of(run), run.status, _scores(Path(run.path))
    _, y = curves.series.get(("vae", "validation", "reconstruction"), ([], []))
    done = status.state == "done"
    rebuilt = scores.get("reconstruction", curves.last("vae", "validation", "accuracy"))
    return {
        "Run": label(run),
        "State": BADGES.get(status.state, ("", "", status.state))[2],
        "Stage": "3 of 3" if done else STAGES.get(status.stage or "", "–"),
        "Learning": [y[i] for i in thin(len(y), 40)],
        "Rebuilt": None if rebuilt is None else 100 * rebuilt,
        "Shape error %": scores.get("shape"),
        "Trend error %": scores.get("trend"),
        "Preset": str(run.config.get("preset", "")),
        "Changed": ago(changed_at(run)),
    }


def _scores(path: Path) -> dict[str, float]:
    """Reconstruction as training left it, and the scores of the generated rows when they were evaluated."""
    found: dict[str, float] = {}
    try:
        found["reconstruction"] = float(
            json.loads((path / "vae" / "latent.json").read_text())["reconstruction"]
        )
        report = json.loads((path / "report.json").read_text())
        generated = next(row for row in report["rows"] if row["name"] == "generated")
        found |= {name: value for name, value in generated["scores"].items() if value is not None}
    except (OSError, ValueError, KeyError, TypeError, StopIteration):
        pass
    return found


@st.dialog("Delete this run?")
def confirm_delete(run: Run) -> None:
    """Ask, then put the run aside."""
    st.markdown(
        f"**{run.name}**: its model, curves and generated rows. It can be brought back until another run is deleted."
    )
    with st.container(horizontal=True):
        if st.button("Delete", type="primary", icon=":material/delete:", key="delete-yes"):
            with shown():
                delete(run)
            st.rerun()
        if st.button("Keep it", key="delete-no"):
            st.rerun()


def delete(run: Run) -> None:
    """Put a run of this root that is not active aside; what was put aside before is removed."""
    path = Path(run.path).resolve()
    if is_demo(run) or run.status.state in ACTIVE or runs_root() not in path.parents:
        raise RunError("a run of this machine that has ended", run.name, "stop it first")
    shutil.rmtree(put_aside(), ignore_errors=True)
    put_aside().mkdir(parents=True)
    path.rename(put_aside() / path.name)
    choose_run(None)


def offer_undo() -> None:
    """A button that brings back the run that was deleted last."""
    for path in put_aside().glob("*"):
        with st.container(horizontal=True, vertical_alignment="center"):
            st.info(f"“{path.name}” was deleted.", icon=":material/delete:")
            if st.button("Undo", icon=":material/undo:", key="undo-delete"):
                with shown():
                    if (runs_root() / path.name).exists():
                        raise RunError(
                            f"no other run called {path.name}", "a new one", "delete that one first"
                        )
                    path.rename(runs_root() / path.name)
                choose_run(path.name)
                st.rerun()
