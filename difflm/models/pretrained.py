"""Loading models and tokenizers of `transformers` by name or local folder, with errors that help."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from transformers import AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast

from difflm.errors import ConfigError, RunError
from difflm.sections import BUNDLED

NAMES = tuple(BUNDLED + size for size in ("tiny", "small"))
CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"


def load_model(auto: Any, path: str, dtype: torch.dtype = torch.float32) -> PreTrainedModel:
    """The model at `path` by an Auto class; safetensors only, and no code from the checkpoint is run."""
    model: PreTrainedModel = _load(auto, path, dtype=dtype, use_safetensors=True)
    return model.eval()


def load_tokenizer(path: str) -> PreTrainedTokenizerFast:
    """The fast tokenizer at `path`."""
    tokenizer = _load(AutoTokenizer, path, use_fast=True)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ConfigError(
            "a model with a fast tokenizer (tokenizer.json)", f"{type(tokenizer).__name__} at {path}"
        )
    return tokenizer


def _load(auto: Any, path: str, **settings: Any) -> Any:
    if path in NAMES and not (CHECKPOINTS / path).is_dir() and not Path(path).exists():
        raise RunError(
            f"the language model checkpoints/{path} of the project",
            "none",
            f"make it with `difflm pretrain --out checkpoints/{path}`, or name another with --decoder",
        )
    bundled = path.startswith(BUNDLED) and (CHECKPOINTS / path).is_dir()
    local = bundled or Path(path).expanduser().exists()
    place = str(CHECKPOINTS / path if bundled else Path(path).expanduser()) if local else path
    try:
        return auto.from_pretrained(place, local_files_only=local, trust_remote_code=False, **settings)
    except (OSError, ValueError, ImportError, KeyError, SafetensorError) as error:
        first = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
        if local:
            raise RunError(
                "a folder with a transformers model (config.json, tokenizer.json, *.safetensors)",
                f"{path}: {first}",
                "save it there with save_pretrained of model and tokenizer",
            ) from error
        raise RunError(
            "a local folder, or a model name that can be downloaded",
            f"{path!r}: {first}",
            "check the path; without a network, download the model elsewhere and give its folder",
        ) from error


@torch.no_grad()
def embedding_factor(embeddings: torch.nn.Module) -> float:
    """By how much the embedding of a token is larger than its row of the table: sqrt(width) in Gemma, else 1."""
    table: Any = embeddings.weight
    ids = torch.arange(min(len(table), 64), device=table.device)
    return float(embeddings(ids).float().norm() / table[ids].float().norm())


@torch.no_grad()
def is_causal(model: torch.nn.Module, embeddings: torch.nn.Module) -> bool:
    """Whether no position of `model` sees a later one: tried out, whatever the class says.

    `model` gives an output whose first entry is (B, T, any) for inputs_embeds (B, T, D)."""
    table: Any = embeddings.weight
    size = min(len(table), 8)
    ids = torch.arange(size, device=table.device).repeat(2, 1)
    ids[1, -1] = 0
    x = embeddings(ids)
    first = model(inputs_embeds=x, attention_mask=torch.ones_like(ids))[0][:, 0].float()
    return bool(torch.allclose(first[0], first[1], atol=1e-4))


def positions_of(config: Any) -> int | None:
    """The longest input of a model, where its configuration names one."""
    found = getattr(config.get_text_config(), "max_position_embeddings", None)
    return int(found) if found and found > 0 else None
