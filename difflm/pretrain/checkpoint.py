"""The finished checkpoint: a folder as `transformers` loads it, in 16 bit, with its card and what it was made from."""

from __future__ import annotations

import copy
import shutil
from pathlib import Path
from typing import Any

import torch
from torch import nn
from transformers import LlamaForCausalLM

from difflm import disk
from difflm.errors import ConfigError
from difflm.pretrain.card import write_card
from difflm.pretrain.corpus import Corpus
from difflm.pretrain.sizes import Size
from difflm.pretrain.tokenizer import for_transformers

RECORD = "pretraining.json"
"""What tells a folder that may be replaced from any other."""


def check_place(out: Path) -> None:
    """Refuse a folder with files that are no checkpoint of a pretraining: it would be replaced."""
    if out.exists() and not out.is_dir():
        raise ConfigError(f"a folder for --out {out}", "a file", "choose another place")
    if out.is_dir() and any(out.iterdir()) and not (out / RECORD).exists():
        raise ConfigError(
            f"an empty place or an earlier base model for --out {out}", "other files", "choose another place"
        )


@torch.no_grad()
def rounded(model: nn.Module) -> None:
    """Give the weights the values that 16 bit (bfloat16) can hold, so that figures are those of the saved ones."""
    for parameter in model.parameters():
        parameter.copy_(parameter.bfloat16().float())


def write_checkpoint(
    out: Path, llama: LlamaForCausalLM, corpus: Corpus, size: Size, facts: dict[str, Any]
) -> None:
    """Weights, tokenizer, card and record in `out`, all at once."""
    check_place(out)
    disk.make_folder(out.parent)
    temporary, old = (out.with_name(f".{out.name}.{end}") for end in ("tmp", "old"))
    for left in (temporary, old):
        shutil.rmtree(left, ignore_errors=True)
    try:
        copied = copy.deepcopy(llama).cpu().bfloat16()
        # Where it is loaded, the machine chooses.
        copied.set_attn_implementation("sdpa")
        copied.save_pretrained(temporary)
        for_transformers(corpus.tokenizer, size.longest).save_pretrained(temporary)
        disk.write_json(temporary / RECORD, {**facts, "corpus": corpus.manifest})
        write_card(temporary / "README.md", out.name, size, corpus.manifest, facts)
        if out.exists():
            out.rename(old)
        temporary.rename(out)
    except OSError as error:
        raise disk.explained(error, out) from error
    finally:
        for left in (temporary, old):
            shutil.rmtree(left, ignore_errors=True)
