"""The pre-norm Transformer block shared by the compact encoder and decoder.

B batch, T positions, D width, H heads, K head size. Products follow autocast. On a CPU the fused attention
kernel is several times slower at a few dozen tokens than two batched products, forwards and backwards.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

from difflm.models.fused import Attention, SquaredReluMLP, half

SHORT = 192


class Block(nn.Module):
    """LayerNorm, attention, LayerNorm, MLP with squared ReLU (So et al. 2021: as good as GELU, a third of its time)."""

    def __init__(self, width: int, heads: int, hidden: int | None = None) -> None:
        super().__init__()
        self.heads = heads
        self.dropout = 0.0
        self.norm1, self.norm2 = nn.LayerNorm(width), nn.LayerNorm(width)
        self.qkv = nn.Linear(width, 3 * width, bias=False)
        self.out = nn.Linear(width, width, bias=False)
        self.up = nn.Linear(width, hidden or 4 * width, bias=False)
        self.down = nn.Linear(hidden or 4 * width, width, bias=False)

    def forward(
        self,
        x: torch.Tensor,
        causal: bool,
        mask: torch.Tensor | None = None,
        memory: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """(B, T, D) -> (B, T, D); mask (B, 1, 1 or T, T) is True where attention is allowed. A causal block may have a
        memory: keys and values (2, B, H, M, K) that every position sees."""
        if memory is not None:
            q, k, v = self._split(x)
            k, v = (
                torch.cat([one.to(own.dtype), own], dim=2) for one, own in zip(memory, (k, v), strict=True)
            )
            seen = torch.ones(q.shape[2], k.shape[2], dtype=torch.bool, device=x.device)
            return self._close(x, merge_heads(attend(q, k, v, False, seen.tril(memory.shape[3]))))
        if x.device.type != "cpu" or x.shape[1] > SHORT:
            q, k, v = self._split(x)
            return self._close(x, merge_heads(attend(q, k, v, causal, mask)))
        bias = None
        if causal and mask is None:
            bias = torch.full((x.shape[1], x.shape[1]), -torch.inf).triu(1)
        elif mask is not None:
            bias = torch.zeros(mask.shape).masked_fill(~mask, -torch.inf)
        y: torch.Tensor = Attention.apply(self.qkv(self.norm1(x)), self.heads, bias)
        return self._close(x, y)

    def step(self, x: torch.Tensor, cache: torch.Tensor, at: int) -> torch.Tensor:
        """New positions (B, t, D) after `at` cached ones; cache (2, B, H, longest, K) is filled in place."""
        q, k, v = self._split(x)
        t = x.shape[1]
        cache[0, :, :, at : at + t], cache[1, :, :, at : at + t] = k, v
        keys, values = cache[0, :, :, : at + t], cache[1, :, :, : at + t]
        mask = torch.ones(t, at + t, dtype=torch.bool, device=x.device).tril(at) if t > 1 and at else None
        return self._close(x, merge_heads(attend(q, keys, values, t > 1, mask)))

    def _split(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        b, t, d = x.shape
        qkv = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        return q, k, v

    def _close(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        """The residual stream x (B, T, D) after attention y (B, T, D) and MLP."""
        x = x + self._drop(self.out(y))
        wide = [half(self.norm2(x)), half(self.up.weight), half(self.down.weight)]
        return x + self._drop(SquaredReluMLP.apply(*wide))

    def _drop(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(x, self.dropout, self.training) if self.dropout else x


def merge_heads(y: torch.Tensor) -> torch.Tensor:
    """(B, H, T, K) as (B, T, D)."""
    b, h, t, size = y.shape
    return y.transpose(1, 2).reshape(b, t, h * size)


def attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Attention of q (B, H, T, K) to k, v (B, H, S, K); mask (T, S) or (B, 1, 1 or T, S) is True where allowed."""
    b, h, t, size = q.shape
    s = k.shape[2]
    if q.device.type != "cpu" or t * s > SHORT**2:
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=causal and mask is None)
    scores = (
        torch.bmm(q.reshape(b * h, t, size), k.reshape(b * h, s, size).transpose(1, 2)).float() * size**-0.5
    )
    if causal and mask is None:
        scores = scores + torch.full((t, s), -torch.inf, device=q.device).triu(1)
    elif mask is not None:
        scores = scores.view(b, h, t, s).masked_fill(~mask, -torch.inf).view(b * h, t, s)
    return torch.bmm(scores.softmax(dim=-1).to(v.dtype), v.reshape(b * h, s, size)).view(b, h, t, size)


def set_dropout(model: nn.Module, share: float) -> None:
    """Let every block of `model` drop `share` of its updates while it trains."""
    for module in model.modules():
        if isinstance(module, Block):
            module.dropout = share


def scale_residuals(blocks: nn.ModuleList) -> None:
    """Start residual branches small, so that depth does not change the scale (GPT-2 initialisation)."""
    for block in blocks:
        assert isinstance(block, Block)
        for linear in (block.out, block.down):
            nn.init.normal_(linear.weight, std=0.02 / (2 * len(blocks)) ** 0.5)
