"""The sections of the config, each with its settings, their bounds and what they mean."""

from __future__ import annotations

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, model_validator


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

    topics: bool = Field(
        True,
        description="Causal LM: z begins as the words that a record has, and pushes the words that are written",
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


BUNDLED = "base-"
"""How the names of the language models begin that come with the project (checkpoints/)."""
BASES = tuple(BUNDLED + size for size in ("tiny", "small"))
"""Their names, the smallest first."""


class DecoderConfig(Section):
    """Which language model writes the record, and what of it is trained."""

    kind: Literal["compact", "causal_lm"] = Field(
        "compact", description="compact: fitted to the rows of a table; causal_lm: a transformers model"
    )
    path: str | None = Field(
        None, description="Name or local folder of the causal LM; base-tiny and base-small are bundled"
    )
    training: Literal["auto", "frozen", "joint"] = Field(
        "auto",
        description="frozen: the LM stays as it is (the paper's method); joint: it is trained along with the VAE; "
        "auto: joint for the compact and the bundled LM, frozen for others",
    )
    width: int = Field(128, ge=8, description="Compact decoder: width D")
    layers: int = Field(4, ge=1, description="Compact decoder: layers")
    heads: int = Field(4, ge=1, description="Compact decoder: attention heads")
    max_tokens: int = Field(512, ge=16, description="Longest record in tokens (causal LM)")
    checkpointing: bool = Field(
        False, description="Causal LM: its layers are computed again for the gradient, which saves memory"
    )
    compile: bool = Field(
        False,
        description="Causal LM: its layers are compiled first, which takes a minute: for a long training on a GPU",
    )
    offload: bool = Field(
        False,
        description="Frozen causal LM: its layers stay in main memory and come to the GPU one after the other, for one "
        "larger than the card",
    )
    bits: int | None = Field(
        None, description="4 or 8: a frozen causal LM quantised by bitsandbytes, on a GPU; empty: as it is"
    )

    @property
    def joint(self) -> bool:
        """Whether the language model is trained along in stage 1."""
        if self.training != "auto":
            return self.training == "joint"
        return self.kind == "compact" or (self.path or "").startswith(BUNDLED)

    @model_validator(mode="after")
    def _consistent(self) -> DecoderConfig:
        if self.kind == "causal_lm" and not self.path:
            raise ValueError("decoder.kind=causal_lm needs decoder.path (--decoder NAME_OR_PATH)")
        if self.bits not in (None, 4, 8):
            raise ValueError("decoder.bits must be 4, 8 or empty")
        if self.bits and (self.joint or self.kind == "compact"):
            raise ValueError("decoder.bits needs a causal LM with decoder.training=frozen")
        if self.offload and (self.joint or self.kind == "compact"):
            raise ValueError("decoder.offload needs a causal LM with decoder.training=frozen")
        if self.compile + self.offload + bool(self.bits) > 1:
            raise ValueError("decoder.compile, decoder.offload and decoder.bits exclude one another")
        if self.width % self.heads:
            raise ValueError("decoder.width must be a multiple of decoder.heads")
        return self


class EncoderConfig(Section):
    """The trainable encoder that maps a record to mu and logvar."""

    kind: Literal["compact", "tokens", "transformers"] = Field(
        "compact",
        description="compact: over the compact decoder's tokens; tokens: over those of a causal LM; transformers: a "
        "model by path",
    )
    path: str | None = Field(None, description="Name or local folder of a transformers encoder")
    pooling: Literal["auto", "mean", "last", "cls"] = Field(
        "auto",
        description="transformers: what of the tokens' states is read: their mean, the last, or the first (cls); auto: "
        "as a sentence encoder says, else the last of a causal LM and the mean of others",
    )
    width: int = Field(128, ge=8, description="Compact encoder: width")
    layers: int = Field(2, ge=1, description="Compact encoder: layers")
    heads: int = Field(4, ge=1, description="Compact encoder: attention heads")


COMPACT_TOKENS = 4
"""Soft tokens where none are set: a row of the compact decoder is short."""


class InjectionConfig(Section):
    """How z enters the decoder (DESIGN section 1.3)."""

    kind: Literal["soft_prompt", "prefix_soft_prompt", "kv_memory", "input_embed"] = Field(
        "soft_prompt",
        description="soft_prompt: embeddings made from z, placed before BOS; prefix_soft_prompt: learned ones before "
        "these; kv_memory: keys and values in every layer; input_embed: a vector added to every token",
    )
    tokens: int | None = Field(
        None,
        ge=1,
        le=256,
        description="Soft tokens P, or slots of the memory; empty: 4, and 64 soft tokens for a language model",
    )
    hidden: int = Field(256, ge=8, description="Hidden width of the injector MLP")
    prefix: str | None = Field(
        "Write one more record of this data set:",
        description="prefix_soft_prompt: text that the learned embeddings begin as (causal LM)",
    )

    @property
    def count(self) -> int:
        """P: what is set, or else what serves the compact decoder."""
        return self.tokens or COMPACT_TOKENS

    @property
    def soft_tokens(self) -> int:
        """Embeddings that stand before the record."""
        return self.count * {"soft_prompt": 1, "prefix_soft_prompt": 2}.get(self.kind, 0)

    @property
    def memory_slots(self) -> int:
        """Keys and values that every layer sees beside those of the tokens."""
        return self.count if self.kind == "kv_memory" else 0


class FormatConfig(Section):
    """How a record becomes text and tokens."""

    kind: Literal["auto", "table", "tool", "code", "text"] = Field(
        "auto", description="Kind of record: rows of a table, JSON documents, Python code, plain text"
    )
    column: str | None = Field(
        None, description="Column or field that holds the documents; empty: found by its cells"
    )
    text: Literal["compact", "json"] = Field("compact", description="Text of a row shown to a causal LM")
    bins: int = Field(200, ge=2, le=4096, description="Most value tokens a numeric column gets")
    phrases: int = Field(
        10_000,
        ge=0,
        le=100_000,
        description="Most runs of three cells with a meaning of their own; 0 for none",
    )
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
    accumulation: int = Field(
        1, ge=1, description="Parts that a process takes its records of a step in: less memory, the same step"
    )
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
    jitter: float = Field(
        1.5, ge=0, description="Numbers are moved by about so many bins in training (compact decoder)"
    )
    target_weight: float = Field(
        1.0,
        ge=1,
        description="The column to be predicted counts so many times in training (compact decoder)",
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
    calibration: int = Field(
        3,
        ge=0,
        description="Rounds in which the frequencies of what is generated are brought to those of the training rows",
    )


class SampleConfig(Section):
    """How records are generated."""

    temperature: float = Field(1.0, ge=0, le=2, description="Temperature of the decoder; 0 is greedy")
    noise: float = Field(0.4, ge=0, description="Sigma at which diffusion ends; the decoder is told of it")
    diffusion_steps: int = Field(12, ge=2, description="Heun steps")
    batch_size: int = Field(2048, ge=1, description="Records decoded at once")
    max_attempts: float = Field(200.0, ge=1, description="Attempts per wanted record before giving up")
