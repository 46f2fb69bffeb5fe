"""TabularARGN (Tiwald et al. 2025, arXiv 2501.12012) by mostlyai-engine, with its own default settings.

But for the protection of rare values: no other model has one, and it would cost this one fidelity.
"""

from __future__ import annotations

from typing import Any

import pandas as pd
import torch
from mostlyai.engine import TabularARGN, init_logging, set_random_state
from protocol import Job

ENCODINGS = {
    "integer": "TABULAR_NUMERIC_AUTO",
    "real": "TABULAR_NUMERIC_AUTO",
    "datetime": "TABULAR_DATETIME",
}


def main() -> None:
    """Train until early stopping or the limit, and sample."""
    job = Job.given()
    torch.set_num_threads(job.threads)
    init_logging()
    frame = job.train.copy()
    units: dict[str, Any] = {c["name"]: c["unit"] or "s" for c in job.columns if c["kind"] == "datetime"}
    for name, unit in units.items():
        frame[name] = pd.to_datetime(frame[name].astype("Float64").astype("float64"), unit=unit)
    model = TabularARGN(
        max_training_time=job.left() / 60,
        value_protection=False,
        tgt_encoding_types={c["name"]: ENCODINGS.get(c["kind"], "TABULAR_CATEGORICAL") for c in job.columns},
        device="cpu",
        workspace_dir=job.folder / "workspace",
        random_state=job.seed,
        verbose=1,
    )
    model.fit(frame)
    job.fitted()
    job.notes.append("value protection off")
    for number in range(job.sets):
        # The model seeds itself before fit alone.
        set_random_state(job.set_seed(number))
        made = model.sample(n_samples=job.rows, device="cpu")
        for name, unit in units.items():
            step = pd.Timedelta(1, unit=unit)
            made[name] = (pd.to_datetime(made[name]) - pd.Timestamp(0)) / step
        job.write(number, made)
    job.finish(["mostlyai-engine", "torch", "numpy", "pandas"])


if __name__ == "__main__":
    main()
