"""Distance to the closest record: are synthetic rows nearer to training rows than unseen rows are?"""

from __future__ import annotations

from typing import final

import numpy as np
from numpy.typing import NDArray

from difflm.metrics.base import Figure, Metric, Result, register
from difflm.metrics.neighbours import closeness, holdout_to_train
from difflm.metrics.table import Bench, Encoded, row_keys

NEAR = 0.02
CLOSEST = 20


def nearer_share(train: NDArray[np.float32], holdout: NDArray[np.float32]) -> float:
    """Share of rows nearer to train than to the holdout, ties counted half."""
    return float(np.mean(train < holdout) + np.mean(train == holdout) / 2)


def neighbour_ratio(first: NDArray[np.float32], second: NDArray[np.float32]) -> float:
    """Mean of nearest over second nearest; 1 where both are 0, a duplicate that singles out nobody."""
    known = np.isfinite(second)
    if not known.any():
        return float("nan")
    first, second = first[known], second[known]
    return float(np.mean(np.where(second > 0, first / np.where(second > 0, second, 1), 1.0)))


def copy_share(bench: Bench, table: Encoded) -> float:
    """Share of rows of which every compared cell equals that of some training row."""
    names = bench.codec.names
    if "train_keys" not in bench.cache:
        bench.cache["train_keys"] = np.unique(row_keys(bench.train.frame, names))
    return float(np.isin(row_keys(table.frame, names), bench.cache["train_keys"]).mean())


@final
@register
class DCR(Metric):
    """L1 distance on range-scaled numbers plus one-hot / 2 to the nearest training row, and NNDR."""

    name = "dcr"
    private = True

    def figures(self, bench: Bench) -> tuple[Figure, ...]:
        return (
            Figure(
                name="dcr_share",
                label="DCR share",
                goal="target",
                bounds=(0.0, 1.0),
                best=0.5,
                meaning="Share of rows nearer to a training row than to an equally large set of unseen real "
                "rows. 0.5: no nearer than chance. With fewer unseen than training rows only as many "
                "training rows take part, so that even a full copy stays below 1: its row shows the worst.",
            ),
            Figure(
                name="near_copies",
                label="Near copies",
                goal="target",
                bounds=(0.0, 1.0),
                best=NEAR,
                digits=4,
                meaning="Share of rows nearer to a training row than 98 % of unseen real rows are. "
                "About 2 % is what real rows have by definition; more is memorising.",
            ),
            Figure(
                name="exact_copies",
                label="Exact copies",
                goal="min",
                bounds=(0.0, 1.0),
                best=0.0,
                digits=4,
                meaning="Share of rows equal to a training row in every cell. Compare with the next line: "
                "a coarse table has repeats by nature.",
            ),
            Figure(
                name="exact_copies_holdout",
                label="Exact copies, of unseen real rows",
                goal="min",
                bounds=(0.0, 1.0),
                best=None,
                digits=4,
                meaning="The same share for real rows that were never trained on: what chance gives.",
            ),
            Figure(
                name="nndr",
                label="NNDR",
                goal="target",
                bounds=(0.0, 1.0),
                best=None,
                meaning="Distance to the nearest over distance to the second nearest training row. Far below "
                "the figure of unseen real rows: rows sit on single training rows.",
            ),
            Figure(
                name="nndr_holdout",
                label="NNDR, of unseen real rows",
                goal="target",
                bounds=(0.0, 1.0),
                best=None,
                meaning="The same for real rows that were never trained on.",
            ),
        )

    def compute(self, bench: Bench, synthetic: Encoded) -> Result:
        if not len(synthetic):
            names = [figure.name for figure in self.figures(bench)]
            return Result(dict.fromkeys(names), {}, ["DCR is not computed: there are no rows."])
        near = closeness(bench, synthetic)
        real = holdout_to_train(bench)
        threshold = float(np.quantile(real.first, NEAR))
        ratio = neighbour_ratio(near.to_train.first, near.to_train.second)
        ratio_holdout = neighbour_ratio(real.first, real.second)
        scores: dict[str, float | None] = {
            "dcr_share": nearer_share(near.to_train_part, near.to_holdout.first),
            "near_copies": float(np.mean(near.to_train.first < threshold)),
            "exact_copies": copy_share(bench, synthetic),
            "exact_copies_holdout": copy_share(bench, bench.test),
            "nndr": ratio if np.isfinite(ratio) else None,
            "nndr_holdout": ratio_holdout if np.isfinite(ratio_holdout) else None,
        }
        order = np.argsort(near.to_train.first, kind="stable")[:CLOSEST]
        closest = [
            {
                "distance": float(near.to_train.first[i]),
                "synthetic": int(near.synthetic_rows[i]),
                "real": int(near.train_rows[near.to_train.index[i]]),
            }
            for i in order
        ]
        quantiles = [0.0, 0.02, 0.1, 0.25, 0.5, 0.75, 0.9, 1.0]
        details = {
            "threshold": threshold,
            "quantiles": quantiles,
            "distance": np.quantile(near.to_train.first, quantiles).tolist(),
            "distance_holdout": np.quantile(real.first, quantiles).tolist(),
            "rows": {
                "train": len(near.train_rows),
                "holdout": near.size,
                "synthetic": len(near.synthetic_rows),
            },
            "closest": closest,
        }
        return Result(scores, {"dcr": details})
