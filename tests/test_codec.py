"""Fitted tokens and their grammar: exact round trip, and nothing but valid rows from a random model."""

import json

import numpy as np
import pandas as pd
import pytest
import torch

from difflm.formats.codec import PAD, FittedCodec
from difflm.formats.grammar import FittedGrammar
from difflm.models.compact import CompactDecoder, choose
from difflm.models.injected import Injected
from difflm.schema import Kind, Schema


def mixed_table(n: int = 200, seed: int = 0) -> pd.DataFrame:
    """Every kind of column the codec writes, with missing cells, spikes, emoji and right-to-left text."""
    rng = np.random.default_rng(seed)
    words = np.array(["grün", "שלום", "🦊🚀", 'a, b\n"c"', "plain"])
    return pd.DataFrame(
        {
            "age": rng.integers(18, 90, n),
            "gain": np.where(rng.random(n) < 0.7, 0, rng.integers(1, 99_999, n)),
            "price": np.round(rng.lognormal(3, 1, n), 2),
            "city": rng.choice(["Oslo", "Rome", None], n, p=[0.5, 0.4, 0.1]),
            "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(rng.integers(0, 900, n), unit="D"),
            "member": rng.random(n) < 0.5,
            "story": [" ".join(rng.choice(words, 5)) + f" {i}" for i in range(n)],
            "note": [
                None if rng.random() < 0.2 else " ".join(rng.choice(words, 4)) + f" {i * 7}" for i in range(n)
            ],
        }
    )


@pytest.fixture(scope="module")
def fitted() -> tuple[Schema, pd.DataFrame, FittedCodec]:
    frame = mixed_table(1600)
    kinds = {"story": Kind.text, "note": Kind.text}
    schema = Schema.infer(frame, kinds=kinds)
    rows = schema.canonical(frame)
    return schema, rows, FittedCodec.fit(schema, rows, 16)


def test_rows_come_back_exactly(fitted: tuple[Schema, pd.DataFrame, FittedCodec]) -> None:
    _, rows, codec = fitted
    back = codec.decode(codec.encode(rows))
    for column in codec.columns:
        a, b = rows[column.name], back[column.name]
        assert (a.isna() == b.isna()).all(), column.name
        if column.name in codec.codes and codec.codes[column.name].tail.max() > 1:
            tail = codec.codes[column.name].tail.max()
            assert (a - b).abs().max() <= tail * 10.0**-column.decimals, column.name
        else:
            assert a.dropna().tolist() == b.dropna().tolist(), column.name


def test_the_json_form_writes_the_same_tokens(fitted: tuple[Schema, pd.DataFrame, FittedCodec]) -> None:
    schema, rows, codec = fitted
    again = FittedCodec.from_dict(schema, codec.to_dict())
    assert (again.encode(rows) == codec.encode(rows)).all()


def test_the_target_is_written_last_and_stands_in_its_place() -> None:
    frame = mixed_table(400)
    schema = Schema.infer(frame, target="age")
    rows = schema.canonical(frame)
    codec = FittedCodec.fit(schema, rows, 200)
    written = [column.name for column in codec.discrete]
    assert written[-1] == "age" and len(set(written)) == len(written)
    back = codec.decode(codec.encode(rows))
    assert list(back.columns) == [name for name in schema.names if name in back]
    assert (back["age"] == rows["age"]).all()
    # Runs of before have the order of the table, and keep it.
    data = codec.to_dict()
    data["codes"] = {name: data["codes"][name] for name in schema.names if name in data["codes"]}
    old = FittedCodec.from_dict(schema, json.loads(json.dumps(data)))
    assert old.discrete[0].name == "age"
    assert (old.decode(old.encode(rows))["age"] == rows["age"]).all()


def test_every_token_lies_in_the_slot_of_its_position(
    fitted: tuple[Schema, pd.DataFrame, FittedCodec],
) -> None:
    _, rows, codec = fitted
    ids = codec.encode(rows)
    slots = codec.slots_of(ids)
    lo = np.array([s.lo for s in codec.slots])[slots]
    hi = np.array([s.hi for s in codec.slots])[slots]
    assert ((ids >= lo) & (ids < hi) | (ids == PAD)).all()


def test_real_rows_are_allowed_by_the_grammar(fitted: tuple[Schema, pd.DataFrame, FittedCodec]) -> None:
    _, rows, codec = fitted
    ids = torch.from_numpy(codec.encode(rows)).long()
    grammar = FittedGrammar(codec, len(ids), torch.device("cpu"))
    for position in range(ids.shape[1]):
        slot = grammar.common_slot
        last = codec.slots[-1].lo + 1
        token = torch.where(ids[:, position] == PAD, last, ids[:, position])
        chosen = token if slot is None else token - codec.slots[slot].lo
        allowed = grammar.allowed().expand(len(ids), -1)
        assert allowed[torch.arange(len(ids)), chosen].all(), position
        grammar.advance(chosen)
    assert grammar.finished


def test_a_random_decoder_writes_only_valid_rows(fitted: tuple[Schema, pd.DataFrame, FittedCodec]) -> None:
    schema, _, codec = fitted
    torch.manual_seed(0)
    decoder = CompactDecoder(codec, 16, 1, 2, 2).eval()
    with torch.no_grad():
        written = decoder.write(Injected(torch.randn(300, 2, 16)), 1.0, torch.Generator().manual_seed(0))
    assert len(written.rows) + sum(written.rejected.values()) == 300
    assert len(written.index) == len(written.rows)
    assert not schema.violations(written.rows) or sum(schema.violations(written.rows).values()) == 0
    assert written.rows["city"].isna().any() and not written.rows["age"].isna().any()


def test_step_by_step_costs_what_one_pass_costs(fitted: tuple[Schema, pd.DataFrame, FittedCodec]) -> None:
    """The KV cache and the padded training pass agree on the probability of a row."""
    from difflm.models.compact import Writer

    _, rows, codec = fitted
    torch.manual_seed(0)
    decoder = CompactDecoder(codec, 16, 2, 2, 3).eval()
    batch = decoder.prepare(rows.iloc[:5])
    prompt = Injected(torch.randn(5, 3, 16))
    with torch.no_grad():
        nll = decoder(prompt, batch["ids"], batch["slots"])
        writer = Writer(decoder, prompt)
        for position in range(codec.fixed):
            logits = decoder.slot_logits(writer.hidden, position, decoder.head.rows())
            own = batch["ids"][:, position].long() - codec.slots[position].lo
            expected = torch.nn.functional.cross_entropy(logits, own, reduction="none")
            assert torch.allclose(nll[:, position], expected, atol=1e-4), position
            writer.write(batch["ids"][:, position].long(), position + 1)
        alone = decoder(prompt[:1], batch["ids"][:1], batch["slots"][:1])
    assert torch.allclose(alone[0], nll[0], atol=1e-4)


def test_a_decoder_begins_as_independent_columns(fitted: tuple[Schema, pd.DataFrame, FittedCodec]) -> None:
    schema, table, codec = fitted
    torch.manual_seed(0)
    decoder = CompactDecoder(codec, 16, 1, 2, soft_tokens=1).eval()
    batch = decoder.prepare(schema.canonical(table))
    with torch.no_grad():
        even = decoder.row_nll(decoder.null(len(table)), batch).mean().item()
        decoder.begin_with(batch["ids"])
        begun = decoder.row_nll(decoder.null(len(table)), batch).mean().item()
    entropy = 0.0
    for slot in codec.slots:
        counts = torch.stack([(batch["ids"] == token).sum() for token in range(slot.lo, slot.hi)])
        shares = counts[counts > 0] / counts.sum()
        entropy -= float((shares * shares.log()).sum() * counts.sum()) / len(table)
    assert entropy < begun < 1.05 * entropy < 0.9 * even


@pytest.mark.parametrize("columns", [4, 40])
def test_the_gradient_of_a_loss_comes_to_the_head_once_however_many_columns(columns: int) -> None:
    """A slice's gradient is as large as the whole head: one a column made training quadratic in the columns."""
    values = np.random.default_rng(0).normal(size=(60, columns)).round(1)
    schema = Schema.infer(frame := pd.DataFrame(values, columns=[f"c{i}" for i in range(columns)]))
    rows = schema.canonical(frame)
    codec = FittedCodec.fit(schema, rows, bins=20)
    decoder = CompactDecoder(codec, 16, 1, 2, 2)
    batch = decoder.prepare(rows.iloc[:4])
    states = torch.randn(4, codec.fixed, 16, requires_grad=True)
    nodes, seen = [decoder.losses(states, batch["ids"], batch["slots"]).sum().grad_fn], set()
    while nodes:
        node = nodes.pop()
        if node is not None and node not in seen:
            seen.add(node)
            nodes += [following for following, _ in node.next_functions]
    names = [node.name() for node in seen]
    assert codec.fixed >= columns and sum(name.startswith("NllLoss") for name in names) == codec.fixed
    assert sum(name.startswith(("Slice", "Select")) for name in names) <= 4


def test_conditions_narrow_the_grammar(fitted: tuple[Schema, pd.DataFrame, FittedCodec]) -> None:
    _, _, codec = fitted
    decoder = CompactDecoder(codec, 16, 1, 2, 2).eval()
    with torch.no_grad():
        written = decoder.write(
            Injected(torch.randn(50, 2, 16)), 1.0, torch.Generator().manual_seed(0), {"city": [1]}
        )
    assert written.rows["city"].nunique() == 1


def test_draws_follow_the_weights_and_greedy_takes_the_top() -> None:
    logits = torch.log(torch.tensor([[0.7, 0.3, 0.0]])).expand(4000, 3)
    drawn = choose(logits, 1.0, torch.Generator().manual_seed(0))
    assert (drawn == 0).float().mean() == pytest.approx(0.7, abs=0.03) and (drawn != 2).all()
    assert (choose(logits, 0.0, torch.Generator()) == 0).all()


@pytest.mark.parametrize("name", ["constant", "empty", "huge", "many"])
def test_odd_columns_have_a_code(name: str) -> None:
    n = 60
    column = {
        "constant": ["same"] * n,
        "empty": [None] * n,
        "huge": [float(i) * 1e298 for i in range(n)],
        "many": [f"c{i % 50}" for i in range(n)],
    }[name]
    frame = pd.DataFrame({name: column, "x": range(n)})
    schema = Schema.infer(frame, kinds={name: Kind.category} if name == "many" else None)
    rows = schema.canonical(frame)
    codec = FittedCodec.fit(schema, rows, 16)
    back = codec.decode(codec.encode(rows))
    if name != "huge":
        assert rows[name].isna().equals(back[name].isna())
    else:
        assert np.allclose(rows[name].astype(float), back[name].astype(float), rtol=1e-3, atol=1e299)
