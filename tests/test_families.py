"""Families of language models as decoders and encoders, as tiny random models of their own classes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tiny_lm
import torch
from transformers import (
    BertConfig,
    BertModel,
    LlamaConfig,
    LlamaModel,
    PreTrainedConfig,
    PreTrainedModel,
    RobertaConfig,
    RobertaModel,
    T5Config,
    T5Model,
)

from difflm.config import Config
from difflm.errors import ConfigError
from difflm.models.causal_lm import CausalLMDecoder
from difflm.models.injected import STD, MemoryShape
from difflm.models.kv_memory import measure_keys
from difflm.models.transformers_encoder import TransformersEncoder
from difflm.pipeline import DiffLM
from tests.test_injections import TINY, built, fitted, injected_of, stepped, table

BOTH = pytest.mark.parametrize("kind", ["soft_prompt", "kv_memory"])
FAMILIES = pytest.mark.parametrize("name", tiny_lm.FAMILIES)
GROUPED = {"gpt2": MemoryShape(2, 4, 8)}
SIZES: dict[str, Any] = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 48,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
}
WIDE = ("mistral", "qwen3", "gemma", "gemma2", "gemma3")


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("families")
    for name in tiny_lm.FAMILIES:
        tiny_lm.save_family(root / name, name)
    return root


@FAMILIES
@BOTH
def test_likelihood_and_writing_agree(saved: Path, name: str, kind: str) -> None:
    """Records are longer than the window of those that have one."""
    model, batch = built(saved, name, kind)
    assert batch["text_mask"].sum(dim=1).max() > 16
    injected = injected_of(model)
    with torch.no_grad():
        whole = model.decoder.row_nll(injected, batch)
        torch.testing.assert_close(whole, stepped(model, injected, batch), rtol=1e-4, atol=2e-3)


@FAMILIES
def test_what_enters_has_the_size_of_tokens(saved: Path, name: str) -> None:
    model, _ = built(saved, name, "soft_prompt")
    decoder = model.decoder
    assert isinstance(decoder, CausalLMDecoder)
    ids = torch.arange(len(decoder.token_rows()))
    tokens = decoder.lm.get_input_embeddings()(ids)
    prompt = decoder.scaled(torch.randn(400, decoder.width) * STD)
    assert prompt.std() == pytest.approx(float(tokens.std()), rel=0.1)
    shape = MemoryShape(2, 2, 16 if name in WIDE else 8)
    assert measure_keys(decoder.lm).shape == GROUPED.get(name, shape)


@FAMILIES
@BOTH
def test_fit_sample_save_and_load(
    saved: Path, name: str, kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for most in ("training.costs.SHOWN_ROWS", "fitting.SHOWN_DOCUMENTS", "training.look.LOOKED_DOCUMENTS"):
        monkeypatch.setattr(f"difflm.{most}", 2)
    monkeypatch.setattr("difflm.training.plan.LEAST_STEPS", 2)
    monkeypatch.setattr("difflm.fitting.machine_speed", lambda device: 1.0)
    settings = {
        **TINY,
        "injection.kind": kind,
        "decoder.kind": "causal_lm",
        "decoder.path": str(saved / name),
        "vae.epochs": 1,
        "vae.evaluations": 2,
        "prior.steps": 5,
        "prior.width": 16,
        "sample.batch_size": 8,
    }
    model = DiffLM.fit(table(), preset="quick", overrides=settings)
    rows = model.sample(5, seed=1)
    assert len(rows) == 5 and list(rows) == list(table())
    model.save_pretrained(tmp_path)
    pd.testing.assert_frame_equal(DiffLM.from_pretrained(tmp_path).sample(5, seed=1), rows)


ENCODERS: dict[str, tuple[type[PreTrainedModel], PreTrainedConfig]] = {
    "bert": (BertModel, BertConfig(**SIZES)),
    "roberta": (RobertaModel, RobertaConfig(**SIZES, max_position_embeddings=514)),
    "t5": (T5Model, T5Config(vocab_size=400, d_model=32, d_ff=48, d_kv=8, num_layers=1, num_heads=2)),
    "llama": (LlamaModel, LlamaConfig(**SIZES)),
}


def encoder_of(path: Path, pooling: str = "auto") -> TransformersEncoder:
    codec, _ = fitted()
    values = {"encoder.kind": "transformers", "encoder.path": str(path), "encoder.pooling": pooling}
    return TransformersEncoder.from_config(Config.from_preset("quick", values), codec.schema).eval()


@pytest.mark.parametrize("name", ENCODERS)
def test_encoders_pool_as_they_are_told(name: str, tmp_path: Path) -> None:
    kind, config = ENCODERS[name]
    torch.manual_seed(0)
    kind(config).save_pretrained(tmp_path)
    tiny_lm.byte_level(cls_token="[C]", pad_token="[P]").save_pretrained(tmp_path)
    rows = fitted()[1].iloc[:4]
    found = {}
    for pooling in ("auto", "mean", "last", "cls"):
        if name == "llama" and pooling == "cls":
            with pytest.raises(ConfigError, match="mean or last for a causal model"):
                encoder_of(tmp_path, pooling)
            continue
        torch.manual_seed(1)
        encoder = encoder_of(tmp_path, pooling)
        mu, _ = encoder(encoder.prepare(rows))
        single, _ = encoder(encoder.prepare(rows.iloc[[0]]))
        torch.testing.assert_close(mu[:1], single, rtol=1e-4, atol=1e-5)
        found[pooling] = mu.detach()
    assert torch.equal(found["auto"], found["last" if name == "llama" else "mean"])
    assert not torch.allclose(found["mean"], found["last"], atol=1e-4)


def test_a_sentence_encoder_pools_as_its_folder_says(tmp_path: Path) -> None:
    kind, config = ENCODERS["bert"]
    kind(config).save_pretrained(tmp_path)
    tiny_lm.byte_level(cls_token="[C]").save_pretrained(tmp_path)
    (tmp_path / "1_Pooling").mkdir()
    file = tmp_path / "1_Pooling" / "config.json"
    file.write_text(json.dumps({"pooling_mode_cls_token": True, "pooling_mode_mean_tokens": False}))
    assert encoder_of(tmp_path).pooling == "cls" and encoder_of(tmp_path, "mean").pooling == "mean"
    file.write_text(json.dumps({"pooling_mode_max_tokens": True}))
    with pytest.raises(ConfigError, match=r"set encoder\.pooling"):
        encoder_of(tmp_path)
