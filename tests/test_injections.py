"""All injections into both decoders: gradients, exact likelihoods with a cache, and rows that do not disturb others."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any, get_args

import pandas as pd
import pytest
import tiny_lm
import torch

from difflm.artifact import Artifact, load, save
from difflm.config import Config
from difflm.errors import ConfigError
from difflm.formats.codec import FittedCodec
from difflm.generation import decode_latents
from difflm.models import causal_lm
from difflm.models.build import build_model
from difflm.models.causal_lm import CausalLMDecoder
from difflm.models.compact import CompactDecoder, Writer
from difflm.models.decoder import Batch, Given
from difflm.models.injected import Injected
from difflm.models.injectors import INJECTORS, KVMemory, PrefixSoftPrompt, make_injector
from difflm.models.lm_steps import FixedSteps
from difflm.models.vae import LatentLM
from difflm.pipeline import DiffLM
from difflm.priors.gaussian import GaussianPrior
from difflm.schema import Schema
from difflm.sections import InjectionConfig
from difflm.training.fit import prepare

KINDS = list(INJECTORS)
MODELS = ["compact", "gpt2", "llama", "qwen3"]
"""Compact; learned positions; shared heads and rotary positions; no BOS token."""
N, SLOTS = 4, 3
TINY = {
    "decoder.width": 32,
    "decoder.layers": 2,
    "encoder.width": 32,
    "encoder.layers": 1,
    "latent.detail_dim": 0,
    "injection.tokens": SLOTS,
    "injection.hidden": 16,
    "decoder.max_tokens": 60,
}


def table() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "age": [39, 7, 105, 40, 41, 42] * 5,
            "price": [0.5, None, 9.75, 1.25, 2.5, 3.0] * 5,
            "job": ["clerk", "a baker, by night", None, "clerk", "cook", "cook"] * 5,
        }
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("models")
    for name in MODELS[1:]:
        tiny_lm.save_family(root / name, name)
    return root


def fitted() -> tuple[FittedCodec, pd.DataFrame]:
    schema = Schema.infer(table())
    rows = schema.canonical(table())
    return FittedCodec.fit(schema, rows, 16), rows


def config_of(saved: Path, name: str, kind: str) -> Config:
    own: dict[str, Any] = {**TINY, "injection.kind": kind}
    if name != "compact":
        own |= {"decoder.kind": "causal_lm", "decoder.path": str(saved / name)}
    return Config.from_preset("quick", own)


def built(saved: Path, name: str, kind: str) -> tuple[LatentLM, Batch]:
    codec, rows = fitted()
    model = build_model(config_of(saved, name, kind), codec).eval()
    model.decoder.requires_grad_(False)
    return model, prepare(model, rows.iloc[:N])


def injected_of(model: LatentLM, n: int = N, sigma: float = 0.0) -> Injected:
    z = torch.randn(n, model.injector.size, generator=torch.Generator().manual_seed(3))
    return model.inject(z, torch.full((n,), sigma))


def stepped(model: LatentLM, injected: Injected, batch: Batch) -> torch.Tensor:
    """Nats (B,) of the rows, token by token with a cache."""
    decoder = model.decoder
    if isinstance(decoder, CompactDecoder):
        writer = Writer(decoder, injected)
        nll = torch.zeros(len(injected))
        for at, ids in enumerate(batch["ids"].long().unbind(1)):
            logits = decoder.slot_logits(writer.hidden, at, decoder.head.rows()).log_softmax(-1)
            nll -= logits.gather(1, ids[:, None] - decoder.codec.slots[at].lo)[:, 0]
            if at + 1 < batch["ids"].shape[1]:
                writer.write(ids, at + 1)
        return nll
    assert isinstance(decoder, CausalLMDecoder)
    lines = [ids[mask].tolist() for ids, mask in zip(batch["text_ids"], batch["text_mask"], strict=True)]
    causal, nll = decoder.writer(injected), torch.zeros(len(injected))
    causal.read([[] for _ in lines])
    for at in range(max(map(len, lines))):
        for row, line in enumerate(lines):
            if at < len(line):
                nll[row] -= causal.logits[row].log_softmax(-1)[line[at]]
        causal.read([line[at : at + 1] for line in lines])
    return nll


every = pytest.mark.parametrize("name", MODELS)
each = pytest.mark.parametrize("kind", KINDS)


def test_the_names_are_those_of_the_config() -> None:
    assert get_args(InjectionConfig.model_fields["kind"].annotation) == tuple(KINDS)
    unknown = InjectionConfig.model_construct(kind="telepathy")
    with pytest.raises(ConfigError, match="soft_prompt, prefix_soft_prompt, kv_memory, input_embed"):
        make_injector(unknown, 4, None)  # type: ignore[arg-type]


@every
@each
def test_gradient_reaches_z_and_the_injector_and_no_frozen_weight(saved: Path, name: str, kind: str) -> None:
    model, batch = built(saved, name, kind)
    z = torch.randn(N, 16, requires_grad=True)
    model.decoder.row_nll(model.inject(z, torch.zeros(N)), batch).sum().backward()
    assert z.grad is not None and bool((z.grad.abs().sum(dim=1) > 0).all())
    for weight, parameter in model.injector.named_parameters():
        assert parameter.grad is not None and parameter.grad.abs().sum() > 0, weight
    if isinstance(model.injector, KVMemory):
        grad = model.injector.down.weight.grad
        assert grad is not None and bool(
            (grad.view(*model.injector.view, -1).abs().sum(dim=(2, 3, 4, 5)) > 0).all()
        )
    decoder = model.decoder
    frozen = decoder.lm.parameters() if isinstance(decoder, CausalLMDecoder) else decoder.parameters()
    assert all(parameter.grad is None for parameter in frozen)


@every
@each
def test_one_pass_is_step_by_step(saved: Path, name: str, kind: str) -> None:
    model, batch = built(saved, name, kind)
    with torch.no_grad():
        for injected in (injected_of(model), model.decoder.null(N)):
            whole = model.decoder.row_nll(injected, batch)
            torch.testing.assert_close(whole, stepped(model, injected, batch), rtol=1e-4, atol=2e-3)
    # With gradients the causal LM takes another way through its rows.
    torch.testing.assert_close(
        whole, model.decoder.row_nll(model.decoder.null(N), batch).detach(), rtol=1e-4, atol=1e-3
    )


@every
@each
def test_padding_and_company_change_nothing(saved: Path, name: str, kind: str) -> None:
    model, batch = built(saved, name, kind)
    injected = injected_of(model)
    together = model.decoder.row_nll(injected, batch)
    if name != "compact":
        assert len(set(batch["text_mask"].sum(dim=1).tolist())) > 1
        batch["text_ids"] = torch.nn.functional.pad(batch["text_ids"], (0, 7), value=3)
        batch["text_mask"] = torch.nn.functional.pad(batch["text_mask"], (0, 7))
        torch.testing.assert_close(together, model.decoder.row_nll(injected, batch))
    alone = [
        model.decoder.row_nll(injected[i : i + 1], {k: v[i : i + 1] for k, v in batch.items()})
        for i in range(N)
    ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-3)


@every
@each
def test_null_rows_do_not_depend_on_z_and_others_do(saved: Path, name: str, kind: str) -> None:
    model, batch = built(saved, name, kind)
    null = torch.tensor([True, False, True, False])
    with torch.no_grad():
        one, two = (
            model(batch, (torch.full((N, 16), value), torch.zeros(N, 16)), torch.zeros(N), null).rec
            for value in (-2.0, 2.0)
        )
        alone = model.decoder.row_nll(model.decoder.null(N), batch)
        noisy, clean = injected_of(model, sigma=1.0), injected_of(model)
    torch.testing.assert_close(one[null], two[null])
    torch.testing.assert_close(one[null], alone[null], rtol=1e-4, atol=1e-3)
    assert bool(((one - two).abs()[~null] > 1e-4).all())
    changed = [
        not torch.equal(getattr(noisy, field.name), getattr(clean, field.name))
        for field in fields(Injected)
        if getattr(clean, field.name) is not None
    ]
    assert any(changed), "the injector is told sigma"


@every
@each
def test_a_saved_model_writes_the_same_valid_rows(saved: Path, name: str, kind: str, tmp_path: Path) -> None:
    codec, _ = fitted()
    config = config_of(saved, name, kind)
    model = build_model(config, codec)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.01)
    prior = GaussianPrior.fit(torch.randn(50, 16))
    save(Artifact(config, codec.schema, codec, model, prior), tmp_path)
    again = load(tmp_path).model
    z = torch.randn(40, 16, generator=torch.Generator().manual_seed(0))
    rows, index, _ = decode_latents(model, z, 0.4, 1.0, 5)
    others, other_index, _ = decode_latents(again, z, 0.4, 1.0, 5)
    assert len(rows) and rows.equals(others) and index.equal(other_index)
    assert not any(codec.schema.violations(rows).values())


@pytest.mark.parametrize("name", MODELS[1:])
@pytest.mark.parametrize("detailed", [False, True])
@each
def test_rows_that_wait_for_a_slot_are_those_that_begin_at_once(
    saved: Path, name: str, kind: str, detailed: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    model, _ = built(saved, name, kind)
    rows, injected = 11, injected_of(model, 11)
    told = torch.randn(rows, 20, model.decoder.width, generator=torch.Generator().manual_seed(0))
    given = Given(told, torch.zeros(rows, 0)) if detailed else None
    decoder = model.decoder
    assert isinstance(decoder, CausalLMDecoder)
    once = decoder.write(injected, 0.0, torch.Generator(), given=given)
    monkeypatch.setattr(causal_lm, "PART_ROWS", 3)
    waited = decoder.write(injected, 0.0, torch.Generator(), given=given)
    # What a GPU replays: few shapes, a cache that is used again, slots that stay.
    fixed = FixedSteps(decoder.lm, decoder.masks, decoder.room)
    monkeypatch.setattr(decoder, "steps", lambda graphed: fixed)
    replayed = [decoder.write(injected, 0.0, torch.Generator(), given=given) for _ in range(2)]
    assert len(once.rows)
    for others in (waited, *replayed):
        assert once.rows.equals(others.rows)
        assert once.index == others.index and once.rejected == others.rejected


def test_a_prefix_begins_as_its_instruction(saved: Path) -> None:
    model, _ = built(saved, "llama", "prefix_soft_prompt")
    decoder, injector = model.decoder, model.injector
    assert isinstance(decoder, CausalLMDecoder) and isinstance(injector, PrefixSoftPrompt)
    ids = decoder._tokenizer("Write one more record", add_special_tokens=False)["input_ids"][:SLOTS]
    torch.testing.assert_close(decoder.scaled(injector.prefix), decoder.token_rows()[ids])
    assert len(decoder.instruction("a", 5)) == 5 and len(decoder.instruction("", 2)) == 2


@pytest.mark.parametrize("name", ["compact", "llama"])
def test_keys_and_values_are_maps_of_their_own_in_the_scale_of_the_decoder(saved: Path, name: str) -> None:
    model, _ = built(saved, name, "kv_memory")
    memory = injected_of(model, 64).memory
    assert memory is not None
    layers, heads, size = model.decoder.memory_shape()
    assert memory.shape == (64, layers, 2, heads, SLOTS, size)
    assert not torch.allclose(memory[:, :, 0], memory[:, :, 1])
    if isinstance(model.decoder, CausalLMDecoder):
        entered = model.decoder.opening(injected_of(model, 64)).memory
        assert entered is not None
        spread = entered.std(dim=(0, 3, 4, 5)) / (model.decoder.memory_scale * 0.3)
        assert bool(((spread > 0.7) & (spread < 2)).all())


@each
def test_a_training_that_was_stopped_ends_where_it_would_have(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Compact decoder, trained along in all stages; null rows and copies included."""
    monkeypatch.setattr("difflm.fitting.machine_speed", lambda device: 1.0)
    monkeypatch.setattr("difflm.training.costs.SHOWN_ROWS", 2)
    monkeypatch.setattr("difflm.training.plan.LEAST_STEPS", 6)
    tiny = {"lm.epochs": 2, "vae.epochs": 4, "vae.evaluations": 2, "prior.steps": 5, "prior.width": 16}
    settings = {**TINY, **tiny, "injection.kind": kind}
    asked = iter([False] * 8)

    def fit(name: str, stop: bool = False) -> dict[str, torch.Tensor]:
        should_stop = (lambda: next(asked, True)) if stop else (lambda: False)
        made = DiffLM.fit(
            table(), run=tmp_path / name, preset="quick", overrides=settings, should_stop=should_stop
        )
        assert made.run is not None and (made.run.status.state == "stopped") == stop
        return made.artifact.model.state_dict()

    whole = fit("whole")
    fit("cut", stop=True)
    resumed = fit("cut")
    assert all(torch.equal(value, resumed[name]) for name, value in whole.items())
