from __future__ import annotations

from difflm.config import Config
from difflm.estimates import STEP_BYTES, estimate, row_bytes, step_rows


def test_standard_on_adult_is_in_the_measured_range() -> None:
    cost = estimate(Config.from_preset("standard"), rows=29_304, columns=15)
    assert cost.minutes == 10 and 0.8 < cost.memory_gb < 2.0 and 0.5e6 < cost.parameters < 5e6
    assert not cost.download


def test_more_of_anything_costs_more() -> None:
    base = estimate(Config.from_preset("quick"), 1_000, 10)
    assert estimate(Config.from_preset("quick"), 1_000_000, 10).memory_gb > base.memory_gb
    assert estimate(Config.from_preset("quick"), 1_000, 300).memory_gb > base.memory_gb
    assert estimate(Config.from_preset("quick"), 1_000, 10, characters=500).memory_gb > base.memory_gb
    assert estimate(Config.from_preset("paper"), 1_000, 10).parameters > 100 * base.parameters


def test_wide_tables_train_in_batches_that_fit() -> None:
    config = Config.from_preset("standard")
    assert step_rows(config, 25.0) == config.vae.batch_size
    few = step_rows(config, 250.0)
    assert 16 < few < config.vae.batch_size and few * row_bytes(config, 250.0) <= STEP_BYTES
    assert step_rows(config, 1e6) == 16
    assert estimate(config, rows=20_000, columns=200).memory_gb < 4
