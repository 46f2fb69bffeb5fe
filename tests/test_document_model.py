"""Documents through a causal LM that is trained along: details at its tokens, saved weights, exact rebuilding."""

from __future__ import annotations

import json
from pathlib import Path

import pandas as pd
import pytest
import tiny_lm
import torch

from difflm.artifact import Artifact, load, save
from difflm.config import Config
from difflm.data import Dataset
from difflm.formats.codec import FittedCodec
from difflm.formats.documents import ToolFormat
from difflm.formats.json_watch import JsonWatch
from difflm.models.build import build_model
from difflm.models.causal_lm import CausalLMDecoder
from difflm.models.injected import Injected
from difflm.models.vae import LatentLM
from difflm.pipeline import DiffLM
from difflm.priors.gaussian import GaussianPrior
from difflm.training.fit import prepare
from difflm.training.vae import PARTS, by_length


def tools(n: int = 40) -> pd.DataFrame:
    documents = [
        {
            "name": f"get_{'user' if i % 2 else 'order'}_{i}",
            "description": "Näher 😀 " * (i % 5),
            "parameters": {"type": "object", "properties": {"id": {"type": "integer"}}, "required": ["id"]},
        }
        for i in range(n)
    ]
    return pd.DataFrame({"tool": [json.dumps(d, ensure_ascii=False) for d in documents]})


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> tuple[Dataset, Config, LatentLM]:
    path = tiny_lm.save_llama(tmp_path_factory.mktemp("lm") / "llama", tiny_lm.byte_level(eos_token="<e>"))
    small = {"encoder.width": 32, "encoder.layers": 1, "decoder.max_tokens": 400}
    changes = {"decoder.kind": "causal_lm", "decoder.path": str(path), "decoder.training": "joint", **small}
    config = Config.from_preset("quick", changes).for_record("tool")
    dataset = Dataset.build("tools", {"train": tools()}, record="tool")
    model = build_model(config, FittedCodec(dataset.schema, {}, {}))
    return dataset, config, model.eval()


def test_the_settings_of_documents() -> None:
    config = Config().for_record("code")
    assert (config.decoder.kind, config.decoder.path, config.encoder.kind) == (
        "causal_lm",
        "base-tiny",
        "tokens",
    )
    assert config.decoder.joint and config.latent.size == 64
    assert config.for_record("code") == config
    assert Config().for_record("table") == Config()
    own = Config.from_preset("quick", {"latent.slots": 2, "decoder.kind": "causal_lm", "decoder.path": "x"})
    assert own.for_record("tool").decoder.path == "x" and own.for_record("tool").latent.slots == 2
    assert not own.decoder.joint


def test_a_language_model_gets_a_longer_prompt_unless_one_is_set() -> None:
    lm = {"decoder.kind": "causal_lm", "decoder.path": "x"}
    for record in ("table", "tool"):
        assert Config.from_preset("quick", lm).for_record(record).injection.soft_tokens == 64
        short = Config.from_preset("quick", {**lm, "injection.tokens": 4}).for_record(record)
        memory = Config.from_preset("quick", {**lm, "injection.kind": "kv_memory"}).for_record(record)
        assert short.injection.soft_tokens == memory.injection.memory_slots == 4
    assert Config().for_record("table").injection.soft_tokens == 4


def test_any_language_model_names_what_is_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tiny_lm.save_llama(tmp_path / "llama", tiny_lm.byte_level(eos_token="<e>"))
    documents = []
    for i in range(60):
        keys = [f"k{(7 * i + j) % 90}" for j in range(1 + i % 4)]
        parts = {"properties": dict.fromkeys(keys, 1), "required": keys[: i % 3], "note": "x" * 150}
        documents.append(parts if i % 2 else dict(reversed(parts.items())))
    frame = pd.DataFrame({"tool": [json.dumps(d) for d in documents]})
    changes = {"decoder.kind": "causal_lm", "decoder.path": str(path), "decoder.max_tokens": 300}
    config = Config.from_preset("quick", changes).for_record("tool")
    schema = Dataset.build("tools", {"train": frame}, record="tool").schema
    decoder = build_model(config, FittedCodec(schema, {}, {})).eval().decoder
    assert isinstance(decoder, CausalLMDecoder)
    prompt = Injected(torch.randn(40, decoder.soft_tokens, decoder.width))
    written = decoder.write(prompt, 1.0, torch.Generator().manual_seed(0))
    broken = "required names what is not there, or twice"
    assert broken not in written.rejected and len(written.rows) > 20
    assert any(json.loads(text)["required"] for text in written.rows["tool"])
    monkeypatch.setattr(ToolFormat, "watch", lambda form: JsonWatch(form.longest))
    assert decoder.write(prompt, 1.0, torch.Generator().manual_seed(0)).rejected[broken] > 10


def test_details_reach_the_same_position_in_one_shot_and_step_by_step(
    built: tuple[Dataset, Config, LatentLM],
) -> None:
    dataset, _, model = built
    decoder = model.decoder
    assert isinstance(decoder, CausalLMDecoder)
    batch = decoder.prepare(dataset.train.iloc[:1])
    ids = batch["text_ids"][0].tolist()
    prompt = Injected(torch.randn(1, decoder.soft_tokens, decoder.width))
    added = torch.randn(1, len(ids), decoder.width)
    whole = decoder.row_nll(prompt, batch, None, added)
    assert not torch.allclose(whole, decoder.row_nll(prompt, batch))
    with torch.no_grad():
        writer = decoder.writer(prompt, added, decoder.details_logits())
        nll = torch.zeros(1)
        writer.read([[]])
        for token in ids:
            nll -= writer.logits.log_softmax(-1)[:, token]
            writer.read([[token]])
        # Forced tokens come several at once, and rows end at different lengths.
        pair = decoder.writer(prompt[torch.tensor([0, 0])], added.repeat(2, 1, 1), decoder.details_logits())
        for first, second in ((ids[:3], ids[:5]), (ids[3:4], []), (ids[4:], ids[5:])):
            pair.read([first, second])
    torch.testing.assert_close(whole.detach(), nll, rtol=1e-4, atol=1e-3)
    torch.testing.assert_close(pair.logits[0], writer.logits[0], rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(pair.logits[1], writer.logits[0], rtol=1e-4, atol=1e-4)


def test_parts_of_like_length_hold_every_row_once(built: tuple[Dataset, Config, LatentLM]) -> None:
    dataset, _, model = built
    batch = prepare(model, dataset.train)
    parts = by_length(batch)
    assert len(parts) == PARTS
    lengths = [part["text_mask"].sum(dim=1) for part in parts]
    assert torch.equal(torch.cat(lengths), batch["text_mask"].sum(dim=1).sort().values)
    small = {key: value[:3] for key, value in batch.items()}
    assert len(by_length(small)) == 1


def test_a_language_model_trained_along_is_saved_with_the_run(
    built: tuple[Dataset, Config, LatentLM], tmp_path: Path
) -> None:
    dataset, config, model = built
    trained = [
        name for name, p in model.named_parameters() if p.requires_grad and name.startswith("decoder.own")
    ]
    assert trained
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    with torch.no_grad():
        for parameter in model.decoder.parameters():
            parameter.add_(0.01)
    codec = FittedCodec(dataset.schema, {}, {})
    prior = GaussianPrior.fit(torch.randn(50, config.latent.size))
    save(Artifact(config, dataset.schema, codec, model, prior), tmp_path)
    again = load(tmp_path).model
    for (name, one), (other, two) in zip(model.named_parameters(), again.named_parameters(), strict=True):
        assert name == other and torch.equal(one, two)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            parameter.copy_(before[name])


def test_documents_from_fit_to_rows_and_back(tmp_path: Path) -> None:
    path = tiny_lm.save_llama(tmp_path / "llama", tiny_lm.byte_level(eos_token="<e>"))
    changes = {
        "decoder.kind": "causal_lm", "decoder.path": str(path), "decoder.training": "joint", "encoder.width": 32,
        "vae.epochs": 1, "vae.evaluations": 2, "prior.steps": 5, "latent.slots": 2, "vae.batch_size": 8,
        "decoder.max_tokens": 120,
    }  # fmt: skip
    frame = pd.DataFrame({"tool": [json.dumps({"kind": "ab"[i % 2], "size": [i]}) for i in range(60)]})
    frame.loc[0, "tool"] = json.dumps({"name": "x" * 900})
    model = DiffLM.fit(frame, run=tmp_path / "run", overrides=changes, preset="quick", time_limit=0.2)
    assert model.run is not None and model.run.status.state == "done"
    assert model.schema.record == "tool" and model.config.encoder.kind == "tokens"
    assert json.loads((tmp_path / "run" / "data" / "left_out.json").read_text())["left_out"][0][
        "reason"
    ].startswith("too long")
    made = model.sample(3, seed=1)
    assert list(made.columns) == ["tool"] and all(isinstance(json.loads(t), dict) for t in made["tool"])
    again = DiffLM.from_pretrained(tmp_path / "run")
    pd.testing.assert_frame_equal(made, again.sample(3, seed=1))
    held = Dataset.read(tmp_path / "run" / "data").test
    assert model.reconstruct(held).shape == held.shape
    assert len(model.interpolate(held.iloc[0], held.iloc[1], steps=3)) == 3


def test_a_random_model_ends_every_document_and_repeats_no_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tiny_lm.save_llama(tmp_path / "llama", tiny_lm.byte_level(eos_token="<e>"))
    documents = [
        {"open": {f"k{(7 * i + j) % 90}": j for j in range(1 + i % 5)}, "note": "x" * i} for i in range(60)
    ]
    frame = pd.DataFrame({"tool": [json.dumps(d) for d in documents]})
    changes = {"decoder.kind": "causal_lm", "decoder.path": str(path), "decoder.max_tokens": 160}
    config = Config.from_preset("quick", changes).for_record("tool")
    schema = Dataset.build("tools", {"train": frame}, record="tool").schema
    decoder = build_model(config, FittedCodec(schema, {}, {})).eval().decoder
    prompt = Injected(torch.randn(40, decoder.soft_tokens, decoder.width))
    written = decoder.write(prompt, 1.0, torch.Generator().manual_seed(0))
    assert written.rejected == {} and len(written.rows) == 40
    assert max(len(json.loads(text)["open"]) for text in written.rows["tool"]) > 1
    monkeypatch.setattr("difflm.models.causal_writer.CLOSING_TOKENS", 0)
    monkeypatch.setattr("difflm.formats.json_watch.LAST_BYTES", -1_000_000)
    monkeypatch.setattr("difflm.formats.json_watch.JsonWatch.accepts", lambda watch, piece: True)
    again = decoder.write(prompt, 1.0, torch.Generator().manual_seed(0))
    assert any(reason.startswith("longer") for reason in again.rejected)
