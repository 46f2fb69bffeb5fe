"""Tables of rows: changed cells marked, downloads in three formats."""

from __future__ import annotations

import io
from typing import Any

import pandas as pd
import streamlit as st

from pages.shared.palette import Palette


def marked(frame: pd.DataFrame, changes: pd.DataFrame, palette: Palette) -> Any:
    """A Styler that gives changed cells a background and bold text."""
    style = f"background-color: {palette.changed}; font-weight: 600"
    return frame.style.apply(
        lambda _: pd.DataFrame(
            {
                name: changes[name].map({True: style, False: ""}) if name in changes else ""
                for name in frame.columns
            },
            index=frame.index,
        ),
        axis=None,
    ).format(precision=6, na_rep="–", thousands=None)


def downloads(frame: pd.DataFrame, name: str) -> None:
    """Buttons for CSV, Parquet and JSONL."""
    with st.container(horizontal=True):
        for kind, mime, make in (
            ("csv", "text/csv", lambda: frame.to_csv(index=False).encode()),
            ("parquet", "application/vnd.apache.parquet", lambda: _parquet(frame)),
            (
                "jsonl",
                "application/jsonl",
                lambda: frame.to_json(orient="records", lines=True, date_format="iso").encode(),
            ),
        ):
            st.download_button(
                kind.upper() if kind != "parquet" else "Parquet",
                make(),
                f"{name}.{kind}",
                mime,
                on_click="ignore",
                icon=":material/download:",
                key=f"download-{name}-{kind}",
                help=f"Download {len(frame):,} rows as {kind.upper()}",
            )


def _parquet(frame: pd.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.to_parquet(buffer, index=False)
    return buffer.getvalue()
