"""The frequencies of generated rows are brought to those of the training rows."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from test_pipeline import TINY, people

from difflm.errors import RunError
from difflm.models.compact import CompactDecoder
from difflm.pipeline import DiffLM
from difflm.training.calibrate import calibrate, calibrate_expected, frequencies
from difflm.training.fit import prepare


@pytest.fixture(scope="module")
def model() -> DiffLM:
    """Hardly trained, and not calibrated."""
    short = {"lm.epochs": 2, "vae.epochs": 2, "prior.calibration": 0}
    return DiffLM.fit(people(400), preset="quick", overrides={**TINY, **short}, time_limit=0.2)


def apart(model: DiffLM, tilt: torch.Tensor | None) -> float:
    """Mean total variation between the tokens of generated and of real rows, slot by slot."""
    decoder = model.artifact.model.decoder
    assert isinstance(decoder, CompactDecoder)
    model.artifact.tilt = tilt
    real, made = (
        frequencies(decoder, prepare(model.artifact.model, model.schema.canonical(rows)))
        for rows in (people(400), model.sample(2000, seed=9))
    )
    model.artifact.tilt = None
    off = (real - made).abs() / 2
    return sum(float(off[slot.tokens].sum()) for slot in decoder.codec.slots) / len(decoder.codec.slots)


@pytest.fixture(scope="module")
def tilt(model: DiffLM) -> torch.Tensor:
    config = model.config.model_copy(
        update={"prior": model.config.prior.model_copy(update={"calibration": 3})}
    )
    batch = prepare(model.artifact.model, model.schema.canonical(people(400)))
    return calibrate(config, model.artifact.model, model.artifact.prior, batch, 1000)


def test_generated_frequencies_come_close_to_the_real_ones(model: DiffLM, tilt: torch.Tensor) -> None:
    assert apart(model, tilt) < 0.6 * apart(model, None)


def test_what_the_decoder_expects_is_brought_to_the_real_frequencies_too(model: DiffLM) -> None:
    batch = prepare(model.artifact.model, model.schema.canonical(people(400)))
    tilt = calibrate_expected(model.config, model.artifact.model, batch, 300)
    assert apart(model, tilt) < 0.7 * apart(model, None)
    again = calibrate_expected(model.config, model.artifact.model, batch, 300)
    assert torch.equal(tilt, again)


def test_only_drawn_rows_of_the_run_s_own_settings_feel_it(model: DiffLM, tilt: torch.Tensor) -> None:
    rows = people(20)

    def written() -> list[str]:
        calls = (
            model.reconstruct(rows),
            model.interpolate(rows.iloc[0], rows.iloc[1]),
            model.decoder_alone(50),
            model.sample(50, prior="gaussian") if model.run else model.sample(50, temperature=0.5),
            model.sample(50),
        )
        return [frame.drop(columns="id").to_csv() for frame in calls]

    before = written()
    model.artifact.tilt = tilt
    after = written()
    model.artifact.tilt = None
    assert [one == other for one, other in zip(before, after, strict=True)] == [True] * 4 + [False]


def test_it_is_kept_with_the_model(model: DiffLM, tilt: torch.Tensor, tmp_path: Path) -> None:
    model.artifact.tilt = tilt
    model.save_pretrained(tmp_path)
    assert DiffLM.from_pretrained(tmp_path).sample(30, seed=2).equals(model.sample(30, seed=2))
    save_file({"tilt": tilt[1:]}, tmp_path / "prior" / "tilt.safetensors")
    with pytest.raises(RunError, match="of another model"):
        DiffLM.from_pretrained(tmp_path)
    model.artifact.tilt = None
    model.save_pretrained(tmp_path)
    assert DiffLM.from_pretrained(tmp_path).artifact.tilt is None


def test_a_training_ends_with_it() -> None:
    again = [
        DiffLM.fit(people(400), preset="quick", overrides={**TINY, "vae.epochs": 2}, time_limit=1)
        for _ in range(2)
    ]
    tilts = [one.artifact.tilt for one in again]
    assert tilts[0] is not None and tilts[1] is not None and torch.equal(tilts[0], tilts[1])
