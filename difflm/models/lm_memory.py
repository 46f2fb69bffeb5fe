"""How much memory a causal LM will take, from its config alone: refused before it is loaded where it cannot fit.

What a step keeps was counted with hooks on what autograd saves of Llama, Qwen 3, Gemma 2 and GPT-2. T tokens of a row,
D width, F hidden width of the MLP, A width of queries, keys and values together, H heads, V vocabulary.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import nn
from transformers import AutoModelForCausalLM

from difflm.config import Config
from difflm.errors import DiffLMError, ResourceError
from difflm.estimates import COPIES, Estimate
from difflm.memory import free_bytes
from difflm.models.causal_nll import LOGIT_BUDGET
from difflm.models.lm_layers import layers_of
from difflm.models.pretrained import load_config
from difflm.ranks import launched
from difflm.sections import DecoderConfig

JOINT = 1.5
"""What autograd keeps beside, where weights are trained too."""
COMPILED = 2 / 3
"""Of that is kept where the layers of a frozen LM are compiled: what is cheap is computed again. Measured by
benchmarks/gpu.py, of Llamas of 308 and 610 M weights. Of one trained along as much as when not compiled."""
LOGIT_BYTES = 12
"""Of one logit: as the LM gives it, in float32, and its gradient."""
SURE = 0.75
"""Share of an estimate that is certainly needed: with less the answer is no, between this and all of it one may try."""
MOST_SLOTS, CACHE_SHARE = 512, 0.25
"""Rows that a GPU writes at once, and the share of its memory that their keys and values may take."""
WRITTEN = 32
"""Rows whose keys and values have to fit beside the weights for anything to be written."""
GB = 2.0**30
FLOAT = 4
"""Bytes of a number on a CPU."""
LIBRARY_BYTES = 3e8
"""Of `transformers`, once it is imported."""


@dataclass(frozen=True)
class Need:
    """Bytes: of the weights (with gradients, moments and averages, where they are trained), of one row in a training
    step without and with its logits, and of the keys and values of one row while it is written."""

    weights: float
    row: float
    logits: float
    cache: float

    def step(self, rows: int) -> float:
        """What a training step of so many rows keeps beside the weights."""
        return rows * self.row + min(rows * self.logits, LOGIT_BUDGET * LOGIT_BYTES)


def need_of(config: Any, settings: DecoderConfig, tokens: float, size: int, device: str = "cpu") -> Need:
    """For rows of `tokens` tokens, the LM's `config`, and `size` bytes of a number. Off a CPU attention is fused, and
    keeps nothing for each pair of tokens."""
    text = config.get_text_config()
    layers, heads, width = text.num_hidden_layers, text.num_attention_heads, text.hidden_size
    shared, head = _shared(text)
    hidden = getattr(text, "intermediate_size", None) or getattr(text, "n_inner", None) or 4 * width
    # Floats of one token in one layer: 3 F + 3 D + 2.5 A, and the attention to T tokens before and after its softmax.
    numbers = 3 * hidden + 3 * width + 2.5 * (heads + 2 * shared) * head
    numbers *= JOINT if settings.joint else COMPILED if settings.compile else 1.0
    numbers += 2 * heads * tokens if device == "cpu" else 0.0
    # With checkpointing one layer at a time, and what goes into each.
    kept = layers * width + numbers if settings.checkpointing or settings.away else layers * numbers
    return Need(
        weights=weight_bytes(config, settings, size) * (COPIES + 1 if settings.joint else 1),
        row=tokens * kept * size,
        logits=tokens * text.vocab_size * LOGIT_BYTES,
        cache=cache_bytes(config, tokens, size),
    )


def cache_bytes(config: Any, tokens: float, size: int) -> float:
    """Keys and values of a row of so many tokens, in numbers of `size` bytes."""
    text = config.get_text_config()
    shared, head = _shared(text)
    return float(2 * text.num_hidden_layers * shared * head * tokens * size)


def slots_of(config: Any, tokens: int, size: int, device: torch.device) -> int:
    """Rows that a GPU writes at once: MOST_SLOTS, fewer where their caches would take more than a share of its memory.
    By all its memory, not by what is free: the rows of a seed are the same beside other work."""
    memory = torch.cuda.get_device_properties(device).total_memory
    return int(min(MOST_SLOTS, max(1, CACHE_SHARE * memory / cache_bytes(config, tokens, size))))


def _shared(text: Any) -> tuple[int, int]:
    """Heads of keys and values, and the width of one."""
    heads = text.num_attention_heads
    shared = getattr(text, "num_key_value_heads", None) or heads
    return shared, getattr(text, "head_dim", None) or text.hidden_size // heads


def with_decoder(cost: Estimate, config: Config, tokens: float) -> Estimate:
    """`cost` with what the causal LM of `config` adds: the longest records decide, since a batch is as long as these.
    The same `cost` where the LM's config is not at hand."""
    try:
        found = load_config(str(config.decoder.path))
    except DiffLMError:
        return cost
    need = need_of(found, config.decoder, tokens, FLOAT)
    trained = weight_bytes(found, config.decoder, 1) if config.decoder.joint else 0
    return replace(
        cost,
        memory_gb=cost.memory_gb + (LIBRARY_BYTES + need.weights + need.step(config.vae.batch_size)) / 1e9,
        parameters=cost.parameters + int(trained),
    )


def weight_bytes(config: Any, settings: DecoderConfig, size: int) -> float:
    """Weights of a model of this config on the device: with bits its linear layers are quantised, embeddings and head
    are not; of offloaded layers there is one, of sharded ones a share beside."""
    with torch.device("meta"):
        lm = AutoModelForCausalLM.from_config(config)
    head, bits = lm.get_output_embeddings(), settings.bits
    linear = sum(m.weight.numel() for m in lm.modules() if isinstance(m, nn.Linear) and m is not head)
    others = sum(p.numel() for p in lm.parameters()) - linear
    whole = others * size + linear * (bits / 8 if bits else size)
    layers = [_weights(layer) * size for layer in layers_of(lm)]
    if not settings.away:
        return whole
    held = sum(layers) / launched() if settings.shard else 0.0
    return whole - sum(layers) + max(layers, default=0) + held


def _weights(module: nn.Module) -> int:
    return sum(p.numel() for p in module.parameters())


def check_weights(config: Any, settings: DecoderConfig, device: torch.device, size: int) -> None:
    """ResourceError where the weights do not fit, with the cache of a few of the longest records."""
    cache = WRITTEN * need_of(config, settings, settings.max_tokens, size).cache
    free, need = free_bytes(device), weight_bytes(config, settings, size) + cache
    if need <= free:
        if settings.away and device.type != "cpu":
            _check_main_memory(config, settings, size)
        return
    ways: list[dict[str, Any]] = [] if settings.joint else [{"bits": 8}, {"bits": 4}]
    if ways and device.type == "cuda":
        ways.append({"offload": True})
    plain = {"bits": None, "offload": False, "shard": False, "compile": False}
    fitting = [
        f"set decoder.{key}={str(value).lower()}"
        for way in ways
        if weight_bytes(config, settings.model_copy(update={**plain, **way}), size) + cache <= free
        for key, value in way.items()
    ]
    raise ResourceError(
        f"a language model of at most {free / GB:.1f} GB (free on this {device.type})",
        f"one of about {need / GB:.1f} GB: {settings.path}",
        fitting[0] if fitting else "take a smaller decoder, or a larger machine",
    )


def _check_main_memory(config: Any, settings: DecoderConfig, size: int) -> None:
    """ResourceError where main memory does not hold the weights of every process on this machine."""
    processes = int(os.environ.get("LOCAL_WORLD_SIZE", 1))
    need = processes * weight_bytes(
        config, settings.model_copy(update={"offload": False, "shard": False}), size
    )
    free = free_bytes(torch.device("cpu"))
    if need > free:
        raise ResourceError(
            f"layers of at most {free / GB:.1f} GB (free main memory)",
            f"{need / GB:.1f} GB of {processes} processes: {settings.path}",
            "start fewer processes on this machine, or take a smaller decoder",
        )


def check_step(
    config: Any,
    settings: DecoderConfig,
    rows: int,
    tokens: float,
    device: torch.device,
    size: int,
    loaded: bool = False,
) -> None:
    """ResourceError where a training step of so many rows certainly does not fit beside the weights (those that are
    `loaded` count no more); it names how many rows do."""
    if not loaded:
        check_weights(config, settings, device, size)
    need = need_of(config, settings, tokens, size, device.type)
    held = need.weights - (weight_bytes(config, settings, size) if loaded else 0)
    free = free_bytes(device) - held
    if SURE * need.step(rows) <= free:
        return
    fitting = rows
    while fitting and need.step(fitting) > free:
        fitting //= 2
    raise ResourceError(
        f"a training step of at most {max(free, 0) / GB:.1f} GB (free on this {device.type} beside the weights)",
        f"about {need.step(rows) / GB:.1f} GB for {rows} records of {tokens:.0f} tokens",
        f"set vae.batch_size={fitting}" if fitting else "take a smaller decoder, or shorter records",
    )
