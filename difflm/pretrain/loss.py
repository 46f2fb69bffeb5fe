"""Cross-entropy of tied embeddings, computed in pieces: logits of a whole batch are never held.

N positions, D width, V vocabulary. The gradient is made in the forward pass, while a piece's probabilities are at hand.
"""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F

from difflm.precision import native_bfloat16

IGNORED = -100
LOGITS = {"cpu": 2**23, "cuda": 2**26}
"""Most logits that are held at once."""


class TiedLoss(torch.autograd.Function):
    """Sum of the nats of `targets` (N,), IGNORED ones left out, given hidden states (N, D) and embeddings (V, D)."""

    @staticmethod
    def forward(ctx: Any, hidden: torch.Tensor, table: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        """A scalar in float32."""
        hidden, wanted = hidden.detach(), ctx.needs_input_grad[0]
        half = torch.bfloat16 if native_bfloat16(hidden.device) else hidden.dtype
        small, matrix = hidden.to(half), table.detach().to(half)
        total = hidden.new_zeros((), dtype=torch.float32)
        slopes = torch.empty_like(small) if wanted else None
        pulls = torch.zeros_like(table, dtype=torch.float32) if wanted else None
        with torch.autocast(hidden.device.type, enabled=False):
            for part in _parts(len(targets), len(table), hidden.device):
                logits = (small[part] @ matrix.t()).float()
                kept = targets[part] != IGNORED
                own = targets[part].clamp(min=0)[:, None]
                normaliser = logits.logsumexp(dim=1, keepdim=True)
                total += ((normaliser - logits.gather(1, own))[:, 0] * kept).sum()
                if slopes is None or pulls is None:
                    continue
                errors = logits.sub_(normaliser).exp_()
                errors.scatter_add_(1, own, torch.full_like(own, -1, dtype=errors.dtype))
                errors = (errors * kept[:, None]).to(half)
                torch.mm(errors, matrix, out=slopes[part])
                pulls += errors.t() @ small[part]
        if slopes is not None and pulls is not None:
            ctx.save_for_backward(slopes.to(hidden.dtype), pulls.to(table.dtype))
        return total

    @staticmethod
    def backward(ctx: Any, grad: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, None]:
        """The gradients made on the way, times what comes from above."""
        slopes, pulls = ctx.saved_tensors
        return slopes * grad.to(slopes.dtype), pulls * grad.to(pulls.dtype), None


@torch.no_grad()
def scored(hidden: torch.Tensor, table: torch.Tensor, targets: torch.Tensor) -> tuple[float, int, int]:
    """Nats, tokens predicted right, and tokens, over the targets (N,) that are not IGNORED."""
    nats, right = 0.0, 0
    for part in _parts(len(targets), len(table), hidden.device):
        logits = F.linear(hidden[part], table).float()
        nats += F.cross_entropy(logits, targets[part], ignore_index=IGNORED, reduction="sum").item()
        right += int((logits.argmax(dim=1) == targets[part]).sum())
    return nats, right, int((targets != IGNORED).sum())


def _parts(n: int, vocabulary: int, device: torch.device) -> list[slice]:
    step = max(1, LOGITS.get(device.type, LOGITS["cuda"]) // vocabulary)
    return [slice(first, first + step) for first in range(0, n, step)]
