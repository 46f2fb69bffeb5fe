"""What a causal LM takes, told from its config: near what is really kept, and refused where it cannot fit."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import tiny_lm
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from difflm.config import Config
from difflm.errors import ConfigError, ResourceError
from difflm.estimates import estimate
from difflm.models import causal_loading, lm_memory
from difflm.models.causal_loading import load_decoder
from difflm.models.lm_memory import (
    GB,
    MOST_SLOTS,
    check_step,
    check_weights,
    need_of,
    slots_of,
    with_decoder,
)
from difflm.sections import DecoderConfig
from difflm.training.fit import check_decoder
from tests.test_injections import fitted

CPU = torch.device("cpu")
GPU = torch.device("cuda")
FROZEN = DecoderConfig(kind="causal_lm", path="x", training="frozen")
WIDE = {"hidden_size": 64, "intermediate_size": 192, "num_attention_heads": 4, "num_key_value_heads": 2}
SHAPES: dict[str, dict[str, Any]] = {
    "llama": WIDE,
    "qwen3": {**WIDE, "head_dim": 32},
    "gemma2": {**WIDE, "head_dim": 32},
    "gpt2": {"n_embd": 64, "n_head": 4, "n_positions": 512, "n_inner": 256},
}


def config_of(name: str, **more: Any) -> Any:
    layers = {"n_layer": 2} if name == "gpt2" else {"num_hidden_layers": 2}
    return AutoConfig.for_model(name, vocab_size=500, **{**layers, **SHAPES[name], **more})


def kept_bytes(lm: torch.nn.Module, rows: int, tokens: int) -> int:
    """What autograd keeps of a pass, parameters left out."""
    own = {p.untyped_storage().data_ptr() for p in lm.parameters()}
    kept: dict[int, torch.Tensor] = {}

    def pack(one: torch.Tensor) -> torch.Tensor:
        if one.untyped_storage().data_ptr() not in own:
            kept[one.untyped_storage().data_ptr()] = one
        return one

    x = torch.randn(rows, tokens, 64, requires_grad=True)
    with torch.autograd.graph.saved_tensors_hooks(pack, lambda one: one):
        lm.base_model(inputs_embeds=x, use_cache=False)  # type: ignore[operator]
    return sum(one.untyped_storage().nbytes() for one in kept.values())


@pytest.mark.parametrize("name", SHAPES)
@pytest.mark.parametrize("training", ["frozen", "joint"])
def test_the_estimate_is_near_what_is_kept(name: str, training: str) -> None:
    config = config_of(name)
    lm = AutoModelForCausalLM.from_config(config, attn_implementation="eager").eval()
    lm.requires_grad_(training == "joint")
    settings = DecoderConfig(kind="causal_lm", path="x", training=training)  # type: ignore[arg-type]
    need = need_of(config, settings, 100, 4)
    assert 0.7 < 3 * need.row / kept_bytes(lm, 3, 100) < 1.5
    weights = sum(p.numel() for p in lm.parameters()) * 4
    assert need.weights == weights * (1 if training == "frozen" else 6)
    cache = lm(input_ids=torch.zeros(1, 100, dtype=torch.long), use_cache=True).past_key_values
    assert need.cache == sum(one.nbytes for layer in cache.layers for one in (layer.keys, layer.values))


def test_a_fused_attention_keeps_nothing_for_pairs_of_tokens() -> None:
    plain, fused = (need_of(config_of("llama"), FROZEN, 100, 2, device) for device in ("cpu", "cuda"))
    assert plain.row - fused.row == pytest.approx(100 * 2 * 4 * 2 * 100 * 2)
    assert plain.cache == fused.cache and plain.weights == fused.weights


def test_with_checkpointing_a_layer_more_costs_only_its_input() -> None:
    settings = FROZEN.model_copy(update={"checkpointing": True})
    kept, told = [], []
    for layers in (2, 8):
        config = config_of("llama", num_hidden_layers=layers)
        lm = AutoModelForCausalLM.from_config(config, attn_implementation="eager").requires_grad_(False)
        lm.gradient_checkpointing_enable({"use_reentrant": False})
        kept.append(kept_bytes(lm.train(), 3, 100))
        told.append(3 * need_of(config, settings, 100, 4).row)
    assert told[1] - told[0] == pytest.approx(kept[1] - kept[0], rel=0.05)
    assert told[1] < 3 * need_of(config, FROZEN, 100, 4).row / 4


def test_offloaded_layers_count_as_one_and_sharded_ones_by_their_share(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    away, layers = FROZEN.model_copy(update={"offload": True}), 8
    config = config_of("llama", num_hidden_layers=layers)
    lm = AutoModelForCausalLM.from_config(config)
    layer = 4 * sum(p.numel() for p in lm.model.layers[0].parameters())
    assert (
        need_of(config, FROZEN, 50, 4).weights - need_of(config, away, 50, 4).weights == (layers - 1) * layer
    )
    monkeypatch.setattr(lm_memory, "launched", lambda: 4)
    sharded = need_of(config, FROZEN.model_copy(update={"shard": True}), 50, 4).weights
    assert sharded - need_of(config, away, 50, 4).weights == layers * layer / 4


def test_offloaded_layers_need_main_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    config, away = config_of("llama", num_hidden_layers=8), FROZEN.model_copy(update={"offload": True})
    whole = need_of(config, FROZEN, 50, 4).weights
    free = {"cpu": 1.5 * whole, "cuda": whole}
    monkeypatch.setattr(lm_memory, "free_bytes", lambda device: free[device.type])
    monkeypatch.setattr(lm_memory, "WRITTEN", 0)
    check_weights(config, away, GPU, 4)
    monkeypatch.setenv("LOCAL_WORLD_SIZE", "2")
    with pytest.raises(ResourceError, match=r"free main memory.*of 2 processes: x; start fewer"):
        check_weights(config, away, GPU, 4)


def test_a_small_gpu_writes_fewer_rows_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of("llama")
    row, gpu = need_of(config, FROZEN, 100, 2).cache, torch.device("cuda")
    for rows, wanted in ((10**6, MOST_SLOTS), (40, 10), (0, 1)):
        properties = SimpleNamespace(total_memory=rows * row)
        monkeypatch.setattr(torch.cuda, "get_device_properties", lambda device, found=properties: found)
        assert slots_of(config, 100, 2, gpu) == wanted


def test_the_cost_of_a_training_counts_the_language_model() -> None:
    config = Config.from_preset("standard").for_record("tool")
    alone = estimate(config, 2_000, 1)
    short, long = (with_decoder(alone, config, tokens) for tokens in (100, 500))
    assert alone.memory_gb + 1 < short.memory_gb < long.memory_gb < 8
    assert short.parameters - alone.parameters == 4_885_760  # those of base-tiny, which are trained along
    frozen = config.model_copy(update={"decoder": config.decoder.model_copy(update={"training": "frozen"})})
    assert with_decoder(alone, frozen, 100).parameters == alone.parameters
    missing = config.model_copy(update={"decoder": config.decoder.model_copy(update={"path": "not/here"})})
    assert with_decoder(alone, missing, 100) == alone


def test_a_refusal_names_a_number_that_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    config = config_of("llama")
    need = need_of(config, FROZEN, 50, 4)
    monkeypatch.setattr(lm_memory, "WRITTEN", 0)
    monkeypatch.setattr(lm_memory, "free_bytes", lambda device: need.weights + need.step(20))
    check_step(config, FROZEN, 20, 50, CPU, 4)
    with pytest.raises(ResourceError, match=r"64 records of 50 tokens; set vae\.batch_size=16"):
        check_step(config, FROZEN, 64, 50, CPU, 4)
    check_step(config, FROZEN, 16, 50, CPU, 4)
    monkeypatch.setattr(lm_memory, "free_bytes", lambda device: need.step(2))
    check_step(config, FROZEN, 2, 50, CPU, 4, loaded=True)
    monkeypatch.setattr(lm_memory, "free_bytes", lambda device: need.weights * 0.7)
    with pytest.raises(ResourceError, match=r"GB: x; set decoder\.bits=8"):
        check_step(config, FROZEN, 8, 50, GPU, 4)
    with pytest.raises(ResourceError, match=r"GB: x; set decoder\.bits=8"):
        check_step(config, FROZEN, 8, 50, CPU, 4)
    with pytest.raises(ResourceError, match="take a smaller decoder"):
        check_step(config, FROZEN.model_copy(update={"training": "joint"}), 8, 50, CPU, 4)
    deep = config_of("llama", num_hidden_layers=20)
    away = need_of(deep, FROZEN.model_copy(update={"offload": True}), 50, 4)
    monkeypatch.setattr(lm_memory, "free_bytes", lambda device: away.weights)
    with pytest.raises(ResourceError, match=r"GB: x; set decoder\.offload=true"):
        check_step(deep, FROZEN, 8, 50, GPU, 4)


def test_seven_billion_weights_are_counted_without_being_made() -> None:
    config = AutoConfig.for_model("mistral", num_key_value_heads=8)
    need = need_of(config, FROZEN, 100, 2)
    assert need.weights / GB == pytest.approx(13.5, abs=0.1)
    quantised = FROZEN.model_copy(update={"bits": 4})
    assert need_of(config, quantised, 100, 2).weights / GB == pytest.approx(3.7, abs=0.2)


def test_a_model_that_cannot_fit_is_not_loaded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_lm.save_family(tmp_path / "llama", "llama")
    codec, rows = fitted()
    config = Config.from_preset("quick", {"decoder.kind": "causal_lm", "decoder.path": str(path)})
    check_decoder(config, codec.schema, rows)
    monkeypatch.setattr(lm_memory, "free_bytes", lambda device: 1000)
    monkeypatch.setattr(causal_loading, "load_model", lambda *_, **__: pytest.fail("was loaded"))
    with pytest.raises(ResourceError, match=r"at most 0\.0 GB"):
        check_decoder(config, codec.schema, rows)
    with pytest.raises(ResourceError, match="take a smaller decoder"):
        load_decoder(config.decoder)


def test_bits_say_what_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = FROZEN.model_copy(update={"bits": 8})
    monkeypatch.setattr(causal_loading, "find_spec", lambda name: None)
    with pytest.raises(ConfigError, match=r"bitsandbytes, for decoder\.bits=8.*pip install bitsandbytes"):
        load_decoder(settings)
    base = {"decoder.kind": "causal_lm", "decoder.path": "x"}
    for changes, told in (
        ({**base, "decoder.bits": 3}, "must be 4, 8 or empty"),
        ({**base, "decoder.bits": "8", "decoder.training": "joint"}, r"with decoder\.training=frozen"),
        ({"decoder.bits": 4}, r"with decoder\.training=frozen"),
    ):
        with pytest.raises(ConfigError, match=told):
            Config.from_preset("quick", changes)
    assert Config.from_preset("quick", {**base, "decoder.bits": "8"}).decoder.bits == 8


@pytest.mark.parametrize("bits", [4, 8])
def test_a_quantised_model_is_asked_for_as_set(bits: int, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}
    monkeypatch.setattr(causal_loading, "find_spec", lambda name: object())
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(causal_loading, "native_bfloat16", lambda device: True)
    monkeypatch.setattr(torch.cuda, "current_device", lambda: 0)
    monkeypatch.setattr(causal_loading, "load_config", lambda path: config_of("llama"))
    monkeypatch.setattr(lm_memory, "free_bytes", lambda device: GB)
    monkeypatch.setattr(causal_loading, "BitsAndBytesConfig", lambda **how: how)
    monkeypatch.setattr(causal_loading, "load_model", lambda auto, path, dtype, **rest: asked.update(rest))
    load_decoder(FROZEN.model_copy(update={"bits": bits}))
    assert asked["quantization_config"][f"load_in_{bits}bit"] and asked["device_map"] == {"": 0}
