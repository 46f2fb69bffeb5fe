"""Membership inference: can someone who has the synthetic rows tell who was in the training set?"""

from __future__ import annotations

from typing import final

import numpy as np
from sklearn.metrics import roc_auc_score

from difflm.metrics.base import Figure, Metric, Result, register
from difflm.metrics.neighbours import closeness
from difflm.metrics.table import Bench, Encoded


@final
@register
class Membership(Metric):
    """AUC of the attack 'the nearer to a synthetic row, the likelier a training row'."""

    name = "membership"
    private = True

    def figures(self, bench: Bench) -> tuple[Figure, ...]:
        return (
            Figure(
                name="membership",
                label="Membership attack AUC",
                goal="target",
                bounds=(0.0, 1.0),
                best=0.5,
                meaning="How well distance to the nearest synthetic row separates training rows from unseen "
                "real rows. 0.5: not at all; 1: every training row can be told.",
            ),
        )

    def compute(self, bench: Bench, synthetic: Encoded) -> Result:
        if not len(synthetic):
            return Result({"membership": None}, {}, ["Membership is not computed: there are no rows."])
        near = closeness(bench, synthetic)
        members = near.to_train.back[: near.size]
        others = near.to_holdout.back
        label = np.repeat([1, 0], [len(members), len(others)])
        return Result({"membership": float(roc_auc_score(label, -np.concatenate([members, others])))})
