"""Layers of a causal LM that are computed again, compiled, offloaded or sharded: the same gradients and the same rows;
quantised: nearly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tiny_lm
import torch
from test_causal_lm import rows, schema

from difflm.config import Config
from difflm.errors import ConfigError
from difflm.models import lm_layers
from difflm.models.causal_lm import CausalLMDecoder
from difflm.models.injected import Injected


def made(place: Path, **settings: Any) -> tuple[CausalLMDecoder, Config]:
    path = tiny_lm.save_llama(place / "lm", tiny_lm.byte_level(bos_token="<s>", eos_token="</s>"))
    base = {"kind": "causal_lm", "path": str(path), "training": "frozen", "max_tokens": 200}
    config = Config.load({"decoder": {**base, **settings}})
    return CausalLMDecoder.from_config(config, schema()), config


def learnt_and_written(decoder: CausalLMDecoder, config: Config) -> tuple[torch.Tensor, pd.DataFrame]:
    """The gradient of a prompt, and the rows that are written for it."""
    decoder.train()
    begin = torch.Generator().manual_seed(0)
    prompt = torch.randn(4, config.injection.count, decoder.width, generator=begin).requires_grad_()
    decoder.row_nll(Injected(prompt), decoder.prepare(rows())).sum().backward()
    assert prompt.grad is not None
    decoder.eval()
    written = decoder.write(Injected(prompt.detach()), 0.0, torch.Generator().manual_seed(0))
    return prompt.grad, written.rows


def alike(one: tuple[torch.Tensor, pd.DataFrame], other: tuple[torch.Tensor, pd.DataFrame]) -> None:
    torch.testing.assert_close(one[0], other[0])
    assert one[1].equals(other[1])


@pytest.mark.parametrize("training", ["frozen", "joint"])
def test_with_checkpointing_layers_are_computed_again(tmp_path: Path, training: str) -> None:
    found = []
    for checkpointing in (False, True):
        decoder, config = made(tmp_path, training=training, checkpointing=checkpointing)
        layer = decoder.lm.model.layers[0].self_attn
        passes: list[torch.nn.Module] = []
        watch = layer.register_forward_pre_hook(lambda module, given, seen=passes: seen.append(module))
        decoder.train()
        prompt = torch.randn(4, config.injection.count, decoder.width, requires_grad=True)
        decoder.row_nll(Injected(prompt), decoder.prepare(rows())).sum().backward()
        watch.remove()
        assert len(passes) == (2 if checkpointing else 1)
        assert layer.training == (training == "joint"), "a frozen LM has no dropout"
        found.append(learnt_and_written(decoder, config))
    alike(*found)


def test_offloaded_layers_stay_where_they_are(tmp_path: Path) -> None:
    plain, (decoder, config) = learnt_and_written(*made(tmp_path)), made(tmp_path, offload=True)
    assert lm_layers.are_away(decoder.lm)
    alike(plain, learnt_and_written(decoder, config))
    layers = list(lm_layers.layers_of(decoder.lm))
    there = decoder.lm.to("meta")
    assert there.get_input_embeddings().weight.device.type == "meta", "what is no layer moves"
    assert {weight.device.type for layer in layers for weight in layer.parameters()} == {"cpu"}
    with torch.no_grad():
        out = there(inputs_embeds=torch.zeros(1, 3, decoder.width, device="meta"))
    assert out.logits.device.type == "meta", "a layer computes where its input is"


def test_compiled_layers_give_the_same_and_write_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = learnt_and_written(*made(tmp_path))
    monkeypatch.setattr(lm_layers.compile_layers, "__defaults__", ("eager",))  # no compiler, in no time
    decoder, config = made(tmp_path, compile=True)
    torch._dynamo.reset()
    alike(plain, learnt_and_written(decoder, config))
    counted = torch._dynamo.utils.counters["stats"]["unique_graphs"]
    for some in (3, 2):  # batches of other sizes find what was compiled
        prompt = torch.randn(some, config.injection.count, decoder.width, requires_grad=True)
        decoder.train()
        decoder.row_nll(Injected(prompt), decoder.prepare(rows().iloc[:some])).sum().backward()
    assert counted and torch._dynamo.utils.counters["stats"]["unique_graphs"] == counted


def test_sharded_layers_of_one_process_are_offloaded(tmp_path: Path) -> None:
    alike(learnt_and_written(*made(tmp_path)), learnt_and_written(*made(tmp_path, shard=True)))


@pytest.mark.parametrize(("bits", "off", "kind"), [(8, 0.03, torch.int8), (4, 0.4, torch.uint8)])
def test_quantised_layers_give_nearly_the_same(
    tmp_path: Path, bits: int, off: float, kind: torch.dtype
) -> None:
    plain = learnt_and_written(*made(tmp_path))
    decoder, config = made(tmp_path, bits=bits)
    decoder.to("cpu")
    assert decoder.lm.model.layers[0].self_attn.q_proj.weight.dtype == kind
    gradient, _ = learnt_and_written(decoder, config)
    assert 0 < (gradient - plain[0]).norm() < off * plain[0].norm()


@pytest.mark.parametrize(
    "wrong",
    [
        {"offload": True, "compile": True},
        {"bits": 4, "offload": True},
        {"bits": 8, "compile": True},
        {"shard": True, "offload": True},
    ],
)
def test_what_excludes_one_another(tmp_path: Path, wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="exclude one another"):
        Config.load({"decoder": {"kind": "causal_lm", "path": "x", "training": "frozen", **wrong}})
    for name in ("compile", "checkpointing"):
        with pytest.raises(ConfigError, match=f"decoder.{name} needs a causal LM"):
            Config.load({"decoder": {name: True}})
    with pytest.raises(ConfigError, match="offload needs"):
        Config.load({"decoder": {"kind": "causal_lm", "path": "x", "training": "joint", "offload": True}})
