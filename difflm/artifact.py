"""A trained model on disk: the same files in a run directory and after `save_pretrained`.

config.json, data/schema.json, vae/{codec.json, model.safetensors}, prior/ with tilt.safetensors where generation is
calibrated. Weights are safetensors, settings JSON; the weights of a frozen causal LM are not copied, its path is in
the config.
"""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save_file

from difflm.config import Config
from difflm.disk import make_folder, write_json
from difflm.errors import DiffLMError, RunError
from difflm.formats.codec import FittedCodec
from difflm.models.build import build_model
from difflm.models.vae import LatentLM
from difflm.priors import PRIORS, load_prior
from difflm.priors.base import Prior
from difflm.schema import Schema

TILT = "tilt.safetensors"


@dataclass
class Artifact:
    """Everything that generation needs."""

    config: Config
    schema: Schema
    codec: FittedCodec
    model: LatentLM
    prior: Prior
    tilt: torch.Tensor | None = None
    """What calibration adds to the decoder's logits (V,) when rows are drawn (training/calibrate.py)."""


def save(artifact: Artifact, folder: Path) -> None:
    """Write all files of `artifact` below `folder`; each one appears whole or not at all."""
    for name in ("data", "vae", "prior"):
        make_folder(folder / name)
    write_json(folder / "config.json", json.loads(artifact.config.model_dump_json()))
    write_json(folder / "data" / "schema.json", json.loads(artifact.schema.model_dump_json()))
    save_model(artifact, folder / "vae")
    artifact.prior.save(folder / "prior")
    write_json(folder / "prior" / "kind.json", {"kind": artifact.prior.kind})
    if artifact.tilt is None:
        (folder / "prior" / TILT).unlink(missing_ok=True)
    else:
        _save_whole({"tilt": artifact.tilt}, folder / "prior" / TILT)


def save_model(artifact: Artifact, folder: Path) -> None:
    """codec.json and model.safetensors."""
    write_json(folder / "codec.json", artifact.codec.to_dict())
    own = {k: v.contiguous().cpu() for k, v in weights_of(artifact.model).items()}
    _save_whole(own, folder / "model.safetensors")


def _save_whole(tensors: dict[str, torch.Tensor], path: Path) -> None:
    temporary = path.with_suffix(".tmp")
    save_file(tensors, temporary)
    os.replace(temporary, path)


def weights_of(model: LatentLM) -> dict[str, torch.Tensor]:
    """Its parameters, those that are tied under one name only. Buffers are made anew from the config."""
    return {name: parameter.detach() for name, parameter in model.named_parameters()}


def load(folder: Path) -> Artifact:
    """The model saved in `folder`; RunError when files are missing, broken, or from something else."""
    try:
        values = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        config = Config.load({k: v for k, v in values.items() if k in Config.model_fields})
        schema = Schema.model_validate_json((folder / "data" / "schema.json").read_text(encoding="utf-8"))
        codec = FittedCodec.from_dict(
            schema, json.loads((folder / "vae" / "codec.json").read_text(encoding="utf-8"))
        )
        model = build_model(config, codec)
        weights = load_file(folder / "vae" / "model.safetensors")
        missing = [k for k in weights_of(model) if k not in weights]
        if missing:
            raise RunError(
                f"the weights {missing[0]} in {folder.name}/vae", "a file without them", "train again"
            )
        model.load_state_dict(weights, strict=False)
        prior = load_prior(json.loads((folder / "prior" / "kind.json").read_text())["kind"], folder / "prior")
        kept = folder / "prior" / TILT
        tilt = load_file(kept)["tilt"] if kept.exists() else None
        if tilt is not None and tilt.shape != (codec.vocabulary,):
            raise RunError(
                f"a tilt of {codec.vocabulary} tokens",
                f"one of {len(tilt)}",
                "it is of another model: train again",
            )
    except DiffLMError:
        raise
    except (OSError, ValueError, KeyError, RuntimeError, SafetensorError) as error:
        raise RunError(
            f"a trained model in {folder}",
            f"{type(error).__name__}: {str(error).splitlines()[0]}",
            f"train it to the end, or name another folder (priors: {', '.join(PRIORS)})",
        ) from error
    return Artifact(config, schema, codec, model.eval(), prior, tilt)
