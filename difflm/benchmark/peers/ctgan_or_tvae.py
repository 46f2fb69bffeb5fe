"""CTGAN and TVAE (Xu et al. 2019, arXiv 1907.00503) by the package ctgan, with its own default settings"""

from __future__ import annotations

import importlib
import time
from collections.abc import Iterable, Iterator
from typing import Any

import torch
from ctgan import CTGAN, TVAE
from protocol import Job


def until_the_end(job: Job, done: list[int]) -> Any:
    """In place of the progress bar around the epochs: no further epoch once the time is over."""

    def epochs(numbers: Iterable[int], **_: Any) -> Iterator[int]:
        longest = 0.0
        for number in numbers:
            # At least one epoch, and none that would end after the limit.
            if number and job.left() <= longest:
                return
            began = time.monotonic()
            yield number
            longest = max(longest, time.monotonic() - began)
            done[0] = number + 1

    return epochs


def main() -> None:
    """Train for the default number of epochs or until the limit."""
    job = Job.given()
    torch.set_num_threads(job.threads)
    frame = job.filled()
    name = str(job.options["model"])
    model = {"ctgan": CTGAN, "tvae": TVAE}[name](enable_gpu=False)
    done = [0]
    module: Any = importlib.import_module(f"ctgan.synthesizers.{name}")
    module.tqdm = until_the_end(job, done)
    model.set_random_state(job.seed)
    model.fit(frame, discrete_columns=job.categories)
    job.fitted()
    planned = getattr(model, "epochs", None) or getattr(model, "_epochs", None)
    job.notes.append(f"{done[0]} of {planned} epochs")
    for number in range(job.sets):
        model.set_random_state(job.set_seed(number))
        job.write(number, model.sample(job.rows))
    job.finish(["ctgan", "torch", "numpy", "pandas"])


if __name__ == "__main__":
    main()
