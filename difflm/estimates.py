"""What a training will cost before it starts: minutes, memory, size of the model. Rough, from arithmetic.

The constants were fitted to runs of the compact decoder on two CPU cores (RECIPE: 1.0-1.4 GB on Adult).
"""

from __future__ import annotations

from dataclasses import dataclass

from difflm.config import Config

BASE_GB = 0.55
"""Python, torch and pandas before any data."""
COPIES = 5
"""Weights, gradients, two optimizer moments, moving average; four bytes each."""
ACTIVATIONS = 34
"""Tensors of (tokens, width) kept for the backward pass of one layer."""
STEP_BYTES = 2.5e9
"""Most memory that the activations of one training step may take: a wide table trains in smaller batches."""


@dataclass(frozen=True)
class Estimate:
    """Upper bound of the minutes, and likely values of the rest."""

    minutes: float
    memory_gb: float
    parameters: int
    """Trained weights; those of a causal LM are added by models/lm_memory.py."""
    download: bool
    """Whether a language model may have to be fetched or read from disk first."""


def estimate(config: Config, rows: int, columns: int, characters: float = 0.0) -> Estimate:
    """Cost of training `config` on a table; `characters` of free text a row."""
    tokens = 2 + 1.4 * columns + characters / 3.5
    decoder, encoder, latent = config.decoder, config.encoder, config.latent
    vocabulary = min(60 * columns + 100, 40_000) + (1_024 if characters else 0)
    parameters = encoder.layers * 12 * encoder.width**2 + latent.size * encoder.width * 2
    parameters += config.injection.hidden * (latent.size + injected_numbers(config))
    if decoder.kind == "compact":
        parameters += decoder.layers * 12 * decoder.width**2 + vocabulary * decoder.width
    if config.prior.kind == "diffusion":
        wide = latent.size * (1 + 2 * config.prior.fourier) * config.prior.width
        parameters += wide + config.prior.blocks * 2 * config.prior.width**2
    activations = step_rows(config, tokens) * row_bytes(config, tokens)
    data = rows * (tokens * 4 + columns * 60)
    memory = BASE_GB + (COPIES * 4 * parameters + activations + data) / 1e9
    return Estimate(config.time_limit, memory, int(parameters), decoder.kind == "causal_lm")


def injected_numbers(config: Config) -> int:
    """Numbers that are made from z for each row."""
    enters, width = config.injection, config.decoder.width
    if enters.kind == "input_embed":
        return width
    return enters.count * width * (2 * config.decoder.layers if enters.memory_slots else 1)


def row_bytes(config: Config, tokens: float) -> float:
    """Activations of one row of so many tokens in a training step."""
    layers = config.decoder.layers * config.decoder.width + config.encoder.layers * config.encoder.width
    return tokens * layers * ACTIVATIONS * 4


def step_rows(config: Config, tokens: float) -> int:
    """Rows of a training step: as set, fewer where the activations of the compact models would fill the memory."""
    if config.decoder.kind != "compact":
        return config.vae.batch_size
    return min(config.vae.batch_size, max(16, int(STEP_BYTES / row_bytes(config, tokens))))
