"""What a training will cost, with the language model where one writes."""

from __future__ import annotations

import streamlit as st

from difflm.config import Config
from difflm.estimates import Estimate, estimate
from pages.shared.datasets import Data

CHARACTERS = 3.5
"""Of a token of text, about."""


def cost_of(config: Config, data: Data) -> Estimate:
    """Of training on the table in use."""
    made = config.for_record(data.record)
    cost = estimate(made, data.rows, len(data.columns))
    if made.decoder.kind != "causal_lm":
        return cost
    tokens = min(made.decoder.max_tokens, data.longest / CHARACTERS or made.decoder.max_tokens)
    return _with_decoder(cost, made.model_dump_json(), tokens)


@st.cache_data(show_spinner="Looking at the language model …", max_entries=50)
def _with_decoder(cost: Estimate, config: str, tokens: float) -> Estimate:
    from difflm.models.lm_memory import with_decoder

    return with_decoder(cost, Config.model_validate_json(config), tokens)
