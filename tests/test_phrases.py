"""Phrases: runs of tokens that many rows have, and what the compact decoder makes of them."""

from collections import Counter

import numpy as np
import pandas as pd
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from difflm.formats.codec import FittedCodec
from difflm.formats.phrases import LEAST_ROWS, LENGTH, frequent
from difflm.models.compact import CompactDecoder
from difflm.models.compact_writer import Writer
from difflm.models.phrases import Phrases
from difflm.schema import Schema


def days(n: int = 2000) -> pd.DataFrame:
    """Each day has a weather of its own, which year, month and day say only together."""
    rng = np.random.default_rng(0)
    year, month, day = rng.integers(2010, 2013, n), rng.integers(1, 5, n), rng.integers(1, 9, n)
    weather = np.random.default_rng(1).integers(0, 6, (3, 4, 8))[year - 2010, month - 1, day - 1]
    return pd.DataFrame({"year": year, "month": month, "day": day, "weather": [f"w{w}" for w in weather]})


def codec_of(frame: pd.DataFrame, phrases: int = 1000) -> FittedCodec:
    schema = Schema.infer(frame)
    return FittedCodec.fit(schema, schema.canonical(frame), phrases=phrases)


@given(st.lists(st.tuples(*[st.integers(0, 2)] * 4), min_size=0, max_size=60), st.integers(0, 5))
def test_the_most_frequent_runs_are_found(rows: list[tuple[int, ...]], most: int) -> None:
    # Token ids of a position are its own: three to a position.
    ids = np.array(rows, np.int32).reshape(-1, 4) + 3 * np.arange(4, dtype=np.int32)
    counted = Counter(tuple(row[at : at + LENGTH]) for row in ids.tolist() for at in range(4 - LENGTH + 1))
    enough = sorted((n for n in counted.values() if n >= LEAST_ROWS), reverse=True)
    found = [tuple(run) for run in frequent(ids, 12, most).tolist()]
    assert found == sorted(set(found))
    assert sorted((counted[run] for run in found), reverse=True) == enough[:most]


def test_a_vocabulary_beyond_all_numbers_has_none() -> None:
    ids = np.tile(np.array([1, 5, 9], np.int32), (20, 1))
    assert frequent(ids, 2_000_000, 10).tolist() == [[1, 5, 9]]
    assert frequent(ids, 3_000_000, 10).shape == (0, LENGTH)


def test_rows_of_fewer_cells_have_none() -> None:
    assert codec_of(days()[["year", "month"]]).phrases.shape == (0, LENGTH)


def test_phrases_are_saved_with_the_codec_and_older_codecs_have_none() -> None:
    codec = codec_of(days())
    stored = codec.to_dict()
    assert len(codec.phrases) > 90
    assert (FittedCodec.from_dict(codec.schema, stored).phrases == codec.phrases).all()
    del stored["phrases"]
    older = FittedCodec.from_dict(codec.schema, stored)
    assert CompactDecoder(older, 16, 1, 2, 1).phrases is None


def test_a_phrase_stands_where_it_ends_and_hides_with_any_of_its_tokens() -> None:
    codec = codec_of(days())
    known, runs = Phrases(codec, 8), torch.from_numpy(codec.phrases[:5])
    nn.init.normal_(known.meaning)
    elsewhere = runs.flip(1)
    ids = torch.cat([runs, elsewhere], dim=1)
    said = known(ids)
    assert torch.equal(said[:, LENGTH - 1], known.meaning[:5])
    assert not said[:, : LENGTH - 1].any() and not said[:, LENGTH:].any()
    assert torch.equal(known.step(runs, known.rows()), known.meaning[:5])
    assert not known.step(elsewhere, known.rows()).any()
    for place in range(LENGTH):
        hidden = torch.zeros(ids.shape, dtype=torch.bool)
        hidden[:, place] = True
        assert not known(ids, hidden).any()
    assert not known(ids[:, :2]).any()


def test_step_by_step_says_what_one_pass_says() -> None:
    codec = codec_of(days())
    decoder = CompactDecoder(codec, 16, 2, 2, 1).eval()
    assert decoder.phrases is not None
    nn.init.normal_(decoder.phrases.meaning)
    batch = decoder.prepare(codec.schema.canonical(days(50)))
    null = decoder.null(50)
    with torch.no_grad():
        whole = decoder.row_nll(null, batch)
        writer, nll = Writer(decoder, null), torch.zeros(50)
        for at, ids in enumerate(batch["ids"].long().unbind(1)):
            logits = decoder.slot_logits(writer.hidden, at, decoder.head.rows()).log_softmax(-1)
            nll -= logits.gather(1, ids[:, None] - codec.slots[at].lo)[:, 0]
            if at + 1 < batch["ids"].shape[1]:
                writer.write(ids, at + 1)
    torch.testing.assert_close(nll, whole, rtol=1e-4, atol=1e-4)


def test_a_day_is_learned_sooner() -> None:
    def cost(phrases: int) -> float:
        torch.manual_seed(0)
        frame = days()
        codec = codec_of(frame, phrases)
        decoder = CompactDecoder(codec, 16, 1, 2, 1)
        rows = decoder.prepare(codec.schema.canonical(frame))
        optimizer = torch.optim.AdamW(decoder.parameters(), lr=0.02)
        for step in range(60):
            part = {k: v[step % 8 :: 8] for k, v in rows.items()}
            optimizer.zero_grad()
            decoder.row_nll(decoder.null(len(part["ids"])), part).mean().backward()
            optimizer.step()
        unseen = decoder.prepare(codec.schema.canonical(days(500)))
        with torch.no_grad():
            return float(decoder(decoder.null(500), unseen["ids"], unseen["slots"])[:, -1].mean())

    assert cost(1000) < 0.5 * cost(0)
