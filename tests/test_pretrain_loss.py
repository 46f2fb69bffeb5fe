"""The loss of pretraining: in pieces, of copies, by transformers; which weights learn from it."""

from __future__ import annotations

import pytest
import torch
import torch.nn.functional as F

from difflm.pretrain import loss
from difflm.pretrain.loss import IGNORED, TiedLoss, scored
from difflm.pretrain.model import before_bos
from difflm.training.optim import make_optimizers
from tests.tiny_base import SIZE, SPECIAL, in_float32, small_model


@pytest.fixture
def exact(monkeypatch: pytest.MonkeyPatch) -> None:
    in_float32(monkeypatch)


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


def test_a_compiled_body_is_asked_in_training_only(exact: None) -> None:
    plain, compiled = small_model(), small_model()
    ids = torch.randint(3, SIZE.vocabulary, (2, SIZE.length + 1), generator=torch.Generator().manual_seed(0))
    with torch.compiler.set_stance("force_eager"):
        compiled.compile_body()
        torch.testing.assert_close(compiled(ids), plain(ids))
        assert compiled.compiled and compiled.score(ids) == plain.score(ids)
