"""The scorecard of a report: latent use first, then every figure with its meaning and references."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from difflm.differences import changed
from difflm.report import Report
from pages.shared.palette import Palette
from pages.shared.states import figures
from pages.shared.tables import marked
from pages.shared.words import ACTIVE, FROM_CORE, KL, RECONSTRUCTED

GOALS = {"max": "higher", "min": "lower"}


SIDES = ("real", "synthetic")
NEAR_COPIES, ATTACK = 0.1, 0.6
"""Shares beyond which privacy is in doubt."""


def latent_use(report: Report) -> None:
    """Whether the latent carries anything: without it the map means nothing."""
    st.subheader("Does the latent carry the records?", anchor=False)
    known = report.latent or {}
    if not known:
        st.warning(" ".join(report.latent_lines()), icon=":material/warning:")
        return
    rebuilt, kl, active = (known.get(name) for name in ("reconstruction", "kl", "active"))
    core = known.get("core")
    of = f" of {known['dimensions']}" if known.get("dimensions") else ""
    figures(
        ("Cells rebuilt exactly", "–" if rebuilt is None else f"{rebuilt:.1%}", RECONSTRUCTED),
        ("From the core alone", "–" if core is None else f"{core:.1%}", FROM_CORE),
        ("Information a record", "–" if kl is None else f"{kl:.1f} nats", KL),
        ("Dimensions in use", "–" if active is None else f"{active}{of}", ACTIVE),
    )
    per_column = known.get("per_column") or {}
    if per_column:
        with st.expander("By column"):
            table = pd.DataFrame({"column": list(per_column), "rebuilt exactly": list(per_column.values())})
            st.dataframe(
                table.sort_values("rebuilt exactly"),
                hide_index=True,
                alt="Reconstruction by column",
                column_config={
                    "rebuilt exactly": st.column_config.ProgressColumn(
                        format="percent", min_value=0, max_value=1
                    )
                },
            )


def concerns(report: Report) -> None:
    """What a person must not overlook, in words."""
    scores = report.row("generated").scores
    near, attack = scores.get("near_copies"), scores.get("membership")
    found = []
    if near is not None and near > NEAR_COPIES:
        found.append(
            f"{near:.0%} of the synthetic records lie closer to a training record than 98 % of unseen real ones do "
            "(2 % is normal): the model has learned records by heart. Do not share them as anonymous; "
            "train with more of them, or for a shorter time."
        )
    if attack is not None and attack > ATTACK:
        found.append(
            f"Who holds a real record guesses whether it was trained on with AUC {attack:.2f} (0.5 is chance)."
        )
    if found:
        st.warning("  \n".join(found), icon=":material/shield_person:")


def scorecard(report: Report) -> None:
    """One line a figure, one column a table of rows; the references beside the generated rows."""
    st.subheader(
        "Scores",
        anchor=False,
        help="No score stands without its references: the ceiling, and what trivial tables get.",
    )
    table = pd.DataFrame(
        [
            {
                "score": figure.label,
                **{row.label: report.cell(figure, row) for row in report.rows},
                "better is": _goal(figure),
                "meaning": figure.meaning,
            }
            for figure in report.figures
        ]
    )
    st.dataframe(
        table,
        hide_index=True,
        height="content",
        alt="Scores with their references",
        column_config={
            "score": st.column_config.TextColumn("Score", pinned=True, width=270),
            "meaning": st.column_config.TextColumn("Meaning", width="large"),
        },
    )
    counts = ", ".join(f"{row.label}: {row.count:,}" for row in report.rows)
    st.caption(f"Records behind each column: {counts}.")
    with st.expander("What the scores mean", icon=":material/help:"):
        for figure in report.figures:
            st.markdown(f"**{figure.label}** ({_goal(figure)}). {figure.meaning}")


def _goal(figure: Any) -> str:
    if figure.goal == "target":
        return "near the unseen real ones" if figure.best is None else f"near {figure.best:g}"
    return GOALS[figure.goal] + ("" if figure.best is None else f", best {figure.best:g}")


def given_away(c2st: Mapping[str, Any], count: int = 8) -> None:
    """By which columns a detector tells synthetic from real rows."""
    st.subheader(
        "What gives the synthetic rows away",
        anchor=False,
        help="A tree model learns to tell synthetic from real rows (C2ST). Its gain, shared out over the columns.",
    )
    trees = c2st["auc_xgb"]
    found = sum(trees) / len(trees)
    word = "hardly finds any: the shares below mean little" if found < 0.55 else "finds some of them"
    st.caption(
        f"It is right with AUC {found:.2f} (0.5 is chance), so it {word}. "
        f"{c2st['rows_each']:,} rows of each kind."
    )
    shares = pd.DataFrame(c2st["importance"][:count])
    st.dataframe(
        shares,
        hide_index=True,
        width=420,
        alt="Columns by which synthetic rows are told from real ones",
        column_config={
            "column": st.column_config.TextColumn("Column"),
            "share": st.column_config.ProgressColumn("Share of the gain", format="percent", max_value=1.0),
        },
    )


def closest_pairs(report: Report, palette: Palette) -> None:
    """The synthetic rows that are nearest to a real row, side by side with it."""
    pairs = report.details.get("dcr", {}).get("closest", [])[:8]
    if not pairs:
        return
    st.subheader(
        "Nearest pairs",
        anchor=False,
        help="If these were copies, privacy would be in danger. Differing cells are marked.",
    )
    table, changes = _pair_table(pairs)
    st.dataframe(
        marked(table, changes, palette),
        hide_index=True,
        alt="Nearest real and synthetic rows",
    )


@st.cache_data(max_entries=16, show_spinner=False)
def _pair_table(pairs: list[dict[str, Any]]) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Each real row above its synthetic one, and which cells differ."""
    real, synthetic = (
        pd.DataFrame([pair[side] for pair in pairs]).astype(object).map(_text) for side in SIDES
    )
    differ = changed(real, synthetic)
    frames, marks = [], []
    for side, frame, shown in (("real", real, differ & False), ("synthetic", synthetic, differ)):
        frame.insert(0, "rows", side)
        frame.insert(0, "pair", [str(number) for number in range(1, len(pairs) + 1)])
        frame.insert(2, "distance", [f"{pair['distance']:.4f}" for pair in pairs])
        frames.append(frame)
        marks.append(shown)
    table, changes = (
        pd.concat(parts).sort_index(kind="stable").reset_index(drop=True) for parts in (frames, marks)
    )
    return table, changes


def _text(value: Any) -> str:
    if value is None:
        return "–"
    return f"{value:g}" if isinstance(value, float) else str(value)
