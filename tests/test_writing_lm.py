"""A causal LM made ready for writing: the same numbers as before, by other products."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_lm
import torch
from torch import nn
from transformers import AutoModelForCausalLM
from transformers.integrations.sdpa_attention import sdpa_attention_forward

from difflm.models.pretrained import load_model
from difflm.models.step_attention import LONGEST_STEP, NAME, step_attention
from difflm.models.writing_lm import writing_lm
from difflm.precision import mixed, native_bfloat16

CPU = torch.device("cpu")


@pytest.mark.parametrize("steps", [1, 3, LONGEST_STEP + 1])
@pytest.mark.parametrize("shared", [1, 2, 4])
def test_a_step_attends_as_the_kernel_of_torch(steps: int, shared: int) -> None:
    torch.manual_seed(0)
    layer = nn.Module()
    layer.num_key_value_groups, layer.is_causal = 4 // shared, True  # type: ignore[assignment]
    query = torch.randn(2, 4, steps, 8)
    key, value = torch.randn(2, shared, 20, 8), torch.randn(2, shared, 20, 8)
    seen = torch.rand(2, 1, steps, 20) < 0.6
    seen[..., 0] = True
    mask = torch.zeros(seen.shape).masked_fill(~seen, torch.finfo(torch.float32).min)
    ours, _ = step_attention(layer, query, key, value, mask, scaling=0.3)
    theirs, _ = sdpa_attention_forward(layer, query, key, value, mask, scaling=0.3)
    torch.testing.assert_close(ours, theirs)


def test_what_a_family_adds_is_not_left_out() -> None:
    one = torch.randn(1, 1, 1, 8)
    with pytest.raises(ValueError, match="softcap"):
        step_attention(nn.Module(), one, one, one, torch.zeros(1, 1, 1, 1), softcap=3.0)


def test_a_writing_lm_shares_its_weights_and_gives_the_numbers_of_autocast(tmp_path: Path) -> None:
    lm = load_model(AutoModelForCausalLM, str(tiny_lm.save_llama(tmp_path / "lm", tiny_lm.sentence_piece())))
    with mixed(CPU):
        made = writing_lm(lm)
    assert made is not lm and made.config._attn_implementation == NAME
    assert lm.config._attn_implementation == "sdpa"
    assert made.get_input_embeddings().weight is lm.get_input_embeddings().weight
    ids = torch.arange(2 * 6).reshape(2, 6)
    with torch.no_grad(), mixed(CPU, cache=False):
        torch.testing.assert_close(made(ids).logits, lm(ids).logits, rtol=0, atol=0)
    if native_bfloat16(CPU):
        kinds = {layer.weight.dtype for layer in made.modules() if isinstance(layer, nn.Linear)}
        assert kinds == {torch.bfloat16}
    assert {weight.dtype for weight in lm.parameters()} == {torch.float32}


def test_an_attention_that_was_chosen_stays(tmp_path: Path) -> None:
    lm = load_model(AutoModelForCausalLM, str(tiny_lm.save_llama(tmp_path / "lm", tiny_lm.sentence_piece())))
    lm.set_attn_implementation("eager")
    made = writing_lm(lm)
    assert made.config._attn_implementation == "eager"
    assert made.get_input_embeddings().weight is lm.get_input_embeddings().weight
