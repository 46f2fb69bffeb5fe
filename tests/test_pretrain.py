"""Pretraining of base models: the loss in pieces, copies, resume bit for bit, the checkpoint and its card."""

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

from difflm import precision
from difflm.cli.command import execute
from difflm.errors import ConfigError, RunError
from difflm.models.pretrained import is_causal, load_model, load_tokenizer
from difflm.pretrain import loop, loss, train
from difflm.pretrain.corpus import build
from difflm.pretrain.documents import KINDS, Document
from difflm.pretrain.gathering import Gathered
from difflm.pretrain.loss import IGNORED, TiedLoss, scored
from difflm.pretrain.model import BaseModel, Special, before_bos, make_llama
from difflm.pretrain.sizes import SIZES
from difflm.pretrain.sources import Refused, Source
from difflm.pretrain.train import Request, metric_rows, pretrain
from difflm.training.optim import make_optimizers

SIZE = dataclasses.replace(
    SIZES["tiny"],
    vocabulary=300,
    width=32,
    layers=2,
    heads=2,
    key_heads=1,
    hidden=48,
    length=48,
    longest=128,
    batch=4,
    held_tokens=400,
    characters=60_000,
)
SPECIAL = Special(0, 1, 2)
CPU = torch.device("cpu")


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything in float32, whatever this machine multiplies."""
    monkeypatch.setattr(loss, "native_bfloat16", lambda device: False)
    monkeypatch.setattr(precision, "native_bfloat16", lambda device: False)


def small_model() -> BaseModel:
    return BaseModel(make_llama(SIZE, SPECIAL, 0, CPU), SPECIAL)


@pytest.mark.parametrize("held", [2**23, 40])
def test_the_loss_in_pieces_is_cross_entropy(held: int, exact: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(loss.LOGITS, "cpu", held)
    torch.manual_seed(0)
    hidden, table = torch.randn(23, 8, requires_grad=True), torch.randn(13, 8, requires_grad=True)
    targets = torch.randint(13, (23,))
    targets[::4] = IGNORED
    plain = F.cross_entropy(hidden @ table.t(), targets, ignore_index=IGNORED, reduction="sum")
    wanted = torch.autograd.grad(2 * plain, [hidden, table])
    made = TiedLoss.apply(hidden, table, targets)
    torch.testing.assert_close(made, plain)
    for one, other in zip(torch.autograd.grad(2 * made, [hidden, table]), wanted, strict=True):
        torch.testing.assert_close(one, other)
    nats, right, count = scored(hidden, table, targets)
    kept = targets != IGNORED
    assert nats == pytest.approx(plain.item(), rel=1e-5) and count == int(kept.sum())
    assert right == int(((hidden @ table.t()).argmax(dim=1) == targets)[kept].sum())


def test_what_a_copy_is_told_by_lies_before_bos() -> None:
    b, e, p = SPECIAL
    ids = torch.tensor(
        [
            [b, 5, 6, e, 7, 8, b, 7, 8, e, p, p],  # a document, then a copy
            [5, 6, 7, 5, 6, 7, 5, 6, 7, 5, 6, 7],  # a piece of a long document
            [5, e, b, 6, e, 9, 9, 9, b, 5, e, p],  # the end of one, a document, a copy
        ]
    )
    wanted = [[4, 5], [], [5, 6, 7]]
    assert [row.nonzero()[:, 0].tolist() for row in before_bos(ids, SPECIAL)] == wanted


def test_the_loss_of_a_document_is_that_of_transformers(exact: None) -> None:
    model = small_model()
    ids = torch.tensor([[0, 5, 6, 7, 8, 9, 1]])
    own = model.llama(input_ids=ids, labels=ids).loss
    torch.testing.assert_close(model(ids), own)
    nats, _, count = model.score(ids)
    assert count == 6 and nats / count == pytest.approx(own.item(), rel=1e-4)


def test_tokens_that_tell_a_copy_and_padding_are_not_learned(exact: None) -> None:
    model = small_model()
    copy = torch.tensor([[5, 6, 7, 0, 5, 6, 7, 1, 2, 2]])
    assert model.score(copy)[2] == 4, "5 6 7 and the end"
    noise = torch.randn(1, 9, SIZE.width)
    assert model(copy, noise) != model(copy)
    plain = torch.tensor([[0, 5, 6, 7, 0, 5, 6, 7, 1, 2]])
    plain[0, 4] = 8
    assert model(plain, noise) == model(plain), "noise comes upon what a copy is told by alone"


def test_matrices_of_blocks_go_to_muon_and_all_weights_are_trained_once() -> None:
    model = small_model()
    adam, muon = make_optimizers(model, 1e-3, 1e-2, 0.0)
    counts = [sum(p.numel() for group in o.param_groups for p in group["params"]) for o in (adam, muon)]
    assert sum(counts) == sum(p.numel() for p in model.llama.parameters())
    assert counts[0] == SIZE.vocabulary * SIZE.width + SIZE.width * (2 * SIZE.layers + 1)


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


def test_parts_of_a_batch_in_threads_have_the_same_gradient(request_of: Any, exact: None) -> None:
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


def test_a_compiled_body_is_asked_in_training_only(exact: None) -> None:
    plain, compiled = small_model(), small_model()
    ids = torch.randint(3, SIZE.vocabulary, (2, SIZE.length + 1), generator=torch.Generator().manual_seed(0))
    with torch.compiler.set_stance("force_eager"):
        compiled.compile_body()
        torch.testing.assert_close(compiled(ids), plain(ids))
        assert compiled.compiled and compiled.score(ids) == plain.score(ids)


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
