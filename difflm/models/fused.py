"""The two halves of a Transformer block as single autograd nodes.

The same sums as plain modules, with what costs most at width 128 on a CPU left out: copies for every view,
intermediate results that the backward pass can rebuild, and element-wise passes over the wide layer.
B batch, T positions, D width, F hidden width, H heads, K head size.
"""

from __future__ import annotations

from typing import Any

import torch


def half(x: torch.Tensor) -> torch.Tensor:
    """`x` in the precision that autocast wants for products, if it is on."""
    device = x.device.type
    return x.to(torch.get_autocast_dtype(device)) if torch.is_autocast_enabled(device) else x


class SquaredReluMLP(torch.autograd.Function):
    """relu(x @ up.T) ** 2 @ down.T for x (B, T, D), up (F, D), down (D, F); keeps relu(...) alone."""

    @staticmethod
    def forward(ctx: Any, x: torch.Tensor, up: torch.Tensor, down: torch.Tensor) -> torch.Tensor:
        flat = x.reshape(-1, x.shape[-1])
        active = torch.mm(flat, up.t()).relu_()
        ctx.save_for_backward(flat, active, up, down)
        return torch.mm(active * active, down.t()).view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor, ...]:
        flat, active, up, down = ctx.saved_tensors
        grad = grads[0].reshape(-1, down.shape[0])
        to_down = torch.mm(grad.t(), active * active)
        # d(a^2) = 2 a da; the factor 2 goes to the narrow side.
        to_active = torch.mm(grad * 2, down).mul_(active)
        to_up = torch.mm(to_active.t(), flat)
        to_x = torch.mm(to_active, up)
        return to_x.view(*grads[0].shape[:-1], -1), to_up, to_down


class Attention(torch.autograd.Function):
    """softmax(q k' / sqrt(K) + bias) v of qkv (B, T, 3 D), as (B, T, D); bias (T, T) or (B, 1, T or 1, T)."""

    @staticmethod
    def forward(ctx: Any, qkv: torch.Tensor, heads: int, bias: torch.Tensor | None) -> torch.Tensor:
        b, t, wide = qkv.shape
        size = wide // (3 * heads)
        parts = qkv.view(b, t, 3, heads, size).permute(2, 0, 3, 1, 4).reshape(3, b * heads, t, size)
        q, k, v = parts.unbind(0)
        scores = torch.bmm(q, k.transpose(1, 2)).float().mul_(size**-0.5)
        if bias is not None:
            scores.view(b, heads, t, t).add_(bias)
        shares = torch.softmax(scores, dim=-1).to(v.dtype)
        ctx.save_for_backward(parts, shares)
        ctx.heads = heads
        return torch.bmm(shares, v).view(b, heads, t, size).transpose(1, 2).reshape(b, t, heads * size)

    @staticmethod
    def backward(ctx: Any, *grads: torch.Tensor) -> tuple[torch.Tensor | None, ...]:
        parts, shares = ctx.saved_tensors
        heads = ctx.heads
        q, k, v = parts.unbind(0)
        n, t, size = q.shape
        grad = grads[0].view(n // heads, t, heads, size).transpose(1, 2).reshape(n, t, size)
        out = torch.empty_like(parts)
        torch.bmm(shares.transpose(1, 2), grad, out=out[2])
        to_shares = torch.bmm(grad, v.transpose(1, 2)).float()
        to_scores = torch._softmax_backward_data(to_shares, shares.float(), -1, torch.float32)
        to_scores = to_scores.mul_(size**-0.5).to(q.dtype)
        torch.bmm(to_scores, k, out=out[0])
        torch.bmm(to_scores.transpose(1, 2), q, out=out[1])
        back = out.view(3, n // heads, heads, t, size).permute(1, 3, 0, 2, 4)
        return back.reshape(n // heads, t, 3 * heads * size), None, None
