"""The model that a config describes, for one schema; names resolve to classes here."""

from __future__ import annotations

import torch

from difflm.config import Config
from difflm.formats.codec import FittedCodec
from difflm.models.compact import CompactDecoder
from difflm.models.compact_encoder import CompactEncoder
from difflm.models.decoder import Decoder, Encoder
from difflm.models.details import Details
from difflm.models.injectors import make_injector
from difflm.models.vae import LatentLM


def build_model(config: Config, codec: FittedCodec) -> LatentLM:
    """Freshly initialised by the config's seed; the language model of a causal_lm decoder is loaded."""
    torch.manual_seed(config.seed)
    latent, made = config.latent, config.decoder
    decoder: Decoder
    if made.kind == "compact":
        decoder = CompactDecoder(codec, made.width, made.layers, made.heads, config.injection.tokens)
    else:
        from difflm.models.causal_lm import CausalLMDecoder

        decoder = CausalLMDecoder.from_config(config, codec.schema)
    if config.encoder.kind == "compact":
        e = config.encoder
        encoder: Encoder = CompactEncoder(codec, e.width, e.layers, e.heads, latent.slots, latent.slot_dim)
    else:
        from difflm.models.transformers_encoder import TransformersEncoder

        encoder = TransformersEncoder.from_config(config, codec.schema)
    hidden = config.injection.hidden
    injector = make_injector(
        config.injection.kind, latent.size, config.injection.tokens, decoder.width, hidden
    )
    details = None
    if latent.detail_dim and isinstance(decoder, CompactDecoder) and isinstance(encoder, CompactEncoder):
        slots = len(codec.tail_slots)
        details = Details(latent.detail_dim, slots, config.encoder.width, decoder.width)
    return LatentLM(encoder, injector, decoder, details)
