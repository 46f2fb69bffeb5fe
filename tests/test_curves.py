from __future__ import annotations

import pandas as pd

from difflm.curves import Curves, thin
from difflm.differences import changed, changed_along, copies


def vae(seconds: float, split: str, rec: float, kl: float = 9.0) -> dict[str, object]:
    return {
        "stage": "vae",
        "split": split,
        "step": 1,
        "of": 9,
        "seconds": seconds,
        "reconstruction": rec,
        "kl": kl,
    }


def test_rows_become_series_in_minutes_and_events_are_kept_apart() -> None:
    curves = Curves()
    curves.extend([vae(60, "train", 5.0), vae(120, "train", 4.0), {"event": "warning", "text": "slow"}])
    curves.extend([{"stage": "vae", "event": "sample", "seconds": 130, "rows": [{"a": 1}]}])
    curves.extend([{"event": "warning", "text": "slow"}])
    assert curves.thinned("vae", "train", "reconstruction") == ([1.0, 2.0], [5.0, 4.0])
    assert curves.samples == [{"a": 1}] and curves.warnings == ["slow"]
    assert curves.last("vae", "train", "kl") == 9.0 and curves.last("prior", "train", "loss") is None


def test_thinning_keeps_first_and_last() -> None:
    kept = thin(12_345, 1_000)
    assert len(kept) == 1_000 and kept[0] == 0 and kept[-1] == 12_344
    assert thin(3, 1_000) == [0, 1, 2]


def test_collapse_overfitting_and_divergence_are_seen() -> None:
    good, bad = Curves(), Curves()
    good.extend([vae(i, "validation", 9 - i) for i in range(6)])
    good.extend([vae(i, "train", 9 - i) for i in range(7)])
    bad.extend([vae(i, "validation", 5 + i, kl=0.1) for i in range(6)])
    bad.extend([vae(i, "train", 5.0 * 4**i) for i in range(7)])
    assert not (good.collapsed() or good.overfitted() or good.diverged())
    assert bad.collapsed() and bad.overfitted() and bad.diverged()


def test_changed_cells() -> None:
    before = pd.DataFrame({"n": [1.0, None, 3.0], "c": ["a", None, "b"]})
    after = pd.DataFrame({"n": [1.0, None, 4.0], "c": ["a", "x", None]})
    assert changed(before, after).to_dict("list") == {"n": [False, False, True], "c": [False, True, True]}
    path = pd.DataFrame({"n": [1, 1, 2], "c": ["a", "b", "b"]})
    assert changed_along(path).to_dict("list") == {"n": [False, False, True], "c": [False, True, False]}


def test_copies_count_rows_that_are_equal_in_every_cell() -> None:
    real = pd.DataFrame({"n": [1, 2, None], "c": ["a", "b", "c"]})
    assert copies(pd.DataFrame({"n": [1, 2, None, 9], "c": ["a", "a", "c", "c"]}), real) == 2
    assert copies(real.iloc[:0], real) == 0


def test_only_the_last_word_on_the_pace_of_a_stage_counts() -> None:
    curves = Curves()
    told = {"event": "pace", "stage": "vae", "planned": 100, "text": "slower than planned"}
    curves.extend([{**told, "steps": 40}, {**told, "steps": 30, "stage": "lm"}, {**told, "steps": 95}])
    assert curves.slowed() == {"lm": (30, 100)} and not curves.warnings
