"""Said at the top where the core of a run says little, with its figures: what map, walks and draws mean there."""

from __future__ import annotations

from pathlib import Path

import streamlit as st

from difflm.core_use import CoreUse, core_use
from difflm.map_data import Latents
from difflm.runs import Run
from pages.shared.latents import latents_of, stamp
from pages.shared.words import record_word

PARTS = {"tool": "values", "code": "tokens", "text": "words"}
"""What a document is taken apart into when its reconstruction is measured; of a table it is cells."""
MEANS = {
    "map": "where a point lies on this map tells little about it, and “more like these” will hardly be like them",
    "walk": "the {many} between A and B will hardly change on the way",
    "generate": "new {many} depend little on the points they are written from, and vary less than real ones",
}
"""What follows from it, by page."""


@st.cache_resource(
    max_entries=8, show_spinner="Looking at what the latent carries …", hash_funcs={Run: lambda _: 0}
)
def _known(run: Run, path: str, stamp: float) -> CoreUse | None:
    return core_use(Path(path), latents_of(run))


def core_notice(run: Run, latents: Latents, page: str) -> None:
    """One sentence of warning, or nothing where the core carries enough."""
    use = _known(run, str(run.path), stamp(run))
    if use is None or not use.says_little:
        return
    one, many = record_word(latents.real_rows), record_word(latents.real_rows, 2)
    parts = PARTS.get(str(latents.real_rows.columns[0]), "cells") if one == "document" else "cells"
    st.warning(
        f"The latent of this run says little about its {many} so far: its core brings back {use.core:.0%} of the "
        f"{parts} of an unseen {one}, and one and the same {one} for all would bring back {use.same:.0%}. So "
        f"{MEANS[page].format(many=many)}; longer training, or more {many}, may change that.",
        icon=":material/visibility_off:",
    )
