"""Classifier two-sample test: can a detector tell synthetic rows from real ones?"""

from __future__ import annotations

import warnings
from concurrent.futures import ThreadPoolExecutor
from typing import final

import numpy as np
import xgboost as xgb
from numpy.typing import NDArray
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import StratifiedKFold

from difflm.metrics.base import Figure, Metric, Result, cores, register
from difflm.metrics.table import Bench, Encoded, column_ranges, sample_rows

FOLDS = 3


def score(aucs: list[float]) -> float:
    """1 - mean over folds of max(0.5, AUC) x 2 - 1: 1 cannot be told apart, 0 always told apart."""
    return 1.0 - float(np.mean([max(0.5, auc) * 2 - 1 for auc in aucs]))


def one_hot(bench: Bench, table: Encoded) -> sparse.csr_matrix:
    """(n, features) standardised numbers, an indicator where a number is missing, categories one-hot."""
    low, width = column_ranges(table.numbers)
    scaled = table.numbers / width - low / width
    known = ~np.isnan(scaled)
    count = np.maximum(known.sum(axis=0), 1)
    centred = np.where(known, scaled - np.where(known, scaled, 0.0).sum(axis=0) / count, 0.0)
    deviation = np.sqrt((centred**2).sum(axis=0) / count)
    centred /= np.where(deviation > 1e-12, deviation, 1.0)
    indicators = (~known)[:, (~known).any(axis=0)].astype(float)
    levels = np.asarray(bench.codec.levels, dtype=np.int64)
    offsets = np.concatenate([[0], np.cumsum(levels)])
    n, q = table.codes.shape
    columns = (table.codes + offsets[:-1]).ravel()
    rows = np.repeat(np.arange(n), q)
    hot = sparse.csr_matrix((np.ones(n * q), (rows, columns)), shape=(n, int(offsets[-1])))
    return sparse.hstack([sparse.csr_matrix(centred), sparse.csr_matrix(indicators), hot]).tocsr()


@final
@register
class C2ST(Metric):
    """1 - (2 AUC - 1) of a detector of real against synthetic rows, XGBoost and logistic."""

    name = "c2st"

    def figures(self, bench: Bench) -> tuple[Figure, ...]:
        return (
            Figure(
                name="c2st_xgb",
                label="C2ST, XGBoost",
                goal="max",
                bounds=(0.0, 1.0),
                best=1.0,
                meaning="1: gradient-boosted trees cannot tell synthetic from real rows; 0: they always can. "
                "The strictest figure here, since it sees relations of many columns at once.",
            ),
            Figure(
                name="c2st_logistic",
                label="C2ST, logistic",
                goal="max",
                bounds=(0.0, 1.0),
                best=1.0,
                meaning="The same with a linear detector, which sees each column on its own. "
                "Shuffled columns fool it completely, so it proves nothing alone.",
            ),
        )

    def compute(self, bench: Bench, synthetic: Encoded) -> Result:
        rng = bench.rng(1)
        size = min(len(bench.train), len(synthetic), bench.max_rows)
        if size < 2 * FOLDS:
            note = f"C2ST is not computed: it needs {2 * FOLDS} rows of each."
            return Result({"c2st_xgb": None, "c2st_logistic": None}, {}, [note])
        real = bench.train.take(sample_rows(len(bench.train), size, rng))
        other = synthetic.take(sample_rows(len(synthetic), size, rng))
        pooled = Encoded(
            real.frame.iloc[:0],
            np.concatenate([real.numbers, other.numbers]),
            np.concatenate([real.codes, other.codes]),
        )
        label = np.repeat([0.0, 1.0], size)
        splitter = StratifiedKFold(FOLDS, shuffle=True, random_state=bench.seed)
        folds = list(splitter.split(label, label))
        limit = np.finfo(np.float32).max
        trees_x = np.hstack([np.clip(pooled.numbers, -limit, limit), pooled.codes]).astype(np.float32)
        trees, gains = _trees(trees_x, label, folds, bench)
        linear = _logistic(one_hot(bench, pooled), label, folds)
        total = gains.sum()
        names = bench.codec.names
        importance = [
            {"column": names[i], "share": float(gains[i] / total) if total > 0 else 0.0}
            for i in np.argsort(-gains, kind="stable")
        ]
        scores: dict[str, float | None] = {"c2st_xgb": score(trees), "c2st_logistic": score(linear)}
        details = {"rows_each": size, "auc_xgb": trees, "auc_logistic": linear, "importance": importance}
        return Result(scores, {"c2st": details})


Folds = list[tuple[NDArray[np.intp], NDArray[np.intp]]]


def _trees(
    x: NDArray[np.float32], label: NDArray[np.float64], folds: Folds, bench: Bench
) -> tuple[list[float], NDArray[np.float64]]:
    """AUC per fold of XGBoost with its defaults, and the total gain per column over the folds."""
    params = {"objective": "binary:logistic", "tree_method": "hist", "nthread": 1, "seed": bench.seed}

    def work(fold: tuple[NDArray[np.intp], NDArray[np.intp]]) -> tuple[float, NDArray[np.float64]]:
        fit, held = fold
        train = xgb.QuantileDMatrix(x[fit], label[fit], nthread=1)
        booster = xgb.train({**params, "verbosity": 0}, train, 100)
        gain = np.zeros(x.shape[1])
        for feature, value in booster.get_score(importance_type="total_gain").items():
            gain[int(feature[1:])] = float(np.sum(value))
        prediction = booster.predict(xgb.DMatrix(x[held], nthread=1))
        return float(roc_auc_score(label[held], prediction)), gain

    with ThreadPoolExecutor(min(cores(), FOLDS)) as pool:
        results = list(pool.map(work, folds))
    return [auc for auc, _ in results], np.sum([gain for _, gain in results], axis=0)


def _logistic(x: sparse.csr_matrix, label: NDArray[np.float64], folds: Folds) -> list[float]:
    """AUC per fold of a logistic regression."""
    aucs = []
    for fit, held in folds:
        with warnings.catch_warnings():
            # Not converged after 1,000 steps: the AUC no longer moves by then.
            warnings.simplefilter("ignore", ConvergenceWarning)
            model = LogisticRegression(max_iter=1000).fit(x[fit], label[fit])
        aucs.append(float(roc_auc_score(label[held], model.decision_function(x[held]))))
    return aucs
