"""The model that a config describes, for one schema; names resolve to classes here.

What needs `transformers` is imported where a config asks for it: two seconds that no table waits for.
"""

from __future__ import annotations

import torch

from difflm.config import Config
from difflm.errors import ConfigError
from difflm.formats.codec import FittedCodec
from difflm.models.compact import CompactDecoder
from difflm.models.compact_encoder import CompactEncoder
from difflm.models.decoder import Decoder, Encoder
from difflm.models.details import Details
from difflm.models.document_encoder import DocumentEncoder
from difflm.models.injectors import make_injector
from difflm.models.token_encoder import TokenEncoder
from difflm.models.topics import Topics
from difflm.models.vae import LatentLM


def build_model(config: Config, codec: FittedCodec) -> LatentLM:
    """Freshly initialised by the config's seed; the language model of a causal_lm decoder is loaded, and all of the
    model is where that is: a quantised one does not leave its GPU."""
    torch.manual_seed(config.seed)
    latent, made, enters = config.latent, config.decoder, config.injection
    decoder: Decoder
    if made.kind == "compact":
        decoder = CompactDecoder(
            codec, made.width, made.layers, made.heads, enters.soft_tokens, enters.memory_slots
        )
    else:
        from difflm.models.causal_lm import CausalLMDecoder

        decoder = CausalLMDecoder.from_config(config, codec.schema)
    e = config.encoder
    sizes = (e.width, e.layers, e.heads, latent.slots, latent.slot_dim)
    encoder: Encoder
    if e.kind == "compact":
        encoder = CompactEncoder(codec, *sizes)
    elif e.kind == "tokens":
        from difflm.models.causal_lm import CausalLMDecoder

        if not isinstance(decoder, CausalLMDecoder):
            raise ConfigError("decoder.kind=causal_lm beside encoder.kind=tokens", made.kind)
        encoder = DocumentEncoder(decoder, *sizes)
    else:
        from difflm.models.transformers_encoder import TransformersEncoder

        encoder = TransformersEncoder.from_config(config, codec.schema)
    injector = make_injector(enters, latent.size, decoder)
    details = None
    shared = e.kind == {"compact": "compact", "causal_lm": "tokens"}[made.kind]
    if latent.detail_dim and shared and isinstance(encoder, TokenEncoder):
        slots = len(codec.tail_slots) if made.kind == "compact" else 0
        details = Details(latent.detail_dim, slots, encoder.state_width, decoder.width)
        if isinstance(encoder, DocumentEncoder):
            details.begin_with(encoder.token_states(), encoder.decoder.head_rows())
    topics = None
    if latent.topics and isinstance(encoder, DocumentEncoder):
        topics = Topics(len(encoder.decoder.head_rows()), latent.size)
    return LatentLM(encoder, injector, decoder, details, topics).to(decoder.device)
