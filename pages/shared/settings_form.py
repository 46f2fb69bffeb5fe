"""Every setting of the config as a form, made from the schema itself."""

from __future__ import annotations

from typing import Any

import streamlit as st

from difflm.config import Config, Setting, settings

SECTIONS = {
    "": "General",
    "input": "Data: how much of it is used",
    "decoder": "Decoder: writes the rows",
    "encoder": "Encoder: reads the rows",
    "latent": "Latent: size of the space",
    "injection": "Injection: how the latent enters the decoder",
    "format": "Text format",
    "lm": "Stage 1: language model",
    "beta": "Beta: weight of the KL term",
    "vae": "Stage 2: latent",
    "prior": "Stage 3: prior",
    "sample": "Generation",
}
ELSEWHERE = {"preset", "target"}


def preset_values(preset: str) -> dict[str, Any]:
    """The preset's value of every setting, by dotted key."""
    config = Config.from_preset(preset).model_dump()
    return {setting.key: _get(config, setting.key) for setting in settings()}


def settings_form(preset: str, start: dict[str, Any] | None = None, origin: str = "") -> dict[str, Any]:
    """Draw all settings, first as in `start` (settings of the run `origin`); those that differ from the preset."""
    values = preset_values(preset)
    changed: dict[str, Any] = {}
    sections: dict[str, list[Setting]] = {}
    for setting in settings():
        if setting.key not in ELSEWHERE:
            sections.setdefault(setting.key.rpartition(".")[0], []).append(setting)
    for section, members in sections.items():
        st.markdown(f"**{SECTIONS[section]}**")
        # A row of columns for every three: where a narrow screen puts them below one another they keep their order.
        columns = [one for _ in members[::3] for one in st.columns(3, vertical_alignment="bottom")]
        for column, setting in zip(columns, members, strict=False):
            with column:
                default = values[setting.key]
                value = _field(
                    setting, (start or {}).get(setting.key, default), f"set{origin}-{preset}-{setting.key}"
                )
                if value != default:
                    changed[setting.key] = value
    return changed


def _field(setting: Setting, value: Any, key: str) -> Any:
    name = setting.key.rpartition(".")[2].replace("_", " ")
    empty = setting.doc.partition("empty: ")[2] or None
    if setting.type == "choice":
        choices = list(setting.choices)
        return st.selectbox(name, choices, index=choices.index(value), help=setting.doc, key=key)
    if setting.type == "bool":
        return st.checkbox(name, bool(value), help=setting.doc, key=key)
    if setting.type == "int":
        number = st.number_input(name, value=value, step=1, help=setting.doc, key=key, placeholder=empty)
        return None if number is None else int(number)
    if setting.type == "float":
        number = st.number_input(name, value=value, format="%g", help=setting.doc, key=key, placeholder=empty)
        return None if number is None else float(number)
    return st.text_input(name, value or "", help=setting.doc, key=key, placeholder=empty) or None


def _get(config: dict[str, Any], key: str) -> Any:
    for part in key.split("."):
        config = config[part]
    return config


def overrides_of(config: dict[str, Any], preset: str) -> dict[str, Any]:
    """What a run's config changes of its preset, by dotted key: for cloning."""
    values = preset_values(preset)
    found = {}
    for key, default in values.items():
        try:
            value = _get(config, key)
        except (KeyError, TypeError):
            continue
        if key not in ELSEWHERE and value != default:
            found[key] = value
    return found
