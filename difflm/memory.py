"""What to do when the memory of the device is not enough: said with a number that can be set."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psutil
import torch

from difflm.errors import ResourceError

CPU_FULL = ("DefaultCPUAllocator", "not enough memory")


@contextmanager
def enough_memory(setting: str, rows: int) -> Iterator[None]:
    """Work on so many records at once, as the `setting` says; ResourceError with a smaller number where they do not
    fit."""
    try:
        yield
    except (torch.OutOfMemoryError, RuntimeError) as error:
        on_gpu = isinstance(error, torch.OutOfMemoryError)
        if not on_gpu and not any(words in str(error) for words in CPU_FULL):
            raise
        smaller = f"set {setting}={rows // 2}" if rows > 1 else "take a smaller model, or shorter records"
        place = "GPU" if on_gpu else "machine"
        raise ResourceError(
            f"a step of {rows} records that fits into the memory of the {place}", "one that does not", smaller
        ) from error


def free_bytes(device: torch.device) -> int:
    """Memory of the device that is not in use."""
    if device.type == "cuda":
        return int(torch.cuda.mem_get_info(device)[0])
    return int(psutil.virtual_memory().available)
