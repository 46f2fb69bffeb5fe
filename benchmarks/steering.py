"""Can a frozen language model be steered by soft prompts alone? Held-out loss and cells, by what is trained.

Each line is one training of `difflm fit` on the same rows for as many steps: a frozen base with more or fewer soft
tokens or another injection, the base trained along, a base that was never trained or trained for less (any other
folders, by --base), and the compact decoder beside them. Printed: nats that a held-out row costs given its core latent
and without one, cells of held-out rows that come back, from the whole latent and from the core alone, KL, active
dimensions, and steps.

    DIFFLM_DATA=... python benchmarks/steering.py [--data paper/adult] [--rows 4000] [--steps 200] [--seeds 0]
"""

from __future__ import annotations

import argparse
import json
import tempfile
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoModelForCausalLM, AutoTokenizer

from difflm.models.pretrained import CHECKPOINTS
from difflm.pipeline import DiffLM
from difflm.provenance import machine, versions
from difflm.runs import Run
from difflm.training.fit import decoder_alone_nats, prepare


def untrained(folder: Path) -> str:
    """The bundled base with fresh weights and its own tokenizer."""
    source = CHECKPOINTS / "base-tiny"
    torch.manual_seed(0)
    AutoModelForCausalLM.from_config(AutoConfig.from_pretrained(source)).save_pretrained(folder)
    AutoTokenizer.from_pretrained(source).save_pretrained(folder)
    return str(folder)


def variants(fresh: str, others: list[str], tokens: int) -> dict[str, dict[str, Any]]:
    """Name and settings of each line; those after the first few have so many soft tokens."""
    base = {"decoder.kind": "causal_lm", "decoder.path": "base-tiny", "decoder.training": "frozen"}
    made = {f"frozen, {k} soft tokens": {**base, "injection.tokens": k} for k in (4, 16, 64, 128)}
    base["injection.tokens"] = tokens
    for kind in ("prefix_soft_prompt", "kv_memory", "input_embed"):
        made[f"frozen, {kind}"] = {**base, "injection.kind": kind}
    for other in others:
        made[f"{Path(other).name}, frozen"] = {**base, "decoder.path": other}
    made["trained along"] = {**base, "decoder.training": "joint"}
    made["never trained, frozen"] = {**base, "decoder.path": fresh}
    made["never trained, trained along"] = {**base, "decoder.path": fresh, "decoder.training": "joint"}
    made["compact"] = {}
    return made


def measured(run: Path, data: str, settings: dict[str, Any], seed: int) -> dict[str, float]:
    """Train one variant and read its figures."""
    model = DiffLM.fit(data, run=run, preset="quick", seed=seed, overrides=settings)
    use = json.loads((run / "vae" / "latent.json").read_text())
    rows, _ = Run.open(run).read_metrics()
    looks = [r for r in rows if r.get("stage") == "vae" and r.get("split") == "validation"]
    from difflm.data import Dataset

    held = model.schema.canonical(Dataset.read(run / "data").validation.iloc[:500])
    return {
        "nats given z": looks[-1]["reconstruction"],
        "nats without": decoder_alone_nats(model.artifact.model, prepare(model.artifact.model, held)),
        "cells": use["reconstruction"],
        "core": use["core"],
        "KL": use["kl"],
        "active": use["active"],
        "steps": looks[-1]["step"],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--data", default="paper/adult")
    parser.add_argument("--rows", type=int, default=4000)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--tokens", type=int, default=64, help="soft tokens of all lines but the first four")
    parser.add_argument(
        "--batch", type=int, default=32, help="small: what is asked is how soon, not how well"
    )
    parser.add_argument("--seeds", default="0", help="with commas")
    parser.add_argument(
        "--base", nargs="*", default=[], help="folders of other bases, such as earlier checkpoints"
    )
    parser.add_argument("--only", nargs="*", default=None, help="names of lines")
    chosen = parser.parse_args()
    print(
        f"{chosen.data}, {chosen.rows:,} rows, {chosen.steps} steps of {chosen.batch}; {machine()}; {versions()}"
    )
    with tempfile.TemporaryDirectory() as place:
        lines = variants(untrained(Path(place) / "fresh"), chosen.base, chosen.tokens)
        for name, settings in lines.items():
            if chosen.only and name not in chosen.only:
                continue
            for seed in map(int, chosen.seeds.split(",")):
                passes = chosen.steps * chosen.batch / chosen.rows
                limits = {"input.max_rows": chosen.rows, "vae.batch_size": chosen.batch, "vae.epochs": passes}
                changes = {**settings, **limits, "time_limit": 30.0, "lm.epochs": 0.2, "prior.steps": 50}
                changes.update({"vae.evaluations": 3, "decoder.max_tokens": 256})
                found = measured(Path(place) / f"{name}-{seed}", chosen.data, changes, seed)
                told = "  ".join(f"{key} {value:.3g}" for key, value in found.items())
                print(f"{name:28} seed {seed}  {told}", flush=True)


if __name__ == "__main__":
    main()
