"""Gradient checkpointing of a causal LM: the same gradients, its layers computed again, and writing untouched."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_lm
import torch
from test_causal_lm import rows, schema

from difflm.config import Config
from difflm.models.causal_lm import CausalLMDecoder
from difflm.models.injected import Injected


@pytest.mark.parametrize("training", ["frozen", "joint"])
def test_gradients_and_rows_are_the_same(tmp_path: Path, training: str) -> None:
    path = tiny_lm.save_llama(tmp_path / "lm", tiny_lm.byte_level(bos_token="<s>", eos_token="</s>"))
    found = []
    for checkpointing in (False, True):
        torch.manual_seed(0)
        made = {"kind": "causal_lm", "path": str(path), "training": training, "max_tokens": 200}
        config = Config.load({"decoder": {**made, "checkpointing": checkpointing}})
        decoder = CausalLMDecoder.from_config(config, schema())
        forwards = 0

        def count(*arguments: object) -> None:
            nonlocal forwards
            forwards += 1

        layer = decoder.lm.model.layers[0].self_attn
        layer.register_forward_pre_hook(count)
        decoder.train()
        prompt = torch.randn(4, config.injection.count, decoder.width, requires_grad=True)
        decoder.row_nll(Injected(prompt), decoder.prepare(rows())).sum().backward()
        assert forwards == (2 if checkpointing else 1)
        assert layer.training == (training == "joint"), "a frozen LM has no dropout"
        decoder.eval()
        written = decoder.write(Injected(prompt.detach()), 0.0, torch.Generator().manual_seed(0))
        assert prompt.grad is not None
        found.append((prompt.grad, written.rows))
    torch.testing.assert_close(found[0][0], found[1][0])
    assert found[0][1].equals(found[1][1])
