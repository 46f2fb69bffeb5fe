"""Machine-learning efficacy: a model trained on synthetic rows, tested on real ones (TSTR)."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any, final

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from difflm.metrics.base import Figure, Metric, Result, cores, register
from difflm.metrics.table import Bench, Encoded

N_ESTIMATORS = (10, 50, 100)
MIN_CHILD_WEIGHT = (1, 10)
MAX_DEPTH = (5, 10, 20)
GAMMA = (0, 1)
MAX_CLASSES = 20


@dataclass(frozen=True)
class Task:
    """What is predicted: `classes` is 0 for regression; column is the target's index on its side."""

    column: int
    is_number: bool
    classes: int
    log_clip: bool = False
    values: tuple[float, ...] = ()
    """The two values of a number column that is really a class."""

    @classmethod
    def of(cls, bench: Bench) -> Task | None:
        """The task of a bench; None without a target that varies."""
        codec, target = bench.codec, bench.target
        if target in codec.code_names:
            column = codec.code_names.index(target)
            classes = min(len(codec.categories[target]), MAX_CLASSES)
            return cls(column, False, classes) if classes > 1 else None
        if target in codec.number_names and target not in codec.text_names:
            column = codec.number_names.index(target)
            known = bench.train.numbers[:, column]
            distinct = np.unique(known[~np.isnan(known)])
            if len(distinct) < 2:
                return None
            if len(distinct) == 2 and not bench.log_clip:
                return cls(column, True, 2, values=(float(distinct[0]), float(distinct[1])))
            return cls(column, True, 0, log_clip=bench.log_clip)
        return None

    def arrays(self, bench: Bench, table: Encoded) -> tuple[NDArray[np.float32], NDArray[np.float64]]:
        """Features (n, c - 1) and labels (n,) of the rows whose target is known."""
        numbers, codes = table.numbers, table.codes.astype(float)
        if self.is_number:
            y = numbers[:, self.column].copy()
            numbers = np.delete(numbers, self.column, axis=1)
            if self.values:
                y = np.select([y == self.values[0], y == self.values[1]], [0.0, 1.0], np.nan)
            elif self.log_clip:
                y = np.log(np.clip(y, 1, 20_000))
        else:
            known = len(bench.codec.categories[bench.codec.code_names[self.column]])
            y = np.where(codes[:, self.column] < known, codes[:, self.column], np.nan)
            # Codes are by frequency: the rarest classes of a long list become one.
            y = np.minimum(y, self.classes - 1)
            codes = np.delete(codes, self.column, axis=1)
        keep = ~np.isnan(y)
        limit = np.finfo(np.float32).max
        features = np.hstack([np.clip(numbers, -limit, limit), codes]).astype(np.float32)
        return features[keep], y[keep]

    def params(self) -> dict[str, Any]:
        if self.classes == 0:
            return {"objective": "reg:squarederror"}
        if self.classes == 2:
            return {"objective": "binary:logistic"}
        return {"objective": "multi:softprob", "num_class": self.classes}

    def score(self, y: NDArray[np.float64], prediction: NDArray[np.float32]) -> float:
        """RMSE, ROC-AUC, or macro one-vs-rest ROC-AUC over the classes that `y` has; 0.5 for one class."""
        if self.classes == 0:
            return float(np.sqrt(np.mean((prediction - y) ** 2)))
        if self.classes == 2:
            return float(roc_auc_score(y, prediction)) if len(np.unique(y)) == 2 else 0.5
        present = [c for c in range(self.classes) if 0 < np.sum(y == c) < len(y)]
        scores = [roc_auc_score(y == c, prediction[:, c]) for c in present]
        return float(np.mean(scores)) if scores else 0.5


def grid_scores(bench: Bench, task: Task, synthetic: Encoded) -> list[dict[str, Any]]:
    """The 36 models: settings with their score on the real validation and test split.

    One booster of 100 rounds gives all three n_estimators, since boosting without subsampling is a prefix.
    Boosters run beside each other on one thread each: the same figures for any number of cores, and no
    threads that wait for each other when the machine is busy.
    """
    x, y = task.arrays(bench, synthetic)
    held_out = {
        "validation": task.arrays(bench, bench.validation),
        "test": task.arrays(bench, bench.test),
    }
    grid = list(product(MAX_DEPTH, MIN_CHILD_WEIGHT, GAMMA))
    workers = min(cores(), len(grid))

    def work(first: int) -> list[dict[str, Any]]:
        train = xgb.QuantileDMatrix(x, y, nthread=1)
        matrices = {name: (xgb.DMatrix(a, nthread=1), b) for name, (a, b) in held_out.items()}
        results = []
        for depth, weight, gamma in grid[first::workers]:
            settings = {"max_depth": depth, "min_child_weight": weight, "gamma": gamma}
            common = {"tree_method": "hist", "nthread": 1, "seed": bench.seed, "verbosity": 0}
            booster = xgb.train({**task.params(), **settings, **common}, train, max(N_ESTIMATORS))
            for rounds in N_ESTIMATORS:
                entry: dict[str, Any] = {"n_estimators": rounds, **settings}
                for name, (matrix, labels) in matrices.items():
                    entry[name] = task.score(labels, booster.predict(matrix, iteration_range=(0, rounds)))
                results.append(entry)
        return results

    with ThreadPoolExecutor(workers) as pool:
        entries = [entry for part in pool.map(work, range(workers)) for entry in part]
    return sorted(
        entries, key=lambda e: [e[k] for k in ("max_depth", "min_child_weight", "gamma", "n_estimators")]
    )


@final
@register
class MLE(Metric):
    """XGBoost from a grid of 36, chosen on the real validation split, scored on the real test split."""

    name = "mle"
    trains = True

    def figures(self, bench: Bench) -> tuple[Figure, ...]:
        task = Task.of(bench)
        regression = task is not None and task.classes == 0
        what = "ROC-AUC"
        if regression:
            what = "RMSE of log(clip(y, 1, 20000))" if bench.log_clip else "RMSE"
        elif task is not None and task.classes > 2:
            what = "ROC-AUC, mean over classes"
        goal: Any = "min" if regression else "max"
        bounds = (0.0, None if regression else 1.0)
        return (
            Figure(
                name="mle",
                label=f"MLE, {what}",
                goal=goal,
                bounds=bounds,
                best=None,
                meaning=f"How well a model that saw only synthetic rows predicts {bench.target!r} on real "
                "rows it never saw. The row 'copy of the training set' says what real rows reach.",
            ),
            Figure(
                name="mle_paper",
                label=f"MLE, {what}, paper protocol (best on test)",
                goal=goal,
                bounds=bounds,
                best=None,
                meaning="The same, with the model chosen on the test split as the published code does. "
                "Too optimistic; only for comparison with published figures.",
            ),
        )

    def compute(self, bench: Bench, synthetic: Encoded) -> Result:
        empty: dict[str, float | None] = {"mle": None, "mle_paper": None}
        task = Task.of(bench)
        if task is None:
            why = "no target is set" if bench.target is None else f"target {bench.target!r} does not vary"
            return Result(empty, {}, [f"MLE is not computed: {why}."])
        labels = [task.arrays(bench, table)[1] for table in (synthetic, bench.validation, bench.test)]
        if min(map(len, labels)) == 0:
            return Result(empty, {}, ["MLE is not computed: a table has no row with a known target."])
        if len(np.unique(labels[0])) < 2:
            return Result(empty, {}, [f"MLE is not computed: synthetic {bench.target!r} is constant."])
        grid = grid_scores(bench, task, synthetic)
        better = min if task.classes == 0 else max
        chosen = better(grid, key=lambda entry: entry["validation"])
        best = better(grid, key=lambda entry: entry["test"])
        notes = []
        if bench.borrowed is not None:
            notes.append("No validation split was given: a tenth of the training rows chooses MLE models.")
        if not task.is_number and len(bench.codec.categories[bench.target or ""]) > MAX_CLASSES:
            notes.append(f"MLE: all but the {MAX_CLASSES - 1} most frequent classes count as one.")
        scores: dict[str, float | None] = {"mle": chosen["test"], "mle_paper": best["test"]}
        return Result(scores, {"mle": {"grid": grid, "chosen": chosen, "best_on_test": best}}, notes)
