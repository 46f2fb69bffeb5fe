"""SMOTE as a generator, as in the comparison of TabDDPM (Kotelnikov et al. 2023, arXiv 2209.15421).

Rows between a training row and one of its 5 nearest neighbours of the same class, numbers scaled to
[0, 1]. Classes are those of the target; a numeric target, or one that a table lacks, is cut at the
median of a column.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from imblearn.over_sampling import SMOTE, SMOTEN, SMOTENC
from protocol import Job
from sklearn.preprocessing import MinMaxScaler

NEIGHBOURS = 5
LABEL = "<class>"


def labels(job: Job, frame: pd.DataFrame) -> tuple[pd.Series, list[str]]:
    """Class of each row, and the columns that are features beside it."""
    features = [str(name) for name in frame.columns]
    target = job.target
    if target in job.categories:
        return frame[target], [name for name in features if name != target]
    cut = target or (job.numbers or features)[0]
    if cut in job.numbers:
        side = frame[cut] > frame[cut].median()
    else:
        side = frame[cut] == frame[cut].mode().iloc[0]
    job.notes.append(f"classes for SMOTE: {cut} cut in two")
    return side.map({True: "high", False: "low"}), features


def sampler(job: Job, features: list[str], wanted: dict[str, int], neighbours: int, seed: int) -> Any:
    """The variant of SMOTE that fits the kinds of the columns."""
    given = {"sampling_strategy": wanted, "k_neighbors": neighbours, "random_state": seed}
    categorical = [name in job.categories for name in features]
    if all(categorical):
        return SMOTEN(**given)
    if not any(categorical):
        return SMOTE(**given)
    return SMOTENC(categorical_features=categorical, **given)


def generate(job: Job, table: pd.DataFrame, classes: pd.Series, seed: int) -> pd.DataFrame:
    """`job.rows` rows between neighbours, classes in their own shares; a class of one row is repeated."""
    rng = np.random.default_rng(seed)
    counts = classes.value_counts()
    drawn = pd.Series(rng.choice(classes.to_numpy(), size=job.rows)).value_counts()
    parts = []
    lone = [name for name in drawn.index if counts[name] == 1]
    for name in lone:
        parts.append(table[classes == name].iloc[np.zeros(drawn[name], dtype=int)].assign(**{LABEL: name}))
    # Few rows of a class have few neighbours; classes with as many share one call.
    reach = {name: min(NEIGHBOURS, int(counts[name]) - 1) for name in drawn.index if name not in lone}
    for neighbours in sorted(set(reach.values())):
        members = [name for name, k in reach.items() if k == neighbours]
        inside = classes.isin(members)
        rows, own = table[inside], classes[inside]
        if len(members) == 1:
            # imblearn wants two classes; the other rows stand by as one that is not added to.
            rows, own = table, classes.where(inside, LABEL)
            if inside.all():
                raise SystemExit("expected two classes for SMOTE, but got one; choose another target")
        wanted = {name: int((own == name).sum() + drawn[name]) for name in members}
        made, label = sampler(job, list(table.columns), wanted, neighbours, seed).fit_resample(rows, own)
        # New rows follow the given ones.
        parts.append(made.iloc[len(rows) :].assign(**{LABEL: np.asarray(label)[len(rows) :]}))
    whole = pd.concat(parts, ignore_index=True)
    return whole.iloc[rng.permutation(len(whole))].reset_index(drop=True)


def main() -> None:
    """Scale, interpolate, scale back."""
    job = Job.given()
    frame = job.filled()
    classes, features = labels(job, frame)
    scaled = [name for name in features if name in job.numbers]
    table = frame[features].copy()
    scaler = MinMaxScaler()
    if scaled:
        table[scaled] = scaler.fit_transform(table[scaled].to_numpy())
    job.fitted()
    for number in range(job.sets):
        made = generate(job, table, classes, job.set_seed(number))
        if scaled:
            made[scaled] = scaler.inverse_transform(made[scaled].to_numpy(dtype=float))
        if job.target in job.categories:
            made[job.target] = made[LABEL]
        job.write(number, made)
    job.finish(["imbalanced-learn", "scikit-learn", "numpy", "pandas"])


if __name__ == "__main__":
    main()
