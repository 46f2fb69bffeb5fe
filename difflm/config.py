"""Every setting of a run, in one pydantic schema for form, file and command line.

The important settings come first. Presets are sets of changes to the defaults; `key=value`
overrides are checked against the same schema.
"""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from difflm.errors import ConfigError


class Section(BaseModel):
    """Base of all sections: unknown keys are an error, values are checked on assignment."""

    model_config = ConfigDict(extra="forbid", validate_assignment=True)


class InputConfig(Section):
    """How much of a long table is used."""

    max_rows: int | None = Field(
        None,
        ge=10,
        le=5_000_000,
        description="Rows used at most, drawn by seed; empty: a million, fewer if wide",
    )


class LatentConfig(Section):
    """Shape of the latent z; z is flat with slots * slot_dim entries for everything outside the models."""

    slots: int = Field(4, ge=1, le=64, description="Latent slots, each read out by a query of its own")
    slot_dim: int = Field(4, ge=1, le=1024, description="Dimensions of one slot")
    detail_dim: int = Field(
        4,
        ge=0,
        le=64,
        description="Second level: dimensions for each token (4 or more), for exact reconstruction; 0 for none",
    )

    @model_validator(mode="after")
    def _two_circles(self) -> LatentConfig:
        if 0 < self.detail_dim < 4:
            raise ValueError("latent.detail_dim must be 0 or at least 4")
        return self

    @property
    def size(self) -> int:
        """Z, the number of latent dimensions."""
        return self.slots * self.slot_dim


class DecoderConfig(Section):
    """Which language model writes the record, and what of it is trained."""

    kind: Literal["compact", "causal_lm"] = Field(
        "compact", description="compact: fitted to the records; causal_lm: a transformers model, frozen"
    )
    path: str | None = Field(None, description="Name or local folder of the causal LM")
    training: Literal["frozen", "joint"] = Field(
        "joint",
        description="After stage 0: freeze the LM (the paper's method) or train it along with the VAE",
    )
    width: int = Field(128, ge=8, description="Compact decoder: width D")
    layers: int = Field(4, ge=1, description="Compact decoder: layers")
    heads: int = Field(4, ge=1, description="Compact decoder: attention heads")
    max_tokens: int = Field(512, ge=16, description="Longest record in tokens (causal LM)")

    @model_validator(mode="after")
    def _consistent(self) -> DecoderConfig:
        if self.kind == "causal_lm" and not self.path:
            raise ValueError("decoder.kind=causal_lm needs decoder.path (--decoder NAME_OR_PATH)")
        if self.width % self.heads:
            raise ValueError("decoder.width must be a multiple of decoder.heads")
        return self


class EncoderConfig(Section):
    """The trainable encoder that maps a record to mu and logvar."""

    kind: Literal["compact", "transformers"] = Field(
        "compact", description="compact: over the decoder's tokens; transformers: a model by path"
    )
    path: str | None = Field(None, description="Name or local folder of a transformers encoder")
    width: int = Field(128, ge=8, description="Compact encoder: width")
    layers: int = Field(2, ge=1, description="Compact encoder: layers")
    heads: int = Field(4, ge=1, description="Compact encoder: attention heads")


class InjectionConfig(Section):
    """How z enters the decoder (DESIGN section 1.3)."""

    kind: Literal["soft_prompt"] = Field(
        "soft_prompt", description="Embeddings made from z, placed before BOS"
    )
    tokens: int = Field(4, ge=1, le=256, description="Soft tokens P")
    hidden: int = Field(256, ge=8, description="Hidden width of the injector MLP")


class FormatConfig(Section):
    """How a record becomes text and tokens."""

    kind: Literal["auto", "table"] = Field("auto", description="Kind of record")
    text: Literal["compact", "json"] = Field("compact", description="Text of a row shown to a causal LM")
    bins: int = Field(200, ge=2, le=4096, description="Most value tokens a numeric column gets")
    column_order: Literal["table"] = Field(
        "table", description="Order in which the cells of a row are written"
    )


class LMStageConfig(Section):
    """Stage 0: the compact LM learns the records, and to copy from its prefix."""

    share: float = Field(0.05, ge=0, le=1, description="Share of the training budget spent here")
    epochs: float | None = Field(
        None, gt=0, description="Passes over the data; empty: planned from the time limit"
    )
    copy_share: float = Field(0.25, ge=0, le=1, description="Share of the batch rows with a copy prefix")
    copy_noise: float = Field(
        1.0, ge=0, description="Largest noise on the copied embeddings, in their own scale"
    )


class BetaConfig(Section):
    """Weight of the KL term. kl is summed over dimensions, in nats per record."""

    schedule: Literal["constant", "linear", "cyclical", "decreasing"] = Field(
        "linear", description="constant; linear from start to end; cyclical; decreasing on a plateau (paper)"
    )
    start: float = Field(0.02, ge=0, description="First beta (decreasing: the largest)")
    end: float = Field(0.3, ge=0, description="Last beta (decreasing: the smallest; cyclical: the top)")
    floor: float = Field(
        8.0,
        ge=0,
        description="KL in nats a record that costs nothing (at most a third of what the decoder alone pays)",
    )
    detail: float = Field(0.02, ge=0, description="Weight of the KL of the details (second level)")
    rise: float = Field(0.6, gt=0, le=1, description="linear: share of the steps until `end` is reached")
    cycles: int = Field(10, ge=1, description="cyclical: number of cycles")
    factor: float = Field(0.7, gt=0, lt=1, description="decreasing: beta is multiplied by this")
    patience: int = Field(3, ge=1, description="decreasing: evaluations without progress before it is")


class VAEStageConfig(Section):
    """Stage 1: encoder and injector (and the decoder, when joint) learn the latent."""

    batch_size: int = Field(256, ge=1, description="Records a step")
    lr: float = Field(2e-3, gt=0, description="Peak learning rate (AdamW part)")
    muon_lr: float = Field(0.02, gt=0, description="Peak learning rate of Muon for the block matrices")
    warmup: float = Field(0.05, ge=0, lt=1, description="Share of the steps of linear warm-up")
    weight_decay: float = Field(0.01, ge=0, description="Decoupled weight decay")
    word_dropout: float | None = Field(
        None,
        ge=0,
        lt=1,
        description="Share of decoder input tokens hidden; empty: a tenth, or none for a causal LM by path",
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout in the blocks of the compact models")
    select: Literal["elbo", "reconstruction"] = Field(
        "elbo",
        description="Which weights are kept: best held-out ELBO (nothing memorised), or most cells exact",
    )
    noise_share: float = Field(
        0.5, ge=0, le=1, description="Share of records whose z is noised (robust decoder)"
    )
    noise_max: float = Field(2.0, ge=0, description="Largest sigma of that noise, in units of the latent")
    detail_share: float = Field(
        0.15, ge=0, le=1, description="Share of records that are given their details (second level)"
    )
    ema: float = Field(0.995, ge=0, lt=1, description="Decay of the moving average of weights; 0 for none")
    evaluations: int = Field(10, ge=2, description="Validation passes during the stage")
    patience: int = Field(4, ge=1, description="Evaluations without a better validation ELBO before stopping")
    cooldown: float = Field(
        0.3,
        ge=0,
        le=1,
        description="Once validation is no better: back to the best weights, and the learning rate to zero over "
        "this share of their steps; 0 for never",
    )
    epochs: float | None = Field(
        None, gt=0, description="Passes over the data; empty: planned from the time limit"
    )


class PriorConfig(Section):
    """Stage 2: the model of where real records lie in the latent space."""

    kind: Literal["diffusion", "gmm", "gaussian"] = Field("diffusion", description="Kind of prior")
    width: int = Field(256, ge=8, description="Denoiser: hidden width")
    blocks: int = Field(3, ge=1, description="Denoiser: residual blocks")
    fourier: int = Field(
        8, ge=0, description="Denoiser: Fourier frequencies of each latent dimension; 0 for none"
    )
    batch_size: int = Field(512, ge=1, description="Latents a step")
    lr: float = Field(1e-3, gt=0, description="Peak learning rate")
    share: float = Field(0.3, ge=0, le=1, description="Share of the training budget spent here")
    steps: int | None = Field(None, ge=1, description="Steps; empty: planned from the time limit")
    ema: float = Field(0.999, ge=0, lt=1, description="Decay of the moving average of weights")
    p_mean: float = Field(0.3, description="Mean of log sigma in training (EDM)")
    p_std: float = Field(1.0, gt=0, description="Standard deviation of log sigma in training (EDM)")
    sigma_max: float = Field(
        10.0, gt=1, description="Sigma at which sampling begins; latents have variance 1"
    )
    components: int = Field(50, ge=1, description="gmm: components")


class SampleConfig(Section):
    """How records are generated."""

    temperature: float = Field(1.0, ge=0, le=2, description="Temperature of the decoder; 0 is greedy")
    noise: float = Field(0.4, ge=0, description="Sigma at which diffusion ends; the decoder is told of it")
    diffusion_steps: int = Field(12, ge=2, description="Heun steps")
    batch_size: int = Field(2048, ge=1, description="Records decoded at once")
    max_attempts: float = Field(200.0, ge=1, description="Attempts per wanted record before giving up")


class Config(Section):
    """All settings of one run."""

    preset: Literal["quick", "standard", "thorough", "paper"] = Field(
        "standard", description="Preset it began as"
    )
    seed: int = Field(0, ge=0, description="Seed of split, weights, batches and samples")
    target: str | None = Field(None, description="Column that evaluation predicts")
    time_limit: float = Field(10.0, gt=0, description="Minutes that the training is planned for")
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
        "sample.noise": 0.0,
        "vae.noise_share": 0.0,
    },
}


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
