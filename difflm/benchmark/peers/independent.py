"""Independent columns: each is drawn from the training rows on its own. What no model may lose to"""

from __future__ import annotations

import numpy as np
import pandas as pd
from protocol import Job


def main() -> None:
    """Bootstrap every column."""
    job = Job.given()
    job.fitted()
    for number in range(job.sets):
        rng = np.random.default_rng(job.set_seed(number))
        drawn = {
            name: job.train[name].iloc[rng.integers(0, len(job.train), job.rows)].array
            for name in job.train.columns
        }
        job.write(number, pd.DataFrame(drawn))
    job.finish(["numpy", "pandas"])


if __name__ == "__main__":
    main()
