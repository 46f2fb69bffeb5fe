"""The second level of the latent: it gives a row back exactly, and is not needed to write one."""

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.config import Config
from difflm.errors import ConfigError
from difflm.formats.codec import PAD, FittedCodec
from difflm.formats.numbers import RADIX, IntegerCode
from difflm.generation import decode_latents, rebuild
from difflm.models.build import build_model
from difflm.models.compact import CompactDecoder
from difflm.models.details import Details, circles
from difflm.models.vae import LatentLM
from difflm.schema import Schema
from difflm.training.fit import encode_batch, prepare
from tests.test_codec import mixed_table

SMALL = {"decoder.width": 32, "decoder.layers": 2, "encoder.width": 32}


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=60), st.integers(2, 20))
@settings(deadline=None)
def test_tokens_and_tail_digits_together_are_exact(values: list[int], most: int) -> None:
    code = IntegerCode.fit(pd.Series(values).to_numpy(), most)
    k = pd.Series(values).to_numpy()
    tails = code.encode_tail(k)
    assert tails.shape == (len(k), code.tail_digits)
    assert (code.decode(code.encode(k), None, tails) == k).all()


@pytest.fixture(scope="module")
def built() -> tuple[FittedCodec, pd.DataFrame, LatentLM]:
    frame = mixed_table(300)
    schema = Schema.infer(frame)
    rows = schema.canonical(frame)
    codec = FittedCodec.fit(schema, rows, 16)
    return codec, rows, build_model(Config.from_preset("quick", SMALL), codec)


def test_tail_digits_are_exact_before_any_training(built: tuple[FittedCodec, pd.DataFrame, LatentLM]) -> None:
    codec, rows, model = built
    assert codec.tail_slots, "the table should have a column whose digits are not tokens"
    batch = prepare(model, rows)
    with torch.no_grad():
        _, _, second = model.encode_whole(batch)
    assert second is not None and model.details is not None
    noisy = second.draw(torch.randn(second.mu.shape, generator=torch.Generator().manual_seed(0)))
    right = model.details.given(noisy).tails == batch["tails"]
    assert right.float().mean() > 0.95
    assert second.kl().shape == (len(rows),) and (second.kl() > 0).all()


def test_stressed_tokens_cost_more_and_weigh_no_more(
    built: tuple[FittedCodec, pd.DataFrame, LatentLM],
) -> None:
    codec, rows, model = built
    decoder, batch = model.decoder, prepare(model, rows.iloc[:20])
    assert isinstance(decoder, CompactDecoder)
    name = codec.discrete[-1].name
    with torch.no_grad():
        plain, same = decoder.nlls(decoder.null(20), batch)
        assert torch.equal(plain, same)
        decoder.stress(name, 3.0)
        rec, cost = decoder.nlls(decoder.null(20), batch)
        tokens = decoder(decoder.null(20), batch["ids"], batch["slots"])
        decoder.stress("no such column", 3.0)
        assert torch.equal(decoder.nlls(decoder.null(20), batch)[1], plain)
        decoder.stress(None, 1.0)
    own = [place for place, slot in enumerate(codec.slots) if codec.columns[slot.column].name == name]
    assert torch.equal(rec, plain), "figures stay what they are"
    assert torch.allclose(cost - rec, 2 * tokens[:, own].sum(dim=1), rtol=1e-4, atol=1e-4)


def test_positions_after_the_end_of_a_row_carry_nothing() -> None:
    details = Details(4, 0, 8, 8)
    ids = torch.tensor([[5, 6, -1], [5, 6, 7]])
    second = details.encode(torch.randn(2, 3, 8), ids != PAD, None)
    assert (second.mu[0, 2] == 0).all() and (second.logvar[0, 2] == 0).all()
    assert (second.mu[1, 2] != 0).any()


def test_codes_on_circles_are_apart() -> None:
    mu, logvar = circles(6)
    distance = torch.cdist(mu, mu) + 10 * torch.eye(RADIX)
    assert distance.min() > 5 * torch.exp(logvar[0] / 2)
    assert (mu[:, 4:] == 0).all() and (logvar[4:] == 0).all()


def test_rows_without_details_cost_what_the_core_alone_costs(
    built: tuple[FittedCodec, pd.DataFrame, LatentLM],
) -> None:
    codec, rows, model = built
    batch = prepare(model, rows.iloc[:8])
    eps = (torch.zeros(8, 16), torch.zeros(8, 16))
    positions = batch["ids"].shape[1] + len(codec.tail_slots)
    second = {"detail_eps": torch.zeros(8, positions, 4)}
    with torch.no_grad():
        plain = model(batch, eps, torch.zeros(8))
        none = model(batch, eps, torch.zeros(8), detailed=torch.zeros(8, dtype=torch.bool), **second)
        some = model(batch, eps, torch.zeros(8), detailed=torch.arange(8) < 4, **second)
    assert torch.allclose(plain.rec, none.rec, atol=1e-4) and (none.detail_kl == 0).all()
    assert (some.detail_kl[:4] > 0).all() and torch.allclose(plain.rec[4:], some.rec[4:], atol=1e-4)


def test_rebuilding_without_details_is_decoding_mu(built: tuple[FittedCodec, pd.DataFrame, LatentLM]) -> None:
    _, rows, model = built
    batch = prepare(model, rows.iloc[:20])
    mu, _ = encode_batch(model, batch)
    core, _ = rebuild(model, batch, details=False)
    assert core.equals(decode_latents(model, mu, 0.0, 0.0, 0)[0])
    assert rebuild(model, batch, details=False, chunk=7)[1].tolist() == list(range(20))


def test_one_to_three_dimensions_are_refused() -> None:
    with pytest.raises(ConfigError, match="detail_dim"):
        Config.from_preset("quick", {"latent.detail_dim": 2})
    assert (
        build_model(Config.from_preset("quick", {**SMALL, "latent.detail_dim": 0}), _codec()).details is None
    )


def _codec() -> FittedCodec:
    rows = pd.DataFrame({"a": [1, 2, 3, 4] * 5})
    schema = Schema.infer(rows)
    return FittedCodec.fit(schema, schema.canonical(rows))
