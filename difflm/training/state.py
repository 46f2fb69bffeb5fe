"""State for resuming a stage: tensors as safetensors, numbers as JSON, written in one rename."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from safetensors.torch import load_file, save_file

if TYPE_CHECKING:
    from difflm.training.loop import Loop


def _path(loop: Loop) -> Path | None:
    return None if loop.host.state is None else loop.host.state / f"{loop.plan.stage}.safetensors"


def save_state(loop: Loop) -> None:
    """Write everything that the next step depends on."""
    path = _path(loop)
    if path is None or not loop.accelerator.is_main_process:
        return
    tensors = {f"model.{n}": p.detach() for n, p in loop.module.named_parameters() if p.requires_grad}
    tensors |= {f"best.{n}": p for n, p in loop.best.items()}
    numbers: dict[str, Any] = {"step": loop.step, "steps": loop.steps, "seconds": loop.seconds}
    numbers |= {"best_score": loop.best_score, "bad": loop.bad, "best_step": loop.best_step}
    numbers["cooling"] = loop.cooling
    numbers["extra"] = loop.extra.state() if loop.extra else {}
    if loop.average:
        tensors |= {f"ema.{n}": p for n, p in loop.average.weights.items()}
        numbers["ema_steps"] = loop.average.steps
    for index, optimizer in enumerate(loop.optimizers):
        for parameter, entries in optimizer.state_dict()["state"].items():
            for name, value in entries.items():
                if torch.is_tensor(value):
                    tensors[f"optimizer.{index}.{parameter}.{name}"] = value
                else:
                    numbers[f"optimizer.{index}.{parameter}.{name}"] = value
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_suffix(".tmp")
    save_file({k: v.contiguous() for k, v in tensors.items()}, temporary, {"numbers": json.dumps(numbers)})
    os.replace(temporary, path)


def load_state(loop: Loop) -> bool:
    """Take up a saved state of this stage; False when there is none."""
    from difflm.training.stage import Cooling

    path = _path(loop)
    if path is None or not path.exists():
        return False
    from safetensors import safe_open

    with safe_open(path, "pt") as file:
        numbers = json.loads(file.metadata()["numbers"])
    tensors = load_file(path)
    parameters = dict(loop.module.named_parameters())
    with torch.no_grad():
        for key, value in tensors.items():
            if key.startswith("model."):
                parameters[key.removeprefix("model.")].copy_(value)
    loop.best = {k.removeprefix("best."): v for k, v in tensors.items() if k.startswith("best.")}
    loop.step, loop.steps, loop.seconds = numbers["step"], numbers["steps"], numbers["seconds"]
    loop.best_score, loop.bad, loop.best_step = numbers["best_score"], numbers["bad"], numbers["best_step"]
    loop.cooling = None if numbers["cooling"] is None else Cooling(*numbers["cooling"])
    if loop.extra:
        loop.extra.restore(numbers["extra"])
    if loop.average:
        loop.average.weights = {k.removeprefix("ema."): v for k, v in tensors.items() if k.startswith("ema.")}
        loop.average.steps = numbers["ema_steps"]
    for index, optimizer in enumerate(loop.optimizers):
        state: dict[int, dict[str, Any]] = {}
        found = {**tensors, **numbers}
        for key, value in found.items():
            if key.startswith(f"optimizer.{index}."):
                parameter, name = key.removeprefix(f"optimizer.{index}.").split(".", 1)
                state.setdefault(int(parameter), {})[name] = value
        whole = optimizer.state_dict()
        optimizer.load_state_dict({"state": state, "param_groups": whole["param_groups"]})
    return True
