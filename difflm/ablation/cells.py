"""One cell of an ablation, a variant with a seed: trained (or only given another prior, or other draws) and scored"""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from difflm.ablation.axes import BASE, Variant
from difflm.artifact import Artifact
from difflm.benchmark.tables import Table
from difflm.config import Config
from difflm.curves import Curves
from difflm.disk import make_folder, read_json, write_json
from difflm.errors import DiffLMError
from difflm.evaluation import evaluate
from difflm.latent_use import latent_use
from difflm.pipeline import DiffLM
from difflm.priors.base import Prior
from difflm.priors.diffusion import DiffusionPrior
from difflm.provenance import code_mark
from difflm.runs import Run

CURVES = (("vae", "validation", "reconstruction"), ("vae", "validation", "kl"))
"""What is drawn of a training, as in Figure 3 of the paper."""
LATENTS_A_STEP = 128
"""Steps of the prior are passes x rows by this: about two for a step of stage 1, as the presets have it."""
EVALUATION_SEED = 0
LOOKED_TOKENS = 100_000
"""Tokens of held-out rows that the latent use of a cell is measured on: thousands of rows of a common table. Their
chance is far below that of a seed."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """What all cells of an ablation share."""

    preset: str = "standard"
    passes: float = 12.0
    """Passes of stage 1 over the rows, and in proportion those of the other stages: no clock, so that a busy machine
    gives the same figures."""
    changes: Mapping[str, Any] = field(default_factory=dict)
    metrics: tuple[str, ...] = ("shape", "trend", "c2st", "dcr")
    log_clip: bool = False

    def config(self, variant: Variant, seed: int, rows: int, target: str | None) -> Config:
        """Settings of one cell; ConfigError where they do not fit."""
        asked = {**self.changes, **variant.changes, "seed": seed, "target": target}
        made = Config.from_preset(self.preset, asked)
        share = max(1 - made.lm.share - made.prior.share, 0.1)
        lengths = {
            "lm.epochs": max(self.passes * made.lm.share / share, 0.1),
            "vae.epochs": self.passes,
            "prior.steps": max(int(self.passes * rows / LATENTS_A_STEP), 1),
        }
        return Config.from_preset(self.preset, {**lengths, **asked})


@dataclass
class Cell:
    """What came of a cell; `scores` by row of the report (generated, posterior, decoder_alone)."""

    variant: str
    seed: int
    key: dict[str, Any]
    scores: dict[str, dict[str, float | None]] = field(default_factory=dict)
    figures: list[dict[str, Any]] = field(default_factory=list)
    latent: dict[str, Any] = field(default_factory=dict)
    curves: dict[str, list[list[float]]] = field(default_factory=dict)
    """"reconstruction" and "kl" of the validation rows: steps as a share of the stage, and nats."""
    error: str = ""
    code: str = ""
    """Of difflm, when it was made."""

    @classmethod
    def load(cls, path: Path, key: dict[str, Any]) -> Cell | None:
        """The finished cell in `path` if it was made with the same settings."""
        try:
            cell = cls(**read_json(path)) if path.exists() else None
        except (DiffLMError, TypeError):
            return None
        return cell if cell is not None and not cell.error and cell.key == key else None


class Cells:
    """Cells of one table in a folder. A training without changes is made once a seed and serves all variants that
    change no training."""

    def __init__(self, table: Table, settings: Settings, folder: Path) -> None:
        self.table, self.settings, self.folder = table, settings, folder
        self._base: tuple[int, DiffLM] | None = None

    def cell(self, variant: Variant, seed: int) -> Cell:
        """The cell, made now where it is not on disk; what goes wrong is its result."""
        settings, rows = self.settings, len(self.table.dataset.train)
        name = "".join(c if c.isalnum() else "-" for c in variant.name)
        target = self.table.dataset.schema.target
        config = settings.config(variant, seed, rows, target)
        if variant != BASE and config == settings.config(BASE, seed, rows, target):
            return replace(self.cell(BASE, seed), variant=variant.name)  # the value that is the default
        key = {
            "data": self.table.dataset.fingerprint,
            "rows": rows,
            "config": config.model_dump(mode="json"),
            "metrics": list(settings.metrics),
            "log_clip": self._log_clip,
        }
        place = make_folder(self.folder / f"seed-{seed}" / f"{variant.level}-{name}")
        if kept := Cell.load(place / "cell.json", key):
            return kept
        cell = Cell(variant.name, seed, key, code=code_mark())
        try:
            model = self._model(variant, config, seed, place)
            self._score(cell, model, seed, whole=variant.level == "training")
        except (DiffLMError, RuntimeError, ValueError) as error:
            # A setting that breaks a training is a finding; the other cells go on.
            cell.error = f"{type(error).__name__}: {error}".splitlines()[0]
        write_json(place / "cell.json", asdict(cell))
        return cell

    def _model(self, variant: Variant, config: Config, seed: int, place: Path) -> DiffLM:
        if variant.level == "training":
            return self._trained(config, place / "run")
        base = self._base_model(seed)
        prior = base.artifact.prior
        if variant.level == "prior":
            prior = self._other_prior(base, config)
        elif isinstance(prior, DiffusionPrior):
            steps, solver = config.sample.diffusion_steps, config.sample.solver
            prior = DiffusionPrior(prior.denoise, prior.normaliser, prior.config, steps, solver)
        made = replace(base.artifact, config=config, prior=prior)
        return DiffLM(replace(made, tilt=self._tilt(made)), base.run)

    @property
    def _log_clip(self) -> bool:
        return self.settings.log_clip or self.table.log_scored

    def _tilt(self, made: Artifact) -> torch.Tensor | None:
        """Calibration of its own: that of the base belongs to the base's prior and draws."""
        from difflm.training.calibrate import fit_tilt
        from difflm.training.costs import Size
        from difflm.training.fit import mean_tokens, prepare

        train = self.table.dataset.train
        batch = prepare(made.model, made.schema.canonical(train))
        return fit_tilt(made.config, made.model, made.prior, batch, Size(len(train), mean_tokens(batch)))

    def _base_model(self, seed: int) -> DiffLM:
        if self._base is None or self._base[0] != seed:
            self.cell(BASE, seed)
            place = self.folder / f"seed-{seed}" / f"training-{BASE.name}" / "run"
            self._base = (seed, DiffLM.from_pretrained(place))
        return self._base[1]

    def _trained(self, config: Config, place: Path) -> DiffLM:
        from difflm.fitting import fit

        shutil.rmtree(place, ignore_errors=True)
        run = Run.create(place, config.model_dump(mode="json"))
        self.table.dataset.write(run.directory("data"))
        artifact, run_made = fit(self.table.source, config, place)
        return DiffLM(artifact, run_made)

    def _other_prior(self, base: DiffLM, config: Config) -> Prior:
        """A prior with other settings, on the same latents, with the same held-out ones."""
        from accelerate import Accelerator

        from difflm.training.costs import Size
        from difflm.training.fit import encode_batch, prepare
        from difflm.training.host import Host
        from difflm.training.plan import make_plans
        from difflm.training.prior import train_prior

        assert base.run is not None
        kept = load_file(base.run.path / "latents" / "train.safetensors")
        train = (kept["mu"], kept["logvar"])
        model, schema = base.artifact.model, base.schema
        held = encode_batch(model, prepare(model, schema.canonical(self.table.dataset.validation)))
        plan = make_plans(config, Size(len(train[0]), 1.0))["prior"]
        return train_prior(config, plan, train, held, Host(), Accelerator())

    def _score(self, cell: Cell, model: DiffLM, seed: int, whole: bool) -> None:
        """Figures of generated rows; of a training also latent use, curves, and the two rows beside them."""
        data, settings = self.table.dataset, self.settings
        made = {"generated": model.sample(len(data.train), seed=seed)}
        if whole:
            made["posterior"] = model.posterior_rows(data.train, seed=seed).dropna(how="all")
            made["decoder_alone"] = model.decoder_alone(len(data.train), seed=seed)
            cell.latent = latent_use(model, data.test, LOOKED_TOKENS)
            assert model.run is not None
            cell.curves = _curves(model.run)
        for frame in made.values():
            frame.attrs = {}
        report = evaluate(
            data.train,
            made.pop("generated"),
            data.test,
            schema=data.schema,
            target=data.schema.target,
            validation=data.validation,
            seed=EVALUATION_SEED,
            references=False,
            metrics=settings.metrics,
            log_clip=self._log_clip,
            data_name=self.table.name,
            **made,  # type: ignore[arg-type]
        )
        plain = report.to_dict()
        cell.scores = {row["name"]: row["scores"] for row in plain["rows"]}
        cell.figures = plain["figures"]


def _curves(run: Run) -> dict[str, list[list[float]]]:
    curves = Curves()
    curves.extend(run.read_metrics()[0])
    found = {}
    for stage, split, name in CURVES:
        _, values = curves.thinned(stage, split, name)
        shares = torch.linspace(0, 1, len(values) + 1)[1:].tolist()
        found[name] = [shares, values]
    return found
