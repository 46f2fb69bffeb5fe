"""Frozen causal LMs as decoders: exact likelihoods, gradients only where they belong, valid rows."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import tiny_lm
import torch
from transformers import AutoModelForCausalLM, BertConfig, BertLMHeadModel

from difflm.columns import Column, Kind
from difflm.config import Config
from difflm.errors import ConfigError, DataError, RunError
from difflm.formats import cell_text
from difflm.formats.table import CompactFormat, JsonFormat, TableFormat
from difflm.models import causal_nll
from difflm.models.causal_lm import CausalLMDecoder
from difflm.models.injected import Injected
from difflm.models.pretrained import load_model
from difflm.models.transformers_encoder import TransformersEncoder
from difflm.schema import Schema

P = 3
MODELS = ["gpt2", "llama", "plain"]


def schema() -> Schema:
    return Schema(
        columns=[
            Column(name="age", kind=Kind.integer, value_type="int", minimum=-12, maximum=105),
            Column(
                name="price",
                kind=Kind.real,
                value_type="float",
                decimals=2,
                minimum=0.5,
                maximum=9.75,
                missing=True,
            ),
            Column(
                name="job", kind=Kind.category, categories=["clerk", 'a "b", c', "näher 😀"], missing=True
            ),
            Column(name="id", kind=Kind.identifier),
            Column(
                name="day", kind=Kind.datetime, value_type="datetime", unit="D", minimum=10900, maximum=11020
            ),
            Column(name="note", kind=Kind.text, missing=True),
        ],
        target=None,
    )


def rows() -> pd.DataFrame:
    names = ["age", "price", "job", "day", "note"]
    cells: list[list[Any]] = [
        [39, -12, 105, 7],
        [0.5, None, 9.75, 1.25],
        ["clerk", 'a "b", c', None, "näher 😀"],
        [10900, 11020, 11000, 10957],
        [None, "", "line\nend, </s> <e>", "שלום"],
    ]
    columns = schema()
    return pd.DataFrame(
        {n: cell_text.series_of(columns.column(n), c) for n, c in zip(names, cells, strict=True)}
    )


@pytest.fixture(scope="module")
def saved(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("models")
    return {
        "gpt2": tiny_lm.save_gpt2(root / "gpt2", tiny_lm.byte_level(bos_token="<e>", eos_token="<e>")),
        "llama": tiny_lm.save_llama(root / "llama", tiny_lm.sentence_piece()),
        "plain": tiny_lm.save_gpt2(root / "plain", tiny_lm.byte_level()),
        "bert": tiny_lm.save_bert(root / "bert", tiny_lm.byte_level(cls_token="[C]")),
    }


def decoder_of(path: Path, text: str = "compact", max_tokens: int = 200) -> CausalLMDecoder:
    torch.manual_seed(0)
    values: dict[str, Any] = {
        "decoder.kind": "causal_lm",
        "decoder.path": str(path),
        "decoder.max_tokens": max_tokens,
        "injection.tokens": P,
        "format.text": text,
    }
    return CausalLMDecoder.from_config(Config.from_preset("quick", values), schema())


def prompts(decoder: CausalLMDecoder, n: int) -> Injected:
    return Injected(torch.randn(n, P, decoder.width, generator=torch.Generator().manual_seed(5)) * 0.3)


@pytest.mark.parametrize("name", MODELS)
def test_one_shot_nll_is_the_step_by_step_nll(saved: dict[str, Path], name: str) -> None:
    decoder = decoder_of(saved[name])
    batch = decoder.prepare(rows())
    prompt = prompts(decoder, 4)
    whole = decoder.row_nll(prompt, batch)
    ids = [line[mask].tolist() for line, mask in zip(batch["text_ids"], batch["text_mask"], strict=True)]
    with torch.no_grad():
        writer = decoder.writer(prompt)
        writer.read([[] for _ in ids])
        nll, at, pace = torch.zeros(4), [0] * 4, [1, 2, 3, 5]
        while any(at[row] < len(line) for row, line in enumerate(ids)):
            for row, line in enumerate(ids):
                if at[row] < len(line):
                    nll[row] -= writer.logits[row].log_softmax(-1)[line[at[row]]]
            chunks = [line[at[r] : at[r] + 1] for r, line in enumerate(ids)]
            at = [a + 1 for a in at]
            writer.read(chunks)
    torch.testing.assert_close(whole, nll, rtol=1e-4, atol=1e-3)
    # Rows that move at their own pace end in the same state as rows that move together.
    with torch.no_grad():
        other = decoder.writer(prompt)
        lasts = torch.zeros_like(writer.logits)
        other.read([line[: pace[r]] for r, line in enumerate(ids)])
        left = [line[pace[r] :] for r, line in enumerate(ids)]
        while any(left):
            chunks = [line[: pace[r]] for r, line in enumerate(left)]
            left = [line[pace[r] :] for r, line in enumerate(left)]
            other.read(chunks)
            for row, chunk in enumerate(chunks):
                if chunk:
                    lasts[row] = other.logits[row]
        for row, line in enumerate(ids):
            alone = decoder.writer(prompt[row : row + 1])
            alone.read([line])
            torch.testing.assert_close(lasts[row], alone.logits[0], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", MODELS)
def test_padding_and_company_change_nothing(
    saved: dict[str, Path], name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoder = decoder_of(saved[name], "json")
    prompt = prompts(decoder, 4)
    batch = decoder.prepare(rows())
    together = decoder.row_nll(prompt, batch)
    alone = [decoder.row_nll(prompt[r : r + 1], decoder.prepare(rows().iloc[[r]])) for r in range(4)]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-3)
    ids = torch.nn.functional.pad(batch["text_ids"], (0, 7), value=3)
    padded = {"text_ids": ids, "text_mask": torch.nn.functional.pad(batch["text_mask"], (0, 7))}
    torch.testing.assert_close(together, decoder.row_nll(prompt, padded))
    monkeypatch.setattr(causal_nll, "LOGIT_BUDGET", 1)
    torch.testing.assert_close(together, decoder.row_nll(prompt, batch), rtol=1e-4, atol=1e-3)


@pytest.mark.parametrize("budget", [1, 2**28])
def test_gradient_reaches_the_prompt_and_not_the_lm(
    saved: dict[str, Path], budget: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(causal_nll, "LOGIT_BUDGET", budget)
    decoder = decoder_of(saved["llama"]).train()
    before = {name: value.clone() for name, value in decoder.lm.named_parameters()}
    prompt = prompts(decoder, 4).prompt.requires_grad_()
    (
        decoder.row_nll(Injected(prompt), decoder.prepare(rows())).sum()
        + decoder.row_nll(decoder.null(4), decoder.prepare(rows())).sum()
    ).backward()
    assert prompt.grad is not None and bool((prompt.grad.abs().sum(dim=(1, 2)) > 0).all())
    assert decoder.null_prompt.grad is not None and decoder.null_prompt.grad.abs().sum() > 0
    assert not decoder.lm.training
    for name, value in decoder.lm.named_parameters():
        assert value.grad is None and not value.requires_grad
        assert torch.equal(value, before[name])
    assert list(decoder.state_dict()) == ["null_prompt"]
    assert next(decoder.to(torch.float64).lm.parameters()).dtype == torch.float64


@pytest.mark.parametrize("form", [JsonFormat, CompactFormat])
@pytest.mark.parametrize("name", MODELS)
def test_a_random_model_writes_valid_rows_only(
    saved: dict[str, Path], name: str, form: type[TableFormat]
) -> None:
    decoder = decoder_of(saved[name])
    decoder.form = decoder.grammar.form = form(schema(), text_length=12)
    n = 40
    written = decoder.write(prompts(decoder, n), 1.0, torch.Generator().manual_seed(0))
    assert written.rejected == {} and written.index == list(range(n))
    assert not any(schema().violations(written.rows.assign(id="x")[schema().names]).values())
    assert written.rows["job"].nunique() > 1 and written.rows["note"].nunique() > 1
    assert list(written.rows.dtypes) == list(rows().dtypes)


def test_conditions_and_greedy_writing(saved: dict[str, Path]) -> None:
    decoder = decoder_of(saved["gpt2"], "json")
    decoder.form = decoder.grammar.form = JsonFormat(schema(), text_length=8)
    only: dict[str, list[Any]] = {"job": [None, 'a "b", c'], "age": [7, 8], "price": [2.5], "note": ["x,\n"]}
    written = decoder.write(prompts(decoder, 12), 0.0, torch.Generator(), only)
    again = decoder.write(prompts(decoder, 12), 0.0, torch.Generator(), only)
    pd.testing.assert_frame_equal(written.rows, again.rows)
    assert len(written.rows) == 12
    for name, allowed in only.items():
        got = written.rows[name].astype(object).where(written.rows[name].notna(), None)
        assert set(got) <= set(allowed)
    with pytest.raises(ConfigError, match="age can have"):
        decoder.write(prompts(decoder, 1), 0.0, torch.Generator(), {"age": [500]})


def test_rows_that_do_not_end_are_counted(saved: dict[str, Path]) -> None:
    decoder = decoder_of(saved["gpt2"], max_tokens=80)
    written = decoder.write(prompts(decoder, 20), 1.0, torch.Generator().manual_seed(1))
    assert written.rejected == {"longer than 80 tokens": 20 - len(written.rows)}
    assert 0 < len(written.rows) == len(written.index) < 20


def test_long_records_are_refused_not_cut(saved: dict[str, Path]) -> None:
    with pytest.raises(
        DataError, match=r"[1-4] of 4 that are longer, up to \d+ tokens; raise decoder.max_tokens"
    ):
        decoder_of(saved["gpt2"], max_tokens=25).prepare(rows())


def test_what_cannot_be_a_decoder_says_so(saved: dict[str, Path], tmp_path: Path) -> None:
    with pytest.raises(RunError, match="a folder with a transformers model"):
        decoder_of(tmp_path)
    with pytest.raises(ConfigError, match="at most 256 positions"):
        decoder_of(saved["gpt2"], max_tokens=300)
    config = BertConfig(
        vocab_size=300, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=16
    )
    BertLMHeadModel(config).save_pretrained(tmp_path)
    tiny_lm.byte_level().save_pretrained(tmp_path)
    with pytest.raises(ConfigError, match="sees later tokens"):
        decoder_of(tmp_path)


def test_a_name_without_network_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    with pytest.raises(RunError, match="without a network"):
        load_model(AutoModelForCausalLM, "nobody/has-this-model")


@pytest.mark.parametrize("name", ["bert", "gpt2"])
def test_encoder_reads_text_and_ignores_padding(saved: dict[str, Path], name: str) -> None:
    values = {"encoder.kind": "transformers", "encoder.path": str(saved[name]), "format.text": "json"}
    encoder = TransformersEncoder.from_config(Config.from_preset("quick", values), schema()).eval()
    assert encoder.causal == (name == "gpt2")
    batch = encoder.prepare(rows())
    mu, logvar = encoder(batch)
    assert mu.shape == logvar.shape == (4, 16)
    single = encoder(encoder.prepare(rows().iloc[[2]]))
    torch.testing.assert_close(mu[2:3], single[0], rtol=1e-4, atol=1e-5)
    assert not torch.allclose(mu[0], mu[1])
    mu.sum().backward()
    assert all(p.grad is not None for p in encoder.read.parameters())
    assert sum(p.grad is not None for p in encoder.model.parameters()) > 5
