"""The paper's downstream test: a causal LM continued on real, on synthetic, and on both kinds of documents.

Every condition takes as many steps of as many documents, so that what differs is what was read. The loss is held-out,
in nats a character: it can be compared between models with other tokens. B documents, T tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
import torch.nn.functional as F
from accelerate import Accelerator
from transformers import AutoModelForCausalLM, PreTrainedModel, PreTrainedTokenizerFast

from difflm.errors import DataError
from difflm.models.pretrained import load_model, load_tokenizer
from difflm.precision import mixed
from difflm.seeding import seeded
from difflm.training.optim import schedule

CONDITIONS = ("none", "real", "synthetic", "both")
Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Settings:
    """How each model is continued."""

    steps: int = 200
    batch_size: int = 16
    lr: float = 3e-4
    """Peak learning rate of AdamW, with a linear warm-up and decay."""
    longest: int = 512
    """Most tokens of a document; what is beyond is not read, in training and in scoring alike."""
    seeds: tuple[int, ...] = (0, 1, 2)


@dataclass(frozen=True)
class Continued:
    """One model: what it read, its seed, and what a held-out character costs it before and after, in nats."""

    condition: str
    seed: int
    before: float
    after: float
    documents: int


def continue_pretraining(
    path: str,
    real: Sequence[str],
    synthetic: Sequence[str],
    holdout: Sequence[str],
    settings: Settings,
    tell: Tell = lambda row: None,
    keep: Callable[[str, int, PreTrainedModel], None] | None = None,
) -> list[Continued]:
    """Continue the LM at `path` in each condition with each seed; `keep` gets every finished model.

    Raises DataError where a set is empty."""
    sets = {"none": [], "real": list(real), "synthetic": list(synthetic), "both": [*real, *synthetic]}
    for name, texts in (("real", real), ("synthetic", synthetic), ("held-out", holdout)):
        if not texts:
            raise DataError(f"at least one {name} document", "none")
    tokenizer, accelerator = load_tokenizer(path), Accelerator()
    held = encoded(tokenizer, holdout, settings.longest)
    made = []
    for condition in CONDITIONS:
        lines = encoded(tokenizer, sets[condition], settings.longest) if sets[condition] else []
        # Without training the seed changes nothing.
        for seed in settings.seeds if lines else settings.seeds[:1]:
            lm = load_model(AutoModelForCausalLM, path).to(accelerator.device)
            before = held_out_loss(lm, held)
            if lines:
                _train(lm, lines, settings, condition, seed, accelerator, tell)
            made.append(
                Continued(condition, seed, before, held_out_loss(lm, held) if lines else before, len(lines))
            )
            tell(asdict(made[-1]))
            if keep:
                keep(condition, seed, lm)
    return made


@dataclass(frozen=True)
class Line:
    """Tokens of a document with its end, and the characters that they stand for."""

    ids: list[int]
    characters: int


def encoded(tokenizer: PreTrainedTokenizerFast, texts: Sequence[str], longest: int) -> list[Line]:
    """Documents as tokens: BOS and EOS where the tokenizer has them, cut after `longest`."""
    lines = []
    opening = [] if tokenizer.bos_token_id is None else [tokenizer.bos_token_id]
    end = [] if tokenizer.eos_token_id is None else [tokenizer.eos_token_id]
    made = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    for ids, offsets in zip(made["input_ids"], made["offset_mapping"], strict=True):
        kept = [*opening, *ids, *end][:longest]
        inside = min(len(ids), max(len(kept) - len(opening), 0))
        lines.append(Line(kept, max(offsets[inside - 1][1], 1) if inside else 1))
    return lines


@torch.no_grad()
def held_out_loss(lm: PreTrainedModel, lines: Sequence[Line], batch_size: int = 32) -> float:
    """Nats a character of documents that the model has not read."""
    lm.eval()
    total = 0.0
    ordered = sorted(lines, key=lambda line: len(line.ids))
    for at in range(0, len(ordered), batch_size):
        total += float(_nll(lm, ordered[at : at + batch_size]).sum())
    return total / sum(line.characters for line in lines)


def summary(results: Sequence[Continued]) -> list[dict[str, Any]]:
    """One row a condition: mean and standard deviation over seeds of the held-out loss, in nats a character."""
    rows = []
    for condition in dict.fromkeys(result.condition for result in results):
        own = [result for result in results if result.condition == condition]
        after = np.array([result.after for result in own])
        spread = float(after.std(ddof=1)) if len(after) > 1 else None
        row: Mapping[str, Any] = {"loss": float(after.mean()), "sd": spread, "before": own[0].before}
        rows.append({"condition": condition, **row, "documents": own[0].documents, "seeds": len(own)})
    return rows


def _nll(lm: PreTrainedModel, lines: Sequence[Line]) -> torch.Tensor:
    """Nats (B, T - 1) of the tokens after the first; 0 for padding."""
    device, longest = lm.device, max(len(line.ids) for line in lines)
    ids = torch.tensor([[*line.ids, *[0] * (longest - len(line.ids))] for line in lines], device=device)
    lengths = torch.tensor([len(line.ids) for line in lines], device=device)
    there = torch.arange(longest, device=device)[None] < lengths[:, None]
    with mixed(device):
        logits = lm(input_ids=ids, attention_mask=there.long(), use_cache=False).logits[:, :-1]
    nll = F.cross_entropy(logits.float().transpose(1, 2), ids[:, 1:], reduction="none")
    return nll * there[:, 1:]


def _train(
    lm: PreTrainedModel,
    lines: Sequence[Line],
    settings: Settings,
    condition: str,
    seed: int,
    accelerator: Accelerator,
    tell: Tell,
) -> None:
    optimizer = torch.optim.AdamW(lm.parameters(), lr=settings.lr, betas=(0.9, 0.99), weight_decay=0.01)
    torch.manual_seed(seed)
    lm.train()
    size, order, at = min(settings.batch_size, len(lines)), torch.empty(0, dtype=torch.long), 0
    for step in range(settings.steps):
        while len(order) - at < size:
            more = torch.randperm(len(lines), generator=seeded(seed, "continued", step))
            order, at = torch.cat([order[at:], more]), 0
        batch = [lines[int(i)] for i in order[at : at + size]]
        at += size
        for group in optimizer.param_groups:
            group["lr"] = settings.lr * schedule(step / settings.steps, 0.1)
        nll = _nll(lm, batch)
        loss = nll.sum() / max(sum(len(line.ids) - 1 for line in batch), 1)
        accelerator.backward(loss)
        torch.nn.utils.clip_grad_norm_(lm.parameters(), 1.0)
        optimizer.step()
        optimizer.zero_grad()
        if (step + 1) % 20 == 0 or step + 1 == settings.steps:
            tell(
                {
                    "condition": condition,
                    "seed": seed,
                    "step": step + 1,
                    "of": settings.steps,
                    "loss": loss.item(),
                }
            )
    lm.eval()
