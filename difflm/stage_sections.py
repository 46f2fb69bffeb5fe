"""Settings of training and sampling: one section for each stage, the schedule of beta, the prior, the rows."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from difflm.sections import Section


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
    jitter: float | None = Field(
        None,
        ge=0,
        description="Bins that numbers are moved by in training, so that rows are not learned by heart; "
        "empty: 1.5, fading where numbers follow from each other (compact decoder)",
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
    diffusion_steps: int = Field(12, ge=2, description="Steps of the diffusion")
    solver: Literal["dpm++2m", "heun"] = Field(
        "dpm++2m", description="How a step is taken: one call of the denoiser, or two (heun, as in the paper)"
    )
    batch_size: int = Field(2048, ge=1, description="Records decoded at once")
    max_attempts: float = Field(200.0, ge=1, description="Attempts per wanted record before giving up")
