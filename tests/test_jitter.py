"""Moved numbers: neighbours only, the column's own distribution kept, spikes and categories left alone."""

import numpy as np
import pandas as pd
import pytest
import torch

from difflm.formats.codec import PAD, FittedCodec
from difflm.models.tokens import prepare_tokens
from difflm.schema import Schema
from difflm.training.jitter import USUAL, Jitter
from difflm.training.ties import follows

ROWS = 12_000


@pytest.fixture(scope="module")
def table() -> tuple[FittedCodec, torch.Tensor]:
    rng = np.random.default_rng(0)
    spiked = np.where(rng.random(ROWS) < 0.4, 0.0, rng.gamma(2.0, 30.0, ROWS).round(3))
    frame = pd.DataFrame(
        {
            "x": np.where(rng.random(ROWS) < 0.1, np.nan, rng.normal(0, 50, ROWS).round(3)),
            "spiked": spiked,
            "few": rng.integers(0, 20, ROWS),
            "kind": rng.choice(["a", "b", "c"], ROWS),
        }
    )
    schema = Schema.infer(frame)
    rows = schema.canonical(frame)
    codec = FittedCodec.fit(schema, rows)
    return codec, prepare_tokens(codec, rows)["ids"]


def value_slot(codec: FittedCodec, name: str) -> int:
    return next(
        i for i, s in enumerate(codec.slots) if s.digit == -1 and codec.columns[s.column].name == name
    )


def test_only_shared_bins_of_numbers_move_and_by_little(table: tuple[FittedCodec, torch.Tensor]) -> None:
    codec, ids = table
    moved = Jitter(codec, ids, 2.0).moved(ids, torch.Generator().manual_seed(0))
    x, spiked = value_slot(codec, "x"), value_slot(codec, "spiked")
    steps = (moved - ids).abs()
    assert 0.5 < (steps[:, x] > 0).float().mean() < 0.9
    assert steps[:, x].max() <= 10
    others = [i for i in range(ids.shape[1]) if i not in (x, spiked)]
    assert not steps[:, others].any()
    missing = ids[:, x] == codec.slots[x].lo
    assert missing.any()
    assert not steps[missing, x].any()
    zero = ids[:, spiked] == ids[:, spiked].mode().values
    assert not steps[zero, spiked].any()
    assert not (moved[~zero, spiked] == ids[:, spiked].mode().values).any()


def test_the_distribution_of_a_column_stays(table: tuple[FittedCodec, torch.Tensor]) -> None:
    codec, ids = table
    jitter, generator, moved = Jitter(codec, ids, 3.0), torch.Generator().manual_seed(1), ids
    for _ in range(20):
        moved = jitter.moved(moved, generator)
    for name in ("x", "spiked"):
        at = value_slot(codec, name)
        slot = codec.slots[at]
        shares = [
            torch.bincount(tokens[:, at] - slot.lo, minlength=slot.size).double() / ROWS
            for tokens in (ids, moved)
        ]
        # Twice what two samples of so many rows differ by.
        assert float((shares[0] - shares[1]).abs().sum() / 2) < 2 * 0.4 * (slot.size / ROWS) ** 0.5


def test_padding_stays_and_tables_without_numbers_pass(table: tuple[FittedCodec, torch.Tensor]) -> None:
    codec, ids = table
    padded = torch.nn.functional.pad(ids, (0, 2), value=PAD)
    moved = Jitter(codec, ids, 2.0).moved(padded, torch.Generator().manual_seed(0))
    assert (moved[:, -2:] == PAD).all()
    words = pd.DataFrame({"kind": ["a", "b"] * 20})
    schema = Schema.infer(words)
    own = FittedCodec.fit(schema, schema.canonical(words))
    tokens = prepare_tokens(own, schema.canonical(words))["ids"]
    assert (Jitter(own, tokens, 2.0).moved(tokens, torch.Generator()) == tokens).all()


@pytest.mark.parametrize(("noise", "undone"), [(0.001, True), (0.3, False)])
def test_moves_undo_what_numbers_that_follow_from_others_say(noise: float, undone: bool) -> None:
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(2, 3000))
    total = a + noise * rng.normal(size=3000)
    total[:300] = np.nan
    frame = pd.DataFrame({"a": a, "kind": rng.choice(["x", "y"], 3000), "b": b, "sum": total})
    schema = Schema.infer(frame)
    rows = schema.canonical(frame)
    codec = FittedCodec.fit(schema, rows)
    ids = prepare_tokens(codec, rows)["ids"]
    assert Jitter(codec, ids, USUAL).undoes(codec, ids) == undone


def test_moves_fade(table: tuple[FittedCodec, torch.Tensor]) -> None:
    codec, ids = table
    jitter, x = Jitter(codec, ids, 2.0), value_slot(codec, "x")

    def moved(share: float) -> float:
        made = jitter.moved(ids, torch.Generator().manual_seed(0), share)
        return float((made - ids)[:, x].abs().float().mean())

    assert moved(1.0) > 1.5 * moved(0.5) > moved(0.0) == 0


def test_a_table_without_two_numbers_has_nothing_that_follows() -> None:
    for columns in (0, 1):
        assert not follows(np.random.default_rng(0).random((2000, columns)), 1.0)
    assert not follows(np.tile(np.arange(300.0)[:, None], 2), 1.0), "too few rows to tell"
    alike = np.tile(np.arange(3000.0)[:, None] // 15, 2)
    for extra in (np.full(3000, np.nan), np.where(np.arange(3000) == 7, 1.0, np.nan), np.ones(3000)):
        assert follows(np.column_stack([extra, alike]), 1.0)
