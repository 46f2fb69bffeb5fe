"""Gradients of one batch by several threads, each with a part of the rows and one core to itself.

At a million parameters the products are too short to be worth sharing between cores: a thread for each
half of the batch trains a fifth faster on two cores than two threads inside every product, and suffers less from
other work on the machine. The sums are added in a fixed order, so a seed still gives the same weights.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch
from torch import nn

LEAST_ROWS = 64
"""Fewer rows in a part do not fill one core."""

Logs = dict[str, float]
LossOf = Callable[[dict[str, torch.Tensor], float], tuple[torch.Tensor, Logs]]
"""(batch with rows first, progress) -> (mean loss, what to log); called by several threads at once."""


class Shards:
    """As many parts as the machine has threads and the batch has rows for; one part is the plain way."""

    def __init__(
        self, rows: int, device: torch.device, processes: int = 1, threads: int | None = None
    ) -> None:
        self.threads = torch.get_num_threads() if threads is None else threads
        alone = device.type != "cpu" or processes > 1
        self.parts = 1 if alone else max(1, min(self.threads, rows // LEAST_ROWS))
        self.pool: ThreadPoolExecutor | None = None

    def __enter__(self) -> Shards:
        if self.parts > 1:
            share = max(1, self.threads // self.parts)
            self.pool = ThreadPoolExecutor(self.parts, "shard", torch.set_num_threads, (share,))
        return self

    def __exit__(self, *error: object) -> None:
        if self.pool is not None:
            self.pool.shutdown()
            # A worker's setting is also the default of the libraries below; give it back.
            torch.set_num_threads(self.threads)

    def bounds(self, rows: int) -> list[int]:
        """Where the parts of so many rows begin, and their end."""
        return [rows * i // self.parts for i in range(self.parts + 1)]

    def backward(
        self,
        loss_of: LossOf,
        batch: dict[str, torch.Tensor],
        progress: float,
        parameters: Sequence[nn.Parameter],
    ) -> Logs:
        """Leave the gradient of the mean loss in the parameters; the logs are means over the parts."""
        assert self.pool is not None
        rows = len(next(iter(batch.values())))
        bounds = self.bounds(rows)
        sizes = [(b - a) / rows for a, b in pairwise(bounds)]

        def part(index: int) -> tuple[tuple[torch.Tensor | None, ...], Logs]:
            own = {k: v[bounds[index] : bounds[index + 1]] for k, v in batch.items()}
            loss, logs = loss_of(own, progress)
            return torch.autograd.grad(loss * sizes[index], parameters, allow_unused=True), logs

        done = list(self.pool.map(part, range(self.parts)))
        for number, parameter in enumerate(parameters):
            given = [grad for grads, _ in done if (grad := grads[number]) is not None]
            parameter.grad = sum(given[1:], start=given[0]) if given else None
        return mean_of_parts([(size, logs) for size, (_, logs) in zip(sizes, done, strict=True)])


def mean_of_parts(told: Sequence[tuple[float, Logs]]) -> Logs:
    """Means of figures of parts of a batch by the parts' shares of its rows; a part may have nothing to say of one."""
    if len(told) == 1:
        return told[0][1]
    means: Logs = {}
    for name in dict.fromkeys(name for _, logs in told for name in logs):
        having = [(share, logs[name]) for share, logs in told if name in logs]
        means[name] = sum(share * value for share, value in having) / sum(share for share, _ in having)
    return means
