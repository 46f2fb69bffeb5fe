"""Tables of rows: changed cells marked, downloads in three formats."""

from __future__ import annotations

import io
from html import escape
from typing import Any

import pandas as pd
import streamlit as st

from pages.shared.palette import Palette


def marked(frame: pd.DataFrame, changes: pd.DataFrame, palette: Palette) -> Any:
    """A Styler that gives changed cells a background and bold text."""
    style = f"background-color: {palette.changed}; font-weight: 600"

    def styles(table: pd.DataFrame) -> pd.DataFrame:
        marks = {n: changes[n].map({True: style, False: ""}) if n in changes else "" for n in table.columns}
        return pd.DataFrame(marks, index=table.index)

    floats: dict[Any, Any] = {
        name: _short for name in frame.columns if pd.api.types.is_float_dtype(frame[name])
    }
    return frame.style.apply(styles, axis=None).format(floats, na_rep="–")


def _short(cell: object) -> str:
    """Up to ten digits, no trailing zeros; no exponent for everyday sizes."""
    value = float(str(cell))
    return f"{value:.10f}".rstrip("0").rstrip(".") if 1e-4 < abs(value) < 1e5 else f"{value:.10g}"


def plain_table(frame: pd.DataFrame) -> None:
    """A few rows as plain HTML: it is there at once, while a grid loads a megabyte of script first."""
    cell = "padding:5px 10px;text-align:left;white-space:nowrap;border-bottom:1px solid rgba(128,128,128,.25)"

    def line(tag: str, texts: list[str]) -> str:
        return "<tr>" + "".join(f'<{tag} style="{cell}">{text}</{tag}>' for text in texts) + "</tr>"

    head = line("th", [escape(str(name)) for name in frame.columns])
    rows = [line("td", [_plain(value) for value in row]) for row in frame.itertuples(index=False)]
    table = f'<table style="border-collapse:collapse;font-size:14px">{head}{"".join(rows)}</table>'
    st.html(f'<div style="overflow-x:auto">{table}</div>')


def _plain(value: object) -> str:
    if pd.isna(value):  # type: ignore[call-overload]
        return "–"
    return escape(_short(value) if isinstance(value, float) else str(value)[:60])


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
                make,  # made when it is asked for, not at each rerun
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
