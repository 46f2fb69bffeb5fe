"""What makes a training step fast gives the same numbers as the plain way."""

import pytest
import torch
from torch import nn

from difflm.models.fused import Attention, SquaredReluMLP
from difflm.models.transformer import attend
from difflm.training.muon import Muon, orthogonal
from difflm.training.shards import LEAST_ROWS, Shards


def gradients(out: torch.Tensor, *leaves: torch.Tensor) -> list[torch.Tensor]:
    weight = torch.randn(out.shape, generator=torch.Generator().manual_seed(7))
    return list(torch.autograd.grad((out * weight).sum(), leaves))


@pytest.mark.parametrize("masked", ["none", "causal", "padding"])
def test_fused_attention_is_attention(masked: str) -> None:
    torch.manual_seed(0)
    b, t, heads, size = 3, 5, 2, 4
    qkv = torch.randn(b, t, 3 * heads * size, requires_grad=True)
    allowed = torch.tensor([5, 3, 4])[:, None, None, None] > torch.arange(t)
    bias = {
        "none": None,
        "causal": torch.full((t, t), -torch.inf).triu(1),
        "padding": torch.zeros(allowed.shape).masked_fill(~allowed, -torch.inf),
    }[masked]
    q, k, v = qkv.view(b, t, 3, heads, size).permute(2, 0, 3, 1, 4)
    plain = attend(q, k, v, masked == "causal", allowed if masked == "padding" else None)
    plain = plain.transpose(1, 2).reshape(b, t, heads * size)
    fused = Attention.apply(qkv, heads, bias)
    assert torch.allclose(plain, fused, atol=1e-6)
    assert torch.allclose(gradients(plain, qkv)[0], gradients(fused, qkv)[0], atol=1e-5)


def test_fused_mlp_is_a_squared_relu_mlp() -> None:
    torch.manual_seed(0)
    x, up, down = (torch.randn(s, requires_grad=True) for s in ((2, 3, 4), (8, 4), (4, 8)))
    plain = (x @ up.t()).relu().square() @ down.t()
    fused = SquaredReluMLP.apply(x, up, down)
    assert torch.allclose(plain, fused, atol=1e-5)
    for a, b in zip(gradients(plain, x, up, down), gradients(fused, x, up, down), strict=True):
        assert torch.allclose(a, b, atol=1e-4)


def test_muon_turns_gradients_into_near_orthogonal_steps() -> None:
    values = torch.linalg.svdvals(orthogonal(torch.randn(4, 16, 64)).float())
    assert values.min() > 0.5 and values.max() < 1.5


def test_muon_steps_are_those_of_one_matrix_after_the_other() -> None:
    torch.manual_seed(0)
    shapes = [(8, 8), (16, 8), (8, 16)]
    together = [nn.Parameter(torch.randn(s)) for s in shapes]
    alone = [nn.Parameter(p.detach().clone()) for p in together]
    optimizers = [Muon(together, lr=0.1, weight_decay=0.1)] + [
        Muon([p], lr=0.1, weight_decay=0.1) for p in alone
    ]
    for _ in range(3):
        for a, b in zip(together, alone, strict=True):
            a.grad = torch.randn(a.shape)
            b.grad = a.grad.clone()
        for optimizer in optimizers:
            optimizer.step()
    for a, b in zip(together, alone, strict=True):
        assert torch.allclose(a, b, atol=2e-2)


def test_parts_of_a_batch_add_up_to_its_gradient() -> None:
    torch.manual_seed(0)
    rows = 2 * LEAST_ROWS + 1
    net = nn.Linear(3, 2)
    unused = nn.Parameter(torch.zeros(1))
    batch = {"x": torch.randn(rows, 3), "y": torch.randn(rows, 2)}

    def loss_of(part: dict[str, torch.Tensor], progress: float) -> tuple[torch.Tensor, dict[str, float]]:
        loss = (net(part["x"]) - part["y"]).square().mean()
        return loss, {"loss": loss.item()}

    parameters = [*net.parameters(), unused]
    threads = torch.get_num_threads()
    with Shards(rows, torch.device("cpu"), threads=2) as shards:
        assert shards.parts == 2
        logs = shards.backward(loss_of, batch, 0.0, parameters)
    torch.set_num_threads(threads)
    loss, _ = loss_of(batch, 0.0)
    expected = torch.autograd.grad(loss, list(net.parameters()))
    assert logs["loss"] == pytest.approx(loss.item(), rel=1e-5) and unused.grad is None
    for parameter, grad in zip(net.parameters(), expected, strict=True):
        assert parameter.grad is not None and torch.allclose(parameter.grad, grad, atol=1e-6)


def test_short_batches_and_other_devices_are_not_split() -> None:
    assert Shards(LEAST_ROWS, torch.device("cpu"), threads=2).parts == 1
    assert Shards(4096, torch.device("meta"), threads=2).parts == 1
    assert Shards(4096, torch.device("cpu"), processes=2, threads=2).parts == 1
    assert Shards(4 * LEAST_ROWS, torch.device("cpu"), threads=16).parts == 4
