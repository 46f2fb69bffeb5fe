"""Pretraining in a work folder: corpus/, state/, training.json (what was planned) and metrics.jsonl.

Windows are drawn in an order fixed by the seed; a resumed training goes on bit for bit on the same machine.
"""

from __future__ import annotations

import platform
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
from accelerate import Accelerator

import difflm
from difflm import disk
from difflm.errors import ConfigError, RunError
from difflm.pretrain.checkpoint import check_place, rounded, write_checkpoint
from difflm.pretrain.corpus import Corpus, Say, open_or_build
from difflm.pretrain.documents import KINDS
from difflm.pretrain.loop import held_out_figures, make_loop, make_plan, seconds_per_step, timed_plan
from difflm.pretrain.model import BaseModel, Special, make_llama
from difflm.pretrain.packing import Windows
from difflm.pretrain.sizes import Size
from difflm.pretrain.tokenizer import BOS, EOS, PAD
from difflm.runs import Run
from difflm.training.host import Host, Stopped
from difflm.training.loop import Loop
from difflm.training.stage import Plan

LIBRARIES = ("torch", "transformers", "tokenizers", "accelerate", "safetensors")

Tell = Callable[[dict[str, Any]], None]


@dataclass(frozen=True, kw_only=True)
class Request:
    """What `difflm pretrain` was asked to do."""

    size: Size
    out: Path
    work: Path
    seed: int = 0
    seconds: float | None = None
    """Time limit of the training; the corpus comes before."""
    tokens: int | None = None
    resume: bool = False
    workers: int = 1
    """Processes that gather the corpus."""
    compiled: bool = False
    """Whether kernels are made for this model: faster steps on a GPU after a minute, the same numbers but for
    rounding."""
    command: str = "difflm pretrain"

    def settings(self) -> dict[str, Any]:
        """What a resumed training must agree in."""
        return {"seed": self.seed, "size": asdict(self.size)}


def prepare(request: Request, say: Say = lambda text: None) -> Corpus:
    """The corpus of a request, built where it is not there yet."""
    folder = request.work / "corpus"
    return open_or_build(folder, request.size, request.seed, request.workers, say, request.resume)


def pretrain(
    request: Request,
    say: Say = lambda text: None,
    tell: Tell = lambda row: None,
    should_stop: Callable[[], bool] = lambda: False,
) -> bool:
    """Train a base model and write its checkpoint; False where it was stopped, with the weights so far written.

    Raises ConfigError for folders that hold something else, RunError for a resume without a training."""
    accelerator = Accelerator()
    main, size, device = accelerator.is_main_process, request.size, accelerator.device
    if not main:
        say = tell = _silent
    with accelerator.main_process_first():
        if main:
            _check(request)
        corpus = prepare(request, say)
    special = Special(*(corpus.special(name) for name in (BOS, EOS, PAD)))
    model = BaseModel(make_llama(size, special, request.seed, device), special).to(device)
    if request.compiled:
        model.compile_body()
    train = corpus.training(size.length, request.seed)
    held = {kind: corpus.held_out(kind, size.length, size.held_tokens) for kind in KINDS}
    held = {kind: windows for kind, windows in held.items() if len(windows)}
    plan = _plan(request, model, train, sum(map(len, held.values())), accelerator)
    say(f"{_weights(model):,} weights; {plan.steps:,} steps of {size.batch} out of {len(train):,} windows")

    def scores() -> dict[str, Any]:
        figures = held_out_figures(model, held, device)
        return {**figures, "score": figures["loss"]}

    loop = make_loop(plan, model, train, scores, _host(request, tell, should_stop, accelerator), accelerator)
    finished = True
    try:
        loop.run()
    except Stopped:
        finished = False
    if main:
        rounded(model)
        figures = held_out_figures(model, held, device)
        facts = {**_facts(request, model, loop, accelerator), "finished": finished, "held_out": figures}
        write_checkpoint(request.out, model.llama, corpus, size, facts)
        say(f"wrote {request.out}")
    accelerator.wait_for_everyone()
    return finished


def metric_rows(work: Path) -> list[dict[str, Any]]:
    """Rows of metrics.jsonl in order of their steps; of rows that a resume wrote again, the last."""
    rows, _ = Run(work).read_metrics()
    last = {(row.get("split"), row["step"]): row for row in rows if "step" in row}
    return sorted(last.values(), key=lambda row: row["step"])


def _check(request: Request) -> None:
    """A training that is there is gone on with, or refused: never begun again by accident."""
    check_place(request.out)
    path = request.work / "training.json"
    if request.resume:
        if not path.exists():
            raise RunError(f"a training to resume in {request.work}", "none", "leave out --resume")
        if disk.read_json(path)["settings"] != request.settings():
            raise ConfigError("the --size and --seed that the training began with", "others", "name the same")
        return
    if any((request.work / "state").glob("*.safetensors")):
        text = "add --resume, choose another --work, or delete its folder state"
        raise ConfigError(f"a work folder without a training ({request.work})", "one", text)
    disk.make_folder(request.work)
    for left in (path, request.work / "metrics.jsonl"):
        left.unlink(missing_ok=True)


def _plan(
    request: Request, model: BaseModel, train: Windows, held_windows: int, accelerator: Accelerator
) -> Plan:
    """Steps for the tokens asked for, or for what fits into the time limit; a resumed training keeps its own."""
    path, size, seed = request.work / "training.json", request.size, request.seed
    if request.resume:
        known = disk.read_json(path)
        return make_plan(size, seed, known["steps"], known["seconds"], known["evaluations"])
    plan = make_plan(size, seed, (request.tokens or size.tokens) // (size.batch * size.length))
    if request.seconds is not None:
        step = seconds_per_step(size, model, train, accelerator)
        fitting = timed_plan(size, seed, request.seconds, step, held_windows)
        if request.tokens is None or fitting.steps < plan.steps:
            plan = fitting
    if accelerator.num_processes > 1:
        # Processes that each kept to their own clock would not stop at the same step.
        numbers = torch.tensor([[plan.steps, plan.evaluations]], device=accelerator.device)
        agreed = torch.as_tensor(accelerator.gather(numbers)).amin(dim=0).tolist()
        plan = make_plan(size, seed, agreed[0], None, agreed[1])
    if accelerator.is_main_process:
        own = {"steps": plan.steps, "seconds": plan.seconds, "evaluations": plan.evaluations}
        disk.write_json(path, {"settings": request.settings(), **own})
    return plan


def _host(request: Request, tell: Tell, should_stop: Callable[[], bool], accelerator: Accelerator) -> Host:
    """Rows go to metrics.jsonl and to `tell`; all processes stop where one is asked to."""
    run = Run(request.work)

    def on_progress(row: dict[str, Any]) -> None:
        if accelerator.is_main_process:
            run.append_metrics(row)
            tell(row)

    def agreed() -> bool:
        asked = should_stop()
        if accelerator.num_processes == 1:
            return asked
        flags = accelerator.gather(torch.tensor([asked], device=accelerator.device))
        return bool(torch.as_tensor(flags).any())

    before = metric_rows(request.work) if request.resume else []
    spent = float(before[-1]["seconds"]) if before else 0.0
    return Host(on_progress, agreed, disk.make_folder(request.work / "state"), spent)


def _facts(request: Request, model: BaseModel, loop: Loop, accelerator: Accelerator) -> dict[str, Any]:
    """What the card tells of a training."""
    rows = [row for row in metric_rows(request.work) if row.get("split") == "validation"]
    return {
        "parameters": _weights(model),
        "steps": loop.step,
        "planned_steps": loop.steps,
        "tokens": loop.step * request.size.batch * request.size.length,
        "seconds": round(loop.seconds, 1),
        "curve": rows,
        "seed": request.seed,
        "command": request.command,
        "machine": _machine(accelerator),
        "versions": {
            "python": platform.python_version(),
            "difflm": difflm.__version__,
            **{name: version(name) for name in LIBRARIES},
        },
    }


def _weights(model: BaseModel) -> int:
    return sum(parameter.numel() for parameter in model.parameters())


def _machine(accelerator: Accelerator) -> str:
    count = accelerator.num_processes
    if accelerator.device.type == "cuda":
        return f"{count} x {torch.cuda.get_device_name(accelerator.device)}"
    from difflm.provenance import machine

    return f"{machine()['processor']}, {count * torch.get_num_threads()} threads"


def _silent(what: object) -> None:
    """What processes beside the first one say."""
