"""The facade: fit, sample, encode, decode, reconstruct, interpolate, save and load."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch

from difflm import artifact as files
from difflm import latent_ops
from difflm.artifact import Artifact
from difflm.conditions import make_keep
from difflm.config import Config
from difflm.conversion import RowLike, one_row
from difflm.data import Dataset
from difflm.errors import ConfigError, DataError
from difflm.generation import Chunks, Keep, OnProgress, Tally, decode_latents, generate, rebuild
from difflm.identifiers import fresh_identifiers
from difflm.priors import PRIORS
from difflm.priors.base import Prior
from difflm.priors.diffusion import DiffusionPrior
from difflm.privacy import REASON, Apart
from difflm.runs import Run
from difflm.schema import Kind, Schema
from difflm.stage_sections import SampleConfig
from difflm.training.fit import encode_batch, prepare


class DiffLM:
    """A trained model of one table. Make one with `fit` or `from_pretrained`."""

    def __init__(self, artifact: Artifact, run: Run | None = None) -> None:
        self.artifact, self.run = artifact, run

    @property
    def config(self) -> Config:
        """The settings it was trained with."""
        return self.artifact.config

    @property
    def schema(self) -> Schema:
        """Columns and types."""
        return self.artifact.schema

    @classmethod
    def fit(
        cls,
        data: pd.DataFrame | str | Path,
        *,
        run: str | Path | None = None,
        target: str | None = None,
        validation: pd.DataFrame | str | Path | None = None,
        kinds: Mapping[str, Kind] | None = None,
        preset: str = "standard",
        seed: int = 0,
        overrides: Mapping[str, Any] | None = None,
        time_limit: float | None = None,
        should_stop: Callable[[], bool] | None = None,
    ) -> DiffLM:
        """Train on a frame, a file or the name of a built-in table; `run` keeps everything in a run directory.

        `kinds` overrules inferred kinds by column; `time_limit` is in minutes. A run directory that holds an
        unfinished run is continued."""
        from difflm.fitting import fit

        changes = {**(overrides or {}), "seed": seed}
        if target is not None:
            changes["target"] = target
        if time_limit is not None:
            changes["time_limit"] = time_limit
        config = Config.from_preset(preset, changes)
        artifact, kept = fit(data, config, run, validation, should_stop, kinds)
        return cls(artifact, kept)

    @classmethod
    def from_pretrained(cls, path: str | Path | Run) -> DiffLM:
        """A model out of a run directory or a folder that `save_pretrained` wrote."""
        folder = path.path if isinstance(path, Run) else Path(path)
        run = Run.open(folder) if (folder / "status.json").exists() else None
        return cls(files.load(folder), run)

    def to(self, device: torch.device) -> DiffLM:
        """The same model, which now works on `device`."""
        self.artifact.model.to(device)
        if isinstance(self.artifact.prior, DiffusionPrior):
            self.artifact.prior.denoise.to(device)
        return self

    def save_pretrained(self, path: str | Path) -> None:
        """Write weights, settings, schema and prior; no training rows."""
        files.save(self.artifact, Path(path))

    def stream(
        self,
        n: int,
        *,
        where: Mapping[str, Any] | None = None,
        seed: int = 0,
        prior: str | None = None,
        temperature: float | None = None,
        noise: float | None = None,
        batch_size: int | None = None,
        apart: bool = False,
        on_progress: OnProgress | None = None,
    ) -> Iterator[pd.DataFrame]:
        """Chunks of together n generated rows; the last one carries the tally in attrs["generation"].

        `prior` is a kind (diffusion, gmm, gaussian) or "none" for the decoder alone. `apart` leaves out rows that lie
        nearer to a training row than 98 % of unseen real rows do. Each chunk has its latents (m, Z) in
        attrs["latents"]."""
        if n < 1:
            raise ConfigError("a number of rows of at least 1", str(n))
        chunks = self.chunks(
            where=where,
            seed=seed,
            prior=prior,
            temperature=temperature,
            noise=noise,
            batch_size=batch_size,
            apart=apart,
        )
        tally, done = Tally(n), 0
        for chunk in generate(chunks, n, tally, on_progress):
            frame = self.typed(chunk.rows, seed, done)
            done += len(frame)
            frame.attrs["latents"] = chunk.z.numpy()
            frame.attrs["generation"] = tally.to_dict()
            yield frame

    def chunks(
        self,
        *,
        where: Mapping[str, Any] | None = None,
        seed: int = 0,
        prior: str | None = None,
        temperature: float | None = None,
        noise: float | None = None,
        batch_size: int | None = None,
        apart: bool = False,
    ) -> Chunks:
        """What `stream` takes its rows from: chunks that are made by number, in any order and by any process."""
        given = {"temperature": temperature, "noise": noise, "batch_size": batch_size}
        changed = {k: v for k, v in given.items() if v is not None}
        config = Config.load(
            {**self.config.model_dump(), "sample": {**self.config.sample.model_dump(), **changed}}
        )
        source = None if prior == "none" else self.prior(prior)
        tests: list[tuple[str, Keep]] = []
        if (keep := make_keep(self.schema, where)) is not None:
            tests.append(("conditions not met", keep))
        if apart:
            tests.append((REASON, self._apart()))
        return Chunks(
            model=self.artifact.model,
            prior=source,
            settings=config.sample,
            seed=seed,
            tests=tests,
            valid=self._valid,
            tilt=self._tilt(config.sample) if source is self.artifact.prior else None,
        )

    def sample(self, n: int, **settings: Any) -> pd.DataFrame:
        """n generated rows in one frame; takes what `stream` takes."""
        chunks = list(self.stream(n, **settings))
        attrs: dict[Hashable | None, Any] = {"generation": chunks[-1].attrs["generation"]}
        attrs["latents"] = np.concatenate([c.attrs["latents"] for c in chunks])
        for chunk in chunks:
            chunk.attrs = {}
        frame = pd.concat(chunks, ignore_index=True)
        frame.attrs.update(attrs)
        return frame

    def decoder_alone(self, n: int, seed: int = 0) -> pd.DataFrame:
        """n rows that the language model writes without a latent: the reference of every comparison."""
        return self.sample(n, seed=seed, prior="none")

    def encode(self, rows: pd.DataFrame) -> np.ndarray:
        """mu (n, Z) float32 of rows."""
        return self.posterior(rows)[0].numpy()

    def decode(
        self, z: np.ndarray, *, greedy: bool = True, seed: int = 0, noise: float = 0.0
    ) -> pd.DataFrame:
        """Rows of latents (n, Z): the likeliest, or drawn at the config's temperature."""
        latents = torch.from_numpy(np.atleast_2d(np.asarray(z, dtype=np.float32)))
        temperature = 0.0 if greedy else self.config.sample.temperature
        tilt = self._tilt(self.config.sample.model_copy(update={"noise": noise, "temperature": temperature}))
        rows, index, _ = decode_latents(self.artifact.model, latents, noise, temperature, seed, tilt=tilt)
        return self._in_place(rows, index, len(latents), seed)

    def reconstruct(self, rows: pd.DataFrame, details: bool = True) -> pd.DataFrame:
        """Rows decoded greedily from mu: same columns, same order. The latent-use figure compares them.

        `details` False leaves out the second level of the latent: what the core z alone carries."""
        if not len(rows):
            raise DataError("at least one row to reconstruct", "none")
        batch = prepare(self.artifact.model, self.schema.canonical(rows))
        made, index = rebuild(self.artifact.model, batch, details)
        return self._in_place(made, index, len(rows), 0)

    def posterior_rows(self, rows: pd.DataFrame, seed: int = 0, noise: float | None = None) -> pd.DataFrame:
        """Rows decoded at temperature from encoded real rows (z ~ q(z | x)): what a perfect prior would give.

        z is noised as in generation (sample.noise), unless `noise` says otherwise."""
        mu, logvar = self.posterior(rows)
        sigma = self.config.sample.noise if noise is None else noise
        generator = torch.Generator().manual_seed(seed)
        z = mu + torch.exp(logvar / 2) * torch.randn(mu.shape, generator=generator)
        scale = z.std(dim=0, correction=0)
        z = z + sigma * scale * torch.randn(mu.shape, generator=generator)
        return self.decode(z.numpy(), greedy=False, seed=seed, noise=sigma)

    def interpolate(
        self, row_a: RowLike, row_b: RowLike, steps: int = 9, mode: str = "linear"
    ) -> pd.DataFrame:
        """Rows decoded greedily along the path between the core latents of two rows.

        The ends are the two rows as reconstructed; between them nothing says the details, so the decoder does."""
        pair = pd.concat([one_row(row_a), one_row(row_b)], ignore_index=True)
        z = self.encode(pair)
        path = self.decode(latent_ops.interpolate(z[0], z[1], steps, mode))
        ends = self.reconstruct(pair)
        return pd.concat([ends.iloc[:1], path.iloc[1:-1], ends.iloc[1:]], ignore_index=True)

    def prior(self, kind: str | None = None) -> Prior:
        """The prior of the run, or another kind fitted on the spot to the run's training latents."""
        own = self.artifact.prior
        if kind is None or kind == own.kind:
            return own
        if kind not in PRIORS:
            raise ConfigError(f"a prior out of {', '.join([*PRIORS, 'none'])}", repr(kind))
        from difflm.fitting import fit_other_prior

        if self.run is None:
            raise ConfigError(f"a run directory to fit the prior {kind} to", "a model without its run")
        return fit_other_prior(kind, self.run, self.config)

    def push_to_hub(self, repo: str, **settings: Any) -> str:
        """Upload what `save_pretrained` writes to a model repository; returns its address."""
        import tempfile

        from huggingface_hub import HfApi

        with tempfile.TemporaryDirectory() as folder:
            self.save_pretrained(folder)
            api = HfApi()
            api.create_repo(repo, exist_ok=True, **settings)
            return str(api.upload_folder(repo_id=repo, folder_path=folder))

    def posterior(self, rows: pd.DataFrame) -> tuple[torch.Tensor, torch.Tensor]:
        """mu and logvar (n, Z) of rows."""
        if not len(rows):
            raise DataError("at least one row to encode", "none")
        return encode_batch(self.artifact.model, prepare(self.artifact.model, self.schema.canonical(rows)))

    def _apart(self) -> Apart:
        if self.run is None:
            raise ConfigError("a run directory, which has its training rows", "a model without its run")
        data = Dataset.read(self.run.path / "data")
        return Apart(self.schema, data.train, data.validation, self.config.seed)

    def _in_place(self, rows: pd.DataFrame, index: torch.Tensor, n: int, seed: int) -> pd.DataFrame:
        """Typed rows at their row numbers `index` out of n; rows that did not come through are missing."""
        frame = self.typed(rows, seed, 0)
        frame.index = pd.Index(index.numpy())
        return frame.reindex(range(n)) if len(frame) < n else frame

    def _tilt(self, settings: SampleConfig) -> torch.Tensor | None:
        """What the run's own generation was calibrated with; other settings have errors of their own."""
        own = self.config.sample
        same = (settings.noise, settings.temperature) == (own.noise, own.temperature)
        return self.artifact.tilt if same else None

    def _valid(self, rows: pd.DataFrame) -> pd.Series:
        """Which canonical rows fit the schema."""
        return ~self.schema.broken(rows)

    def typed(self, rows: pd.DataFrame, seed: int, first: int) -> pd.DataFrame:
        """Canonical rows in the table's own types, with fresh identifiers from number `first` on."""
        made = self._identifiers(len(rows), seed, first)
        filled = rows.assign(**{name: cells.set_axis(rows.index) for name, cells in made.items()})
        return self.schema.restore(filled[self.schema.names])

    def identifiers(self, n: int, seed: int, first: int) -> pd.DataFrame:
        """The identifier columns alone of rows number `first` .. `first` + n - 1, as `typed` makes them."""
        return self.schema.restore(pd.DataFrame(self._identifiers(n, seed, first), index=range(n)))

    def _identifiers(self, n: int, seed: int, first: int) -> dict[str, pd.Series]:
        named = [column for column in self.schema.columns if column.kind is Kind.identifier]
        made = {column.name: fresh_identifiers(column, None, n, seed, first) for column in named}
        return {name: pd.Series(cells, dtype=object) for name, cells in made.items()}
