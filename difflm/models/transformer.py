"""The pre-norm Transformer block shared by the compact encoder and decoder.

B batch, T positions, D width, H heads, K head size. Products follow autocast. On a CPU the fused attention
kernel is several times slower at a few dozen tokens than two batched products, forwards and backwards.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import nn

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
        self.up = nn.Linear(width, hidden or 4 * width)
        self.down = nn.Linear(hidden or 4 * width, width)

    def forward(self, x: torch.Tensor, causal: bool, mask: torch.Tensor | None = None) -> torch.Tensor:
        """(B, T, D) -> (B, T, D); mask (B, 1, 1 or T, T) is True where attention is allowed."""
        q, k, v = self._split(x)
        return self._close(x, attend(q, k, v, causal, mask))

    def step(self, x: torch.Tensor, cache: torch.Tensor, at: int) -> torch.Tensor:
        """New positions (B, t, D) after `at` cached ones; cache (2, B, H, longest, K) is filled in place."""
        q, k, v = self._split(x)
        t = x.shape[1]
        cache[0, :, :, at : at + t], cache[1, :, :, at : at + t] = k, v
        keys, values = cache[0, :, :, : at + t], cache[1, :, :, : at + t]
        return self._close(x, attend(q, keys, values, causal=t > 1 and at == 0))

    def _split(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        b, t, d = x.shape
        qkv = self.qkv(self.norm1(x)).view(b, t, 3, self.heads, d // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).unbind(0)
        return q, k, v

    def _close(self, x: torch.Tensor, y: torch.Tensor) -> torch.Tensor:
        b, t, d = x.shape
        x = x + self._drop(self.out(y.transpose(1, 2).reshape(b, t, d)))
        return x + self._drop(self.down(F.relu(self.up(self.norm2(x))).square()))

    def _drop(self, x: torch.Tensor) -> torch.Tensor:
        return F.dropout(x, self.dropout, self.training) if self.dropout else x


def attend(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, causal: bool, mask: torch.Tensor | None = None
) -> torch.Tensor:
    """Attention of q (B, H, T, K) to k, v (B, H, S, K)."""
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
