"""Every setting of a run, in one pydantic schema for form, file and command line.

The important settings come first. Presets are sets of changes to the defaults; `key=value`
overrides are checked against the same schema.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, Field, ValidationError

from difflm.errors import ConfigError
from difflm.sections import (
    DecoderConfig,
    EncoderConfig,
    FormatConfig,
    InjectionConfig,
    InputConfig,
    LatentConfig,
    Section,
)
from difflm.stage_sections import BetaConfig, LMStageConfig, PriorConfig, SampleConfig, VAEStageConfig


class Config(Section):
    """All settings of one run."""

    preset: Literal["quick", "standard", "thorough", "paper"] = Field(
        "standard", description="Preset it began as"
    )
    seed: int = Field(0, ge=0, description="Seed of split, weights, batches and samples")
    target: str | None = Field(None, description="Column that evaluation predicts")
    time_limit: float = Field(
        10.0, gt=0, description="Minutes for all of a training, from reading to its first rows"
    )
    input: InputConfig = InputConfig()
    decoder: DecoderConfig = DecoderConfig()
    encoder: EncoderConfig = EncoderConfig()
    latent: LatentConfig = LatentConfig()
    injection: InjectionConfig = InjectionConfig()
    format: FormatConfig = FormatConfig()
    beta: BetaConfig = BetaConfig()
    lm: LMStageConfig = LMStageConfig()
    vae: VAEStageConfig = VAEStageConfig()
    prior: PriorConfig = PriorConfig()
    sample: SampleConfig = SampleConfig()

    @classmethod
    def from_preset(cls, preset: str = "standard", overrides: Mapping[str, Any] | None = None) -> Config:
        """The preset's settings with dotted `overrides` ("vae.lr": "1e-3") applied in order."""
        if preset not in PRESETS:
            raise ConfigError(f"a preset out of {', '.join(PRESETS)}", repr(preset), "choose one of these")
        values: dict[str, Any] = {"preset": preset}
        for key, value in {**PRESETS[preset], **(overrides or {})}.items():
            _place(values, key, value)
        return cls.load(values)

    def for_record(self, record: str) -> Config:
        """This config, with what the compact models cannot do for documents ("tool", "code", "text") in the hands of
        the bundled language model, and DOCUMENTS and LANGUAGE_MODEL in place of every default of a table that was left
        as it is; of a table that a language model writes, the latter."""
        compact = record == "table" and self.decoder.kind == "compact"
        prompted = self.injection.kind in ("soft_prompt", "prefix_soft_prompt")
        own = LANGUAGE_MODEL if prompted and not compact else {}
        values, table = self.model_dump(), Config().model_dump()
        if record != "table":
            own = {**own, **DOCUMENTS, **(CODE if record == "code" else {})}
        for key, value in own.items():
            section, name = key.split(".")
            if values[section][name] == table[section][name]:
                values[section][name] = value
        if record != "table" and self.decoder.kind == "compact":
            values["decoder"] |= {"kind": "causal_lm", "path": "base-tiny"}
        if record != "table" and self.encoder.kind == "compact":
            values["encoder"] |= {"kind": "tokens"}
        return Config.load(values)

    @classmethod
    def load(cls, values: Mapping[str, Any]) -> Config:
        """A config from plain values, with errors in the project's form."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            first = error.errors()[0]
            key = ".".join(str(part) for part in first["loc"])
            got = "" if isinstance(first.get("input"), dict) else repr(first.get("input"))
            raise ConfigError(
                f"a valid setting {key} ({first['msg']})", got, "see `difflm fit --help`"
            ) from error


PRESETS: dict[str, dict[str, Any]] = {
    "quick": {"time_limit": 2.0},
    "standard": {"time_limit": 10.0},
    "thorough": {"time_limit": 30.0},
    "paper": {
        "time_limit": 480.0,
        "latent.slots": 1,
        "latent.slot_dim": 1024,
        "latent.detail_dim": 0,
        "injection.tokens": 32,
        "decoder.training": "frozen",
        "format.text": "json",
        "beta.schedule": "decreasing",
        "beta.start": 0.1,
        "beta.end": 0.001,
        "prior.width": 8192,
        "prior.blocks": 5,
        "prior.lr": 1e-4,
        "prior.p_mean": -1.2,
        "prior.p_std": 1.2,
        "prior.sigma_max": 80.0,
        "sample.temperature": 0.5,
        "sample.diffusion_steps": 50,
        "sample.solver": "heun",
        "sample.noise": 0.0,
        "vae.noise_share": 0.0,
    },
}


DOCUMENTS: dict[str, Any] = {
    "latent.slots": 8,
    "latent.slot_dim": 8,
    "latent.detail_dim": 64,
    "beta.floor": 24.0,
    "vae.batch_size": 32,
    "vae.lr": 1e-3,
    "vae.evaluations": 3,
    "prior.share": 0.1,
    "sample.max_attempts": 8.0,
}
"""Settings of documents: some hundred tokens each instead of twenty, written by a language model that knows much."""
LANGUAGE_MODEL: dict[str, Any] = {"injection.tokens": 64}
"""And of whatever a language model writes: it was taught to copy from its prefix, and a prefix of many tokens tells it
much more than one of four (docs/measurements.md, steering)."""
CODE: dict[str, Any] = {"sample.temperature": 0.6}
"""And of code, in which one unlikely token spoils all that follows."""


class Setting(NamedTuple):
    """One leaf of the config, for forms and help texts."""

    key: str
    type: str
    default: Any
    doc: str
    choices: tuple[str, ...]


def settings() -> list[Setting]:
    """All leaves of the config in order, keyed "section.name"."""
    return list(_leaves(Config, ""))


def _leaves(section: type[BaseModel], prefix: str) -> list[Setting]:
    found: list[Setting] = []
    for name, field in section.model_fields.items():
        annotation = field.annotation
        if isinstance(annotation, type) and issubclass(annotation, BaseModel):
            found += _leaves(annotation, f"{prefix}{name}.")
            continue
        choices = get_args(annotation) if get_origin(annotation) is Literal else ()
        kinds = [a.__name__ for a in get_args(annotation) if isinstance(a, type) and a is not type(None)]
        kind = "choice" if choices else (kinds[0] if kinds else getattr(annotation, "__name__", "str"))
        found.append(Setting(prefix + name, kind, field.default, field.description or "", choices))
    return found


def _place(values: dict[str, Any], key: str, value: Any) -> None:
    """Put `value` at the dotted `key`, naming the nearest known key when there is no such one."""
    known = [setting.key for setting in settings()]
    if key not in known:
        near = difflib.get_close_matches(key, known, n=3)
        raise ConfigError(
            "a known setting",
            repr(key),
            f"did you mean {' or '.join(near)}?" if near else "see `difflm fit --help`",
        )
    *sections, leaf = key.split(".")
    for section in sections:
        values = values.setdefault(section, {})
    values[leaf] = None if isinstance(value, str) and value.lower() in ("none", "") else value
