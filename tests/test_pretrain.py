"""Pretraining of base models: resume bit for bit, time limits, the checkpoint and its card."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from safetensors.torch import load_file
from torch import nn
from transformers import AutoModelForCausalLM

from difflm.cli.command import execute
from difflm.errors import ConfigError, RunError
from difflm.models.pretrained import is_causal, load_model, load_tokenizer
from difflm.pretrain import loop, train
from difflm.pretrain.corpus import build
from difflm.pretrain.documents import KINDS, Document
from difflm.pretrain.gathering import Gathered
from difflm.pretrain.model import make_llama
from difflm.pretrain.sizes import SIZES
from difflm.pretrain.sources import Refused, Source
from difflm.pretrain.train import Request, metric_rows, pretrain
from tests.tiny_base import CPU, SIZE, SPECIAL, in_float32, small_model


def test_the_sizes_are_those_of_the_issue() -> None:
    counts = {}
    for name, size in SIZES.items():
        with torch.device("meta"):
            llama = make_llama(size, SPECIAL, 0, CPU)
        counts[name] = sum(p.numel() for p in llama.parameters())
        assert size.vocabulary <= 2**16, "tokens are kept as uint16"
    assert 3e6 <= counts["tiny"] <= 6e6
    assert 2 * counts["small"] < 60e6, "bytes in 16 bit"


def small_corpus(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A corpus of a few words, gathered from nowhere."""
    gathered = Gathered(
        used=[Source("python", "3", "PSF-2.0", {})], refused=[Refused("strict", "1", "GPL-3.0-only")]
    )
    words = ("red", "green", "blue", "round", "square", "small", "large")
    for kind in KINDS:
        for i in range(160):
            text = f"{words[i % 7]} {words[i * i % 5]} {i} {kind}, and {words[i % 3]} again"
            prefix: Any = "shuffled" if kind == "copy" else ""
            gathered.documents[kind].append(Document(kind, text, "python", f"{kind} {i}", prefix))
    with monkeypatch.context() as patch:
        patch.setattr("difflm.pretrain.corpus.gather", lambda *rest: gathered)
        patch.setattr("difflm.pretrain.documents.HELD_OUT", 8)
        build(folder, SIZE, 0, 1, lambda text: None)


@pytest.fixture
def request_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def make(name: str, **changes: Any) -> Request:
        work = tmp_path / name
        if not (work / "corpus").exists():
            small_corpus(work / "corpus", monkeypatch)
        settings: dict[str, Any] = {
            "size": SIZE,
            "out": tmp_path / f"base-{name}",
            "work": work,
            "tokens": 12_000,
        }
        return Request(**{**settings, **changes})

    return make


def weights(out: Path) -> dict[str, torch.Tensor]:
    return load_file(out / "model.safetensors")


def test_a_training_leaves_a_checkpoint_that_transformers_loads(request_of: Any) -> None:
    request = request_of("whole", command="difflm pretrain --out base-whole")
    rows: list[dict[str, Any]] = []
    assert pretrain(request, tell=rows.append)
    validation = [row for row in rows if row.get("split") == "validation"]
    assert len(validation) == loop.EVALUATIONS
    assert validation[-1]["loss"] < validation[0]["loss"] - 0.5
    assert all(f"loss_{kind}" in validation[-1] for kind in KINDS) and 0 <= validation[-1]["copied"] <= 1

    model = load_model(AutoModelForCausalLM, str(request.out))
    tokenizer = load_tokenizer(str(request.out))
    assert type(model).__name__ == "LlamaForCausalLM" and is_causal(model, model.get_input_embeddings())
    assert len(tokenizer) == model.config.vocab_size == SIZE.vocabulary
    assert model.config.bos_token_id == tokenizer.bos_token_id == 0 and model.config.eos_token_id == 1
    saved = weights(request.out)
    assert {value.dtype for value in saved.values()} == {torch.bfloat16} and "lm_head.weight" not in saved
    text = "red 12 {é}"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text

    record = json.loads((request.out / "pretraining.json").read_text())
    assert record["finished"] and record["tokens"] == record["steps"] * 4 * 48
    ids = torch.tensor([[0, *tokenizer("red red 40 code, and green again")["input_ids"], 1]])
    with torch.no_grad():
        nats = model(input_ids=ids, labels=ids).loss.item()
    assert nats == pytest.approx(record["held_out"]["loss_code"], abs=1.5)
    card = (request.out / "README.md").read_text()
    assert f"{sum(p.numel() for p in model.parameters()):,} weights" in card
    for told in (
        "license: apache-2.0",
        "PSF-2.0",
        "strict (GPL-3.0-only)",
        "difflm pretrain --out base-whole",
    ):
        assert told in card
    assert f"{record['held_out']['loss_copy']:.3f}" in card


@pytest.mark.parametrize("stop_at", [1, 30])
def test_a_resumed_training_ends_with_the_very_same_weights(stop_at: int, request_of: Any) -> None:
    whole = request_of("whole")
    assert pretrain(whole)
    calls = iter(range(1000))
    stopped = request_of("stopped")
    assert not pretrain(stopped, should_stop=lambda: next(calls) == stop_at - 1)
    record = json.loads((stopped.out / "pretraining.json").read_text())
    assert record["steps"] == stop_at and not record["finished"]
    assert "stopped before its planned" in (stopped.out / "README.md").read_text()
    with pytest.raises(ConfigError, match="--resume"):
        pretrain(stopped)
    assert pretrain(dataclasses.replace(stopped, resume=True, tokens=None))
    one, other = weights(whole.out), weights(stopped.out)
    assert one.keys() == other.keys() and all(torch.equal(one[key], other[key]) for key in one)
    steps = [
        [row["step"] for row in metric_rows(r.work) if row["split"] == "validation"] for r in (whole, stopped)
    ]
    assert steps[0] == steps[1]


def test_what_cannot_be_resumed_or_replaced_is_refused(request_of: Any, tmp_path: Path) -> None:
    request = request_of("some", resume=True)
    with pytest.raises(RunError, match="a training to resume"):
        pretrain(request)
    (request.work / "training.json").write_text(json.dumps({"settings": {"seed": 9}, "steps": 1}))
    with pytest.raises(ConfigError, match="the --size and --seed"):
        pretrain(request)
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years of work")
    with pytest.raises(ConfigError, match="earlier base model"):
        pretrain(request_of("other", out=mine))
    assert (mine / "thesis.txt").exists()


def test_a_time_limit_is_planned_by_measured_steps(request_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(train, "seconds_per_step", lambda *rest: 0.1)
    request = request_of("limited", tokens=None, seconds=6.0)
    assert pretrain(request)
    planned = json.loads((request.work / "training.json").read_text())
    assert 5 < planned["steps"] < 60 and planned["evaluations"] == loop.FEWEST_EVALUATIONS
    long = loop.timed_plan(SIZE, 0, 1000.0, 0.1, 12)
    assert long.evaluations == loop.EVALUATIONS and 9800 < long.steps < 10_000
    model = small_model()
    before = [p.detach().clone() for p in model.parameters()]
    windows = train.prepare(request).training(SIZE.length, 0)
    assert 0 < loop.seconds_per_step(SIZE, model, windows, Accelerator()) < 60
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True)), (
        "only a copy is trained"
    )


def test_parts_of_a_batch_in_threads_have_the_same_gradient(
    request_of: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    in_float32(monkeypatch)
    request = request_of("threads")
    windows = train.prepare(request).training(SIZE.length, 0)
    grads = []
    for parts in (1, 2):
        model = small_model()
        plan = loop.make_plan(SIZE, 0, 4)
        made = loop.make_loop(plan, model, windows, lambda: {"score": 0.0}, train.Host(), Accelerator())
        made.shards.parts, made.shards.threads = parts, parts
        ids = windows.take(torch.arange(4))
        batch = {"ids": ids, "sizes": torch.zeros(4, 1, 1), "seeds": torch.zeros(4, dtype=torch.long)}
        with made.shards:
            if parts == 1:
                made.loss_of(batch, 0.0)[0].backward()
            else:
                made.shards.backward(made.loss_of, batch, 0.0, made.trained)
        grads.append(nn.utils.parameters_to_vector([p.grad for p in made.trained if p.grad is not None]))
    # Each part has the mean over its own tokens, and parts have nearly as many.
    assert F.cosine_similarity(grads[0], grads[1], dim=0) > 0.99


def test_dry_run_lists_sources_and_sizes(
    request_of: Any, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    request = request_of("listed")
    monkeypatch.setitem(SIZES, "tiny", SIZE)
    assert execute(["pretrain", "--out", str(request.out), "--work", str(request.work), "--dry-run"]) == 0
    told = capsys.readouterr().out
    assert "python 3 (PSF-2.0)" in told and "strict 1 (GPL-3.0-only)" in told
    assert all(kind in told for kind in KINDS)
    assert not request.out.exists() and not (request.work / "state").exists()


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--size", "huge"], "--size"),
        (["--time-limit", "0"], "more than 0 for --time-limit"),
        (["--tokens", "-5"], "more than 0 for --tokens"),
        (["--batch", "0"], "more than 0 for --batch"),
        (["--seed", "-1"], "0 or more for --seed"),
        (["--resume"], "a training to resume"),
    ],
)
def test_bad_arguments_are_one_line(
    arguments: list[str], told: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    where = ["--out", str(tmp_path / "base"), "--work", str(tmp_path / "work")]
    assert execute(["pretrain", *where, *arguments]) == 2
    error = capsys.readouterr().err
    assert told in error and error.count("\n") == 1
    assert not (tmp_path / "base").exists()
