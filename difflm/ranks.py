"""Several processes at one task (`torchrun`, `accelerate launch`): which of them this is, and what they agree on.

Rank 0 reads, decides and writes; the others are told. Alone, every call is what it says without the others.
"""

from __future__ import annotations

import atexit
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from difflm.errors import DiffLMError

if TYPE_CHECKING:
    import torch
    from accelerate import Accelerator

T = TypeVar("T")
PATIENCE = timedelta(days=14)
"""How long a rank waits for the others: a slow node may be hours behind. One that dies is noticed at once."""
BUCKET_BYTES = 64 * 2**20
"""Gradients that travel together."""


def launched() -> int:
    """How many processes were started together, by their launcher's variables; needs no torch."""
    return int(os.environ.get("WORLD_SIZE", 1)) if "LOCAL_RANK" in os.environ else 1


def first() -> bool:
    """Whether this process is the one that reads, decides and writes; needs no torch."""
    return launched() == 1 or os.environ.get("RANK", "0") == "0"


def accelerator() -> Accelerator:
    """The device and the group of this process."""
    from accelerate import Accelerator, InitProcessGroupKwargs

    if launched() > 1:
        # A group that is still there when Python ends may take the process down with it.
        atexit.register(leave)
    return Accelerator(kwargs_handlers=[InitProcessGroupKwargs(timeout=PATIENCE)])


def leave() -> None:
    """End the group, after the last thing that is done together."""
    if launched() > 1:
        import torch

        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()


_together = False


def together() -> bool:
    """Whether all processes do the same now, layer by layer, so that one may ask the others for what they hold."""
    return _together


def most(number: int, device: torch.device) -> int:
    """The largest number of any process, where all are together; alone, this one."""
    if not _together:
        return number
    import torch

    told = torch.tensor(number, device=device)
    torch.distributed.all_reduce(told, torch.distributed.ReduceOp.MAX)
    return int(told)


class Ranks:
    """The processes of one `accelerator`."""

    def __init__(self, made: Accelerator | None = None) -> None:
        made = made or accelerator()
        self.count, self.index, self.device = made.num_processes, made.process_index, made.device

    @classmethod
    def alone(cls, device: torch.device) -> Ranks:
        """What rank 0 does without the others."""
        made = cls.__new__(cls)
        made.count, made.index, made.device = 1, 0, device
        return made

    @property
    def main(self) -> bool:
        """Whether this is rank 0."""
        return self.index == 0

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.count > 1:
            self.agreed(None)

    @contextmanager
    def in_step(self) -> Iterator[None]:
        """What is done in here is done by all of several processes, as many passes of as many rows."""
        global _together
        _together = self.count > 1
        try:
            yield
        finally:
            _together = False

    def agreed(self, value: T) -> T:
        """What rank 0 says."""
        if self.count == 1:
            return value
        import torch

        held: list[Any] = [value if self.main else None]
        torch.distributed.broadcast_object_list(held, src=0, device=self.device)
        agreed: T = held[0]
        return agreed

    def decided(self, decide: Callable[[], T]) -> T:
        """What `decide` gives on rank 0. Its DiffLMError ends all of them, and is told once."""
        if self.count == 1:
            return decide()
        value, error = None, None
        if self.main:
            try:
                value = decide()
            except DiffLMError as raised:
                error = raised
        value, failed = self.agreed((value, error is not None))
        if error is not None:
            raise error
        if failed:
            raise SystemExit(2)
        return value  # type: ignore[return-value]

    def sums(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        """Each tensor summed over the ranks, without gradients, in one message."""
        if self.count == 1:
            return tensors
        import torch

        flat = torch.cat([t.detach().to(torch.float64).flatten() for t in tensors])
        torch.distributed.all_reduce(flat)
        parts = flat.split([t.numel() for t in tensors])
        return tuple(p.view(t.shape).to(t) for p, t in zip(parts, tensors, strict=True))

    def mean(self, x: torch.Tensor, rows: int) -> torch.Tensor:
        """The mean over all rows, of means `x` over the `rows` of each rank: its value is everybody's, its gradient
        that of this rank's rows alone, so that gradients averaged over all rows are exact also behind a bend."""
        if self.count == 1:
            return x
        total, count = self.sums(x * rows, x.new_tensor(float(rows)))
        return x - x.detach() + total / count

    def mean_logs(self, logs: dict[str, float]) -> dict[str, float]:
        """Mean over the ranks of figures of the same names."""
        if self.count == 1:
            return logs
        import torch

        (total,) = self.sums(torch.tensor(list(logs.values()), dtype=torch.float64, device=self.device))
        return dict(zip(logs, (total / self.count).tolist(), strict=True))

    def deviation(self, x: torch.Tensor) -> torch.Tensor:
        """Standard deviation of all entries of all ranks, without gradients."""
        if self.count == 1:
            return x.detach().std()
        wide = x.detach().double()
        total, squares, count = self.sums(wide.sum(), wide.square().sum(), wide.new_tensor(float(x.numel())))
        return ((squares - total**2 / count) / (count - 1)).sqrt().to(x.dtype)

    def add_gradients(self, parameters: Sequence[torch.nn.Parameter]) -> None:
        """Sum the gradients over the ranks, a few megabytes at a time."""
        if self.count == 1:
            return
        import torch

        met = torch.tensor([p.grad is not None for p in parameters], dtype=torch.float64, device=self.device)
        anywhere = [p for p, n in zip(parameters, self.sums(met)[0].tolist(), strict=True) if n]
        bucket: list[torch.Tensor] = []
        for number, parameter in enumerate(anywhere):
            # A rank whose rows did not meet it has zeros to add. What no rank has met is left alone, as by one process.
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            bucket.append(parameter.grad)
            last = number + 1 == len(anywhere)
            if last or sum(g.numel() * g.element_size() for g in bucket) > BUCKET_BYTES:
                flat = torch.cat([g.flatten() for g in bucket])
                torch.distributed.all_reduce(flat)
                for grad, part in zip(bucket, flat.split([g.numel() for g in bucket]), strict=True):
                    grad.copy_(part.view_as(grad))
                bucket = []

    def share(self, tensors: Sequence[torch.Tensor]) -> None:
        """Rank 0's values into everybody's `tensors`."""
        if self.count == 1:
            return
        import torch

        for tensor in tensors:
            torch.distributed.broadcast(tensor, src=0)
