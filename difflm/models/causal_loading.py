"""Loading a causal LM as the decoder: in which precision, quantised or not, and only where it fits into memory."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from typing import Any

import torch
from transformers import AutoModelForCausalLM, BitsAndBytesConfig, PreTrainedModel

from difflm.errors import ConfigError
from difflm.models.lm_memory import check_step, check_weights
from difflm.models.pretrained import load_config, load_model
from difflm.precision import native_bfloat16
from difflm.sections import DecoderConfig


def load_decoder(settings: DecoderConfig) -> PreTrainedModel:
    """The LM at decoder.path: bfloat16 where a GPU computes it, else float32; its linear layers in decoder.bits.

    ConfigError for bits without bitsandbytes, ResourceError for a model that does not fit."""
    path, dtype = _path(settings), _dtype()
    quantised = _quantisation(settings.bits, dtype) if settings.bits else {}
    check_weights(load_config(path), settings, _device(), dtype.itemsize)
    return load_model(AutoModelForCausalLM, path, dtype, **quantised)


def check_room(settings: DecoderConfig, rows: int, tokens: float, loaded: bool = False) -> None:
    """ResourceError where a training step of so many rows of so many tokens does not fit, nor the LM beside it unless
    it is `loaded`; only its config is read."""
    config, size = load_config(_path(settings)), _dtype().itemsize
    check_step(config, settings, rows, tokens, _device(), size, loaded)


def is_quantised(lm: PreTrainedModel) -> bool:
    """Whether its weights stay where and as they were loaded."""
    return getattr(lm, "hf_quantizer", None) is not None


def _path(settings: DecoderConfig) -> str:
    if settings.path is None:
        raise ConfigError("decoder.path (--decoder NAME_OR_PATH)", "none")
    return settings.path


def _dtype() -> torch.dtype:
    device = _device()
    return torch.bfloat16 if device.type == "cuda" and native_bfloat16(device) else torch.float32


def _device() -> torch.device:
    return torch.device("cuda" if torch.cuda.is_available() else "cpu")


def _quantisation(bits: int, dtype: torch.dtype) -> dict[str, Any]:
    if find_spec("bitsandbytes") is None:
        raise ConfigError(
            f"the package bitsandbytes, for decoder.bits={bits}",
            "none",
            "install it with `pip install bitsandbytes`, or leave decoder.bits empty",
        )
    # It says at each product that half precision is taken for it.
    logging.getLogger("bitsandbytes").setLevel(logging.ERROR)
    how = (
        BitsAndBytesConfig(load_in_8bit=True)
        if bits == 8
        else BitsAndBytesConfig(load_in_4bit=True, bnb_4bit_quant_type="nf4", bnb_4bit_compute_dtype=dtype)
    )
    place = torch.cuda.current_device() if torch.cuda.is_available() else "cpu"
    return {"quantization_config": how, "device_map": {"": place}}
