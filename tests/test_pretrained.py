"""Errors of loading a model: one message each, with what was expected, what came, and what to do."""

from __future__ import annotations

from pathlib import Path

import httpx2
import pytest
import tiny_lm
import torch
from huggingface_hub.errors import (
    GatedRepoError,
    LocalEntryNotFoundError,
    OfflineModeIsEnabled,
    RepositoryNotFoundError,
)
from transformers import AutoModelForCausalLM, GPT2Config, GPT2LMHeadModel

from difflm.errors import ConfigError, RunError
from difflm.models.pretrained import embedding_factor, embeddings_of, load_model
from tests.test_injections import built

ANSWER = httpx2.Response(403, request=httpx2.Request("GET", "http://localhost"))


@pytest.mark.parametrize(
    ("cause", "message"),
    [
        (GatedRepoError("no", response=ANSWER), "'owner/model', which is gated; accept its terms"),
        (
            RepositoryNotFoundError("no", response=ANSWER),
            "a model that exists, but got 'owner/model'; check the",
        ),
        (OfflineModeIsEnabled("no"), "'owner/model', and no network"),
        (LocalEntryNotFoundError("no"), "without a network, download the model elsewhere"),
        (ConnectionError("refused"), "and no network"),
        (KeyError("mamba9"), r"a model of transformers .* 'owner/model': .*mamba9"),
    ],
)
def test_each_reason_has_its_message(cause: Exception, message: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def from_pretrained(*_: object, **__: object) -> None:
        try:
            raise cause
        except Exception as error:
            raise OSError(f"cannot load: {error}") from error

    monkeypatch.setattr(AutoModelForCausalLM, "from_pretrained", from_pretrained)
    with pytest.raises(RunError, match=message):
        load_model(AutoModelForCausalLM, "owner/model")


def test_a_tokenizer_of_another_model_is_refused(tmp_path: Path) -> None:
    tokenizer = tiny_lm.byte_level(bos_token="<e>", eos_token="<e>")
    config = GPT2Config(vocab_size=len(tokenizer) - 5, n_embd=16, n_layer=1, n_head=2)
    GPT2LMHeadModel(config).save_pretrained(tmp_path / "model")
    tokenizer.save_pretrained(tmp_path / "model")
    expected = (
        rf"at most {len(tokenizer) - 5} tokens .* but got one of {len(tokenizer)}; give the model its own"
    )
    with pytest.raises(ConfigError, match=expected):
        built(tmp_path, "model", "soft_prompt")


def test_a_model_without_embeddings_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    model = GPT2LMHeadModel(GPT2Config(vocab_size=20, n_embd=16, n_layer=1, n_head=2))
    assert embedding_factor(embeddings_of(model)) == 1.0
    monkeypatch.setattr(GPT2LMHeadModel, "get_input_embeddings", lambda self: torch.nn.Identity())
    with pytest.raises(ConfigError, match="gives its input embeddings"):
        embeddings_of(model)
