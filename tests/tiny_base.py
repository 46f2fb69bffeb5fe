"""A base model small enough to pretrain in a test."""

from __future__ import annotations

import dataclasses

import pytest
import torch

from difflm import precision
from difflm.pretrain import loss
from difflm.pretrain.model import BaseModel, Special, make_llama
from difflm.pretrain.sizes import SIZES

SIZE = dataclasses.replace(
    SIZES["tiny"],
    vocabulary=300,
    width=32,
    layers=2,
    heads=2,
    key_heads=1,
    hidden=48,
    length=48,
    longest=128,
    batch=4,
    held_tokens=400,
    characters=60_000,
)
SPECIAL = Special(0, 1, 2)
CPU = torch.device("cpu")


def small_model() -> BaseModel:
    """With random weights, the same each time."""
    return BaseModel(make_llama(SIZE, SPECIAL, 0, CPU), SPECIAL)


def in_float32(monkeypatch: pytest.MonkeyPatch) -> None:
    """Everything, whatever this machine multiplies."""
    monkeypatch.setattr(loss, "native_bfloat16", lambda device: False)
    monkeypatch.setattr(precision, "native_bfloat16", lambda device: False)
