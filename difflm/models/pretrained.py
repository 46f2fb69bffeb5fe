"""Loading models and tokenizers of `transformers` by name or local folder, with errors that help."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import (
    GatedRepoError,
    HFValidationError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from safetensors import SafetensorError
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel, PreTrainedTokenizerFast
from transformers.utils.hub import cached_file

from difflm.errors import ConfigError, RunError
from difflm.sections import BASES, BUNDLED

CHECKPOINTS = Path(__file__).resolve().parents[2] / "checkpoints"
POOLING = "1_Pooling/config.json"
"""Where sentence encoders say how their tokens become one vector."""
POOLINGS = {"mean": "mean_tokens", "cls": "cls_token", "last": "lasttoken"}


def load_model(auto: Any, path: str, dtype: torch.dtype = torch.float32, **settings: Any) -> PreTrainedModel:
    """The model at `path` by an Auto class; safetensors only, and no code from the checkpoint is run."""
    model: PreTrainedModel = _load(auto, path, dtype=dtype, use_safetensors=True, **settings)
    return model.eval()


def load_config(path: str) -> Any:
    """The config of the model at `path`, without its weights."""
    return _load(AutoConfig, path)


def load_tokenizer(path: str) -> PreTrainedTokenizerFast:
    """The fast tokenizer at `path`."""
    tokenizer = _load(AutoTokenizer, path, use_fast=True)
    if not isinstance(tokenizer, PreTrainedTokenizerFast):
        raise ConfigError(
            "a model with a fast tokenizer (tokenizer.json)", f"{type(tokenizer).__name__} at {path}"
        )
    return tokenizer


def sentence_pooling(path: str) -> str | None:
    """How the sentence encoder at `path` pools its tokens; None for any other model."""
    place, local = _place(path)
    if local:
        file = Path(place) / POOLING
    else:
        quiet = {f"_raise_exceptions_for_{kind}": False for kind in ("missing_entries", "connection_errors")}
        found = cached_file(place, POOLING, **quiet)
        if found is None:
            return None
        file = Path(found)
    if not file.is_file():
        return None
    told = json.loads(file.read_text(encoding="utf-8"))
    asked = [name for name, key in POOLINGS.items() if told.get(f"pooling_mode_{key}")]
    if len(asked) != 1:
        raise ConfigError(
            "a sentence encoder that pools by mean, cls or last token",
            f"{path} with another or several",
            "set encoder.pooling",
        )
    return asked[0]


def _place(path: str) -> tuple[str, bool]:
    """Where `path` is, and whether that is a folder here: given, or of the project."""
    bundled = path.startswith(BUNDLED) and (CHECKPOINTS / path).is_dir()
    local = bundled or Path(path).expanduser().exists()
    return (str(CHECKPOINTS / path if bundled else Path(path).expanduser()) if local else path), local


def _load(auto: Any, path: str, **settings: Any) -> Any:
    place, local = _place(path)
    if path in BASES and not local:
        raise RunError(
            f"the language model checkpoints/{path} of the project",
            "none",
            f"make it with `difflm pretrain --out checkpoints/{path}`, or name another with --decoder",
        )
    try:
        return auto.from_pretrained(place, local_files_only=local, trust_remote_code=False, **settings)
    except (OSError, ValueError, ImportError, KeyError, SafetensorError) as error:
        raise _explained(path, local, error) from error


def _explained(path: str, local: bool, error: Exception) -> RunError:
    """What went wrong in loading `path`, and what to do."""
    first = str(error).strip().splitlines()[0][:200] if str(error).strip() else type(error).__name__
    if local:
        return RunError(
            "a folder with a transformers model (config.json, tokenizer.json, *.safetensors)",
            f"{path}: {first}",
            "save it there with save_pretrained of model and tokenizer",
        )
    causes, cause = [], error
    while isinstance(cause, Exception) and cause not in causes:
        causes.append(cause)
        cause = cause.__cause__ or cause.__context__  # type: ignore[assignment]
    kinds = tuple(type(one) for one in causes)
    if any(issubclass(kind, GatedRepoError) for kind in kinds):
        return RunError(
            "a model that may be downloaded",
            f"{path!r}, which is gated",
            "accept its terms on its page, set HF_TOKEN to a token of that account, and try again",
        )
    if any(issubclass(kind, RepositoryNotFoundError | HFValidationError) for kind in kinds):
        return RunError(
            "a local folder, or the name of a model that exists",
            f"{path!r}",
            "check the spelling (OWNER/NAME); a private model needs HF_TOKEN",
        )
    offline = (OfflineModeIsEnabled, LocalEntryNotFoundError, ConnectionError, TimeoutError)
    if any(issubclass(kind, offline) for kind in kinds):
        return RunError(
            "a local folder, or a model that can be downloaded",
            f"{path!r}, and no network",
            "check the connection; without a network, download the model elsewhere and give its folder",
        )
    return RunError(
        "a model of transformers with safetensors, by name or local folder",
        f"{path!r}: {first}",
        "take another model, or a folder that holds it",
    )


def embeddings_of(model: PreTrainedModel) -> torch.nn.Module:
    """The input embeddings of `model`, a module with a `weight` (V, D); ConfigError where it has none."""
    try:
        embeddings: Any = model.get_input_embeddings()
    except (NotImplementedError, AttributeError):
        embeddings = None
    if getattr(getattr(embeddings, "weight", None), "ndim", 0) != 2:
        raise ConfigError(
            "a model that gives its input embeddings (get_input_embeddings)",
            f"{type(model).__name__}, which does not",
            "take another model, such as a Llama, Qwen, Gemma, Mistral, Phi or GPT-2",
        )
    found: torch.nn.Module = embeddings
    return found


def check_vocabulary(tokenizer: PreTrainedTokenizerFast, embeddings: torch.nn.Module) -> None:
    """ConfigError where the tokenizer has tokens without an embedding: it is that of another model. Special tokens that
    were added to it and that no record has may lie beyond."""
    table: Any = embeddings.weight
    ends = (tokenizer.bos_token_id, tokenizer.eos_token_id)
    size = max(tokenizer.vocab_size, *(token + 1 for token in ends if token is not None), 0)
    if size > len(table):
        raise ConfigError(
            f"a tokenizer of at most {len(table):,} tokens (rows of the embedding table)",
            f"one of {size:,}",
            "give the model its own tokenizer: the one that it was trained with",
        )


@torch.no_grad()
def embedding_factor(embeddings: torch.nn.Module) -> float:
    """By how much the embedding of a token is larger than its row of the table: sqrt(width) in Gemma, else 1."""
    table: Any = embeddings.weight
    ids = torch.arange(min(len(table), 64), device=table.device)
    return float(embeddings(ids).float().norm() / table[ids].float().norm())


@torch.no_grad()
def is_causal(model: torch.nn.Module, embeddings: torch.nn.Module, loose: bool = False) -> bool:
    """Whether no position of `model` sees a later one: tried out, whatever the class says.

    `model` gives an output whose first entry is (B, T, any) for inputs_embeds (B, T, D). In 8 bits the tokens of a
    batch share what is rounded how: `loose` lets a tenth of the spread pass."""
    table: Any = embeddings.weight
    size = min(len(table), 8)
    ids = torch.arange(size, device=table.device).repeat(2, 1)
    ids[1, -1] = 0
    x = embeddings(ids)
    first = model(inputs_embeds=x, attention_mask=torch.ones_like(ids))[0][:, 0].float()
    return bool(torch.allclose(first[0], first[1], atol=0.1 * float(first.std()) if loose else 1e-4))


def positions_of(config: Any) -> int | None:
    """The longest input of a model, where its configuration names one."""
    found = getattr(config.get_text_config(), "max_position_embeddings", None)
    return int(found) if found and found > 0 else None
