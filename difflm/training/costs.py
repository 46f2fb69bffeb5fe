"""What the parts of a training cost, in operations and in seconds of the reference machine, from the sizes alone"""

from __future__ import annotations

from dataclasses import dataclass

from difflm.config import Config

REFERENCE_RATE = 1.85e11
"""Floating-point operations a second that training reaches on the two CPU cores of the README's figures
(benchmarks/speed.py), with a little room: what is cut by the clock is not repeatable, what ends early is."""
FORWARDS = 1.5
"""What only goes forwards takes so many times a third of a step (encoding 2,400 rows of 249 tokens)."""
FOREIGN_RATE = 6.5e10
"""REFERENCE_RATE of a decoder of transformers beside an encoder of ours."""
EVALUATION_ROWS, EVALUATION_DOCUMENTS = 8_000, 1_500
"""Rows whose forward pass takes as long as one evaluation: held-out rows scored, some decoded twice; and documents."""
EVALUATION_TOKENS = 48 * EVALUATION_ROWS
"""And tokens of these rows at most: of wide tables fewer are looked at (training/look.py)."""
SHORT_TOKENS, ATTENTION = 32, 3.0
"""REFERENCE_RATE includes the attention of rows as short as this. Each further token that a token attends to costs as
much as so many weights by the width, in each layer."""
LATENT_TOKENS = 4_000_000
"""Tokens of the training rows that are encoded at the end; the prior and the map need no more of a long table."""
ENCODING_SHARE = 0.05
"""Of the time limit for that at most; where it would not do, fewer rows are encoded,"""
LEAST_LATENTS, LEAST_LATENT_TOKENS = 10_000, 1_000_000
"""but so many rows, or tokens where that are fewer rows."""
WRITTEN_TOKENS, TWICE_TOKENS = 25_000.0, 300
"""Tokens of short rows that the compact decoder writes in a second; the length at which each takes twice as long."""
START_SECONDS, READ_TOKENS, COLUMN_SECONDS = 5.0, 2_000_000, 0.01
"""Imports, saving and the map; tokens of rows that are read, split, typed and made tokens in a second; and what each
column, of a token or a little more, takes beside its rows."""
DOCUMENT_SECONDS = 70.0
"""All that is not training, of documents."""
SHOWN_ROWS, SHOWN_DOCUMENTS, SHOWN_TOKENS = 1000, 50, 60_000
"""Rows and documents that a finished run keeps as its first sample; fewer where rows are long."""
USE_TOKENS, LEAST_USE_TOKENS, USE_SHARE = 250_000, 10_000, 0.08
"""Tokens of held-out rows that are rebuilt for the latent use, and the share of the time limit for it at most;"""
LEAST_USE_ROWS = 100
"""but so many rows whatever that takes, if they are there: those that are long have many cells each."""


@dataclass(frozen=True)
class Size:
    """What decides the cost: records, tokens of each, and for a decoder that is no compact one the weights that work
    on each token."""

    rows: int
    tokens: float
    weights: int | None = None

    @property
    def looked(self) -> float:
        """Rows whose forward pass takes as long as one evaluation."""
        return EVALUATION_DOCUMENTS if self.weights else min(EVALUATION_ROWS, EVALUATION_TOKENS / self.tokens)


def row_operations(config: Config, size: Size, stage: str) -> float:
    """Floating-point operations of one row forwards and backwards: 6 per weight and token, 4 where the weight is frozen
    and only passes the gradient on."""
    weights = size.weights or _weights(config.decoder.width, config.decoder.layers, size.tokens)
    decoder = weights * (size.tokens + config.injection.soft_tokens)
    slower = REFERENCE_RATE / FOREIGN_RATE if size.weights else 1.0
    frozen = stage == "vae" and not config.decoder.joint
    encoder = encoder_operations(config, size) if stage == "vae" else 0.0
    return slower * ((4.0 if frozen else 6.0) * decoder + 3.0 * encoder)


def encoder_operations(config: Config, size: Size) -> float:
    """Floating-point operations of the encoder for one row, forwards."""
    weights = _weights(config.encoder.width, config.encoder.layers, size.tokens)
    return 2.0 * weights * (size.tokens + config.latent.slots)


def _weights(width: int, layers: int, tokens: float) -> float:
    """Weights that work on each token, with what takes as long as weights."""
    return layers * (12 * width**2 + ATTENTION * max(tokens - SHORT_TOKENS, 0.0) * width)


def denoiser_weights(config: Config) -> int:
    """Weights of the denoiser, about."""
    width = config.prior.width
    enter = config.latent.size * (1 + 2 * config.prior.fourier) * width
    return int(enter + config.prior.blocks * 4.5 * width**2)


def evaluation_seconds(config: Config, size: Size, stage: str) -> float:
    """One evaluation of stage 0 or 1 on the reference machine."""
    return size.looked * row_operations(config, size, stage) / 3 / REFERENCE_RATE


def latent_rows(config: Config, size: Size, speed: float = 1.0) -> int:
    """Training rows that are encoded at the end: all of a table of common size; of documents, where each costs far more
    in training, as many as are wanted."""
    seconds = ENCODING_SHARE * config.time_limit * 60 * speed
    affordable = seconds * REFERENCE_RATE / FORWARDS / encoder_operations(config, size)
    least = min(LEAST_LATENTS, LEAST_LATENT_TOKENS / size.tokens)
    most = max(LEAST_LATENTS, LATENT_TOKENS / size.tokens)
    return int(min(size.rows, most if size.weights else min(most, max(affordable, least))))


def encoding_seconds(config: Config, size: Size, speed: float = 1.0) -> float:
    """Of these rows, on the reference machine."""
    return latent_rows(config, size, speed) * encoder_operations(config, size) * FORWARDS / REFERENCE_RATE


def writing_seconds(written: float, tokens: float) -> float:
    """Of so many tokens in all, in rows of `tokens`, on the reference machine."""
    return written * (1 + tokens / TWICE_TOKENS) / WRITTEN_TOKENS


def shown_rows(tokens: float) -> int:
    """Rows of `tokens` that a finished run keeps as its first sample."""
    most = SHOWN_TOKENS / max(tokens, 1) / (1 + tokens / TWICE_TOKENS)
    return min(SHOWN_ROWS, max(SHOWN_DOCUMENTS, int(most)))


def use_tokens(config: Config, tokens: float, speed: float = 1.0) -> int:
    """Tokens of held-out rows of `tokens` that are rebuilt, twice, for the latent use of a finished run."""
    written = USE_SHARE * config.time_limit * 60 * speed / writing_seconds(1.0, tokens)
    return int(min(USE_TOKENS, max(LEAST_USE_TOKENS, written / 2)))


def other_seconds(config: Config, size: Size, speed: float = 1.0) -> float:
    """All that a training takes beside its stages and the calibration, on the reference machine."""
    if size.weights:
        return DOCUMENT_SECONDS
    used = max(use_tokens(config, size.tokens, speed), LEAST_USE_ROWS * size.tokens)
    used = min(used, size.rows * size.tokens / 8)
    written = 2 * used + shown_rows(size.tokens) * size.tokens
    reading = size.rows * size.tokens / READ_TOKENS + COLUMN_SECONDS * size.tokens
    writing = writing_seconds(written, size.tokens)
    return START_SECONDS + reading + encoding_seconds(config, size, speed) + writing
