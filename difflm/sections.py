"""Settings of the data and of the models, by section, with their bounds and what they mean; the others are in
stage_sections.py."""

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
    shard: bool = Field(
        False,
        description="Frozen causal LM, several processes: each GPU holds a share of its layers, and gets the others' "
        "for a training step",
    )
    bits: int | None = Field(
        None, description="4 or 8: a frozen causal LM quantised by bitsandbytes; empty: as it is"
    )

    @property
    def joint(self) -> bool:
        """Whether the language model is trained along in stage 1."""
        if self.training != "auto":
            return self.training == "joint"
        return self.kind == "compact" or (self.path or "").startswith(BUNDLED)

    @property
    def away(self) -> bool:
        """Whether the layers' weights are kept elsewhere than on the card that computes."""
        return self.offload or self.shard

    @model_validator(mode="after")
    def _consistent(self) -> DecoderConfig:
        if self.kind == "causal_lm" and not self.path:
            raise ValueError("decoder.kind=causal_lm needs decoder.path (--decoder NAME_OR_PATH)")
        if self.bits not in (None, 4, 8):
            raise ValueError("decoder.bits must be 4, 8 or empty")
        asked = {name: bool(getattr(self, name)) for name in ("compile", "offload", "shard", "bits")}
        for name in ("compile", "checkpointing"):
            if getattr(self, name) and self.kind == "compact":
                raise ValueError(f"decoder.{name} needs a causal LM (--decoder NAME_OR_PATH)")
        for name in ("bits", "offload", "shard"):
            if asked[name] and (self.joint or self.kind == "compact"):
                raise ValueError(f"decoder.{name} needs a causal LM with decoder.training=frozen")
        if sum(asked.values()) > 1:
            raise ValueError("decoder.compile, offload, shard and bits exclude one another")
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
