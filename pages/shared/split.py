"""How a data set was split: to learn from, to know when to stop, for the final scores."""

from __future__ import annotations

import streamlit as st

from difflm.data import Dataset
from pages.shared.states import figures
from pages.shared.words import FINGERPRINT, SPLIT


def show_split(dataset: Dataset, what: str) -> None:
    """The sizes of the three parts and the fingerprint; `what` names the records."""
    st.subheader("Split", anchor=False, help=SPLIT)
    figures(
        ("To learn from", f"{len(dataset.train):,} {what}", f"Training {what}"),
        ("To know when to stop", f"{len(dataset.validation):,} {what}", f"Validation {what}"),
        ("For the final scores", f"{len(dataset.test):,} {what}", f"Test {what}, never shown to the model"),
        ("Fingerprint", dataset.fingerprint[:8], FINGERPRINT),
    )
