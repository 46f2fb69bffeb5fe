"""Training with a run directory around it: what `DiffLM.fit` does, in one process or in all those of a launch.

The run keeps its own copy of the split, so that it resumes and is evaluated without the original file.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd
import torch
from safetensors.torch import load_file, save_file

from difflm import artifact as files
from difflm.artifact import Artifact
from difflm.config import Config
from difflm.data import Dataset, load
from difflm.disk import read_json, write_json
from difflm.errors import GenerationError, RunError
from difflm.formats.codec import FittedCodec
from difflm.priors.base import Prior
from difflm.projection import cached
from difflm.ranks import Ranks, accelerator, first
from difflm.runs import Run
from difflm.schema import Kind
from difflm.training.costs import SHOWN_DOCUMENTS, Size, shown_rows, use_tokens
from difflm.training.fit import Trained, train_all
from difflm.training.host import Host
from difflm.training.plan import make_plans
from difflm.training.prior import Latents, train_prior
from difflm.training.speed import machine_speed

if TYPE_CHECKING:
    from difflm.pipeline import DiffLM

STAGES = {"lm": 0.2, "vae": 0.8, "prior": 1.0}
"""Share of the training that is over at the end of each stage, for the progress bar."""


def fit(
    data: pd.DataFrame | str | Path,
    config: Config,
    folder: str | Path | None,
    validation: pd.DataFrame | str | Path | None = None,
    should_stop: Callable[[], bool] | None = None,
    kinds: Mapping[str, Kind] | None = None,
) -> tuple[Artifact, Run | None]:
    """Train, or continue, the run in `folder`; without one nothing is kept on disk but for a moment."""
    if not first():
        return _help(None if folder is None else Path(folder))
    if folder is None:
        with tempfile.TemporaryDirectory() as temporary:
            return fit(data, config, Path(temporary) / "run", validation, should_stop, kinds)[0], None
    run = _open_or_create(Path(folder), config)
    with run.lock():
        if should_stop is None:
            run.clear_stop()
        run.write_status(state="running", stage="data", message="reading the data", progress=0.0)
        try:
            dataset: Dataset | None = None

            def begin() -> Task:
                nonlocal dataset
                dataset = _data_of(run, data, config, validation, kinds)
                return Task(run, config.for_record(dataset.schema.record), _speed(run))

            ranks = Ranks()
            task = ranks.decided(begin)
            assert dataset is not None
            host = _host(run, should_stop or run.stop_requested)
            trained, artifact = _train(dataset, task, host)
            _finish(run, dataset, trained, artifact, task.speed)
            ranks.wait()
        except BaseException as error:
            told = str(error) or type(error).__name__
            run.write_status(state="failed", error=told, message=told)
            raise
    return artifact, run


class Task(NamedTuple):
    """What rank 0 has made ready."""

    run: Run
    config: Config
    speed: float


def _help(folder: Path | None) -> tuple[Artifact, Run | None]:
    """Train beside rank 0, which reads, decides and writes all there is."""
    ranks = Ranks()
    task: Task = ranks.decided(_told)
    if not (task.run.path / "data" / "schema.json").exists():
        raise RunError(
            f"a folder {task.run.path} that all processes see",
            f"one that process {ranks.index} lacks",
            "choose a place on a disk that all nodes share",
        )
    dataset = Dataset.read(task.run.path / "data")
    _, artifact = _train(dataset, task, Host(state=task.run.path / "state"))
    ranks.wait()
    return artifact, None if folder is None else task.run


def _told() -> Task:
    raise AssertionError("only rank 0 decides")


def _open_or_create(folder: Path, config: Config) -> Run:
    values = json.loads(config.model_dump_json())
    if not (folder / "config.json").exists():
        return Run.create(folder, values)
    run = Run.open(folder)
    kept = Config.load({k: v for k, v in run.config.items() if k in Config.model_fields})
    if run.status.state == "done":
        raise RunError("a new or unfinished run", f"the finished run {run.name}", "choose another --run")
    if kept != config and (folder / "vae").exists() and any((folder / "state").glob("*.safetensors")):
        raise RunError(
            "the settings that this run began with",
            "other settings",
            "use `difflm resume`, or choose another --run",
        )
    return run


def _data_of(
    run: Run, data: Any, config: Config, validation: Any, kinds: Mapping[str, Kind] | None
) -> Dataset:
    """The run's own split when it has one, else the given data, copied into the run."""
    folder = run.directory("data")
    if (folder / "schema.json").exists():
        return Dataset.read(folder)
    dataset = load(
        data,
        target=config.target,
        validation=validation,
        kinds=kinds,
        seed=config.seed,
        max_rows=config.input.max_rows,
        record=config.format.kind,
        column=config.format.column,
        fits=lambda texts: _too_long(config, texts),
    )
    if dataset.left_out:
        text = f"{len(dataset.left_out):,} records are left out: see data/left_out.json"
        run.append_metrics({"event": "warning", "stage": "data", "text": text})
    if dataset.drawn:
        run.append_metrics({"event": "warning", "stage": "data", "text": dataset.drawn})
    dataset.write(folder)
    return dataset


def _too_long(config: Config, texts: list[str]) -> list[str | None]:
    """For each document why the language model cannot take it, None where it can."""
    from difflm.models.lm_texts import token_counts

    settings = config.for_record("text").decoder
    assert settings.path is not None
    most = settings.max_tokens
    counts = token_counts(settings.path, texts)
    return [f"too long: {count:,} tokens (at most {most:,})" if count > most else None for count in counts]


def _train(dataset: Dataset, task: Task, host: Host) -> tuple[Trained, Artifact]:
    schema, config = dataset.schema, task.config
    train, held = schema.canonical(dataset.train), schema.canonical(dataset.validation)
    codec = (
        FittedCodec.fit(schema, train, config.format.bins, config.format.phrases)
        if schema.record == "table"
        else FittedCodec(schema, {}, {})
    )
    trained = train_all(config, codec, train, held, host, task.speed)
    return trained, Artifact(config, schema, codec, trained.model, trained.prior, trained.tilt)


def _host(run: Run, should_stop: Callable[[], bool]) -> Host:
    """Rows go to the run's metrics, and now and then into its status."""
    told = [0.0]

    def on_progress(row: dict[str, Any]) -> None:
        run.append_metrics(row)
        if "step" in row and time.monotonic() - told[0] > 0.5:
            told[0] = time.monotonic()
            begin = {"lm": 0.0, "vae": STAGES["lm"], "prior": STAGES["vae"]}[row["stage"]]
            progress = begin + (STAGES[row["stage"]] - begin) * row["step"] / row["of"]
            run.write_status(state="running", stage=row["stage"], progress=progress, message="")

    return Host(on_progress, should_stop, run.directory("state"), _seconds_so_far(run))


def _speed(run: Run) -> float:
    """Speed of the machines that the run began on, all its processes together: a resumed run keeps its plan."""
    path = run.directory("state") / "speed.json"
    if not path.exists():
        ranks = Ranks()
        write_json(path, {"speed": machine_speed(ranks.device) * ranks.count})
    return float(read_json(path)["speed"])


def _seconds_so_far(run: Run) -> float:
    rows, _ = run.read_metrics()
    return max((float(row.get("seconds", 0.0)) for row in rows), default=0.0)


def _finish(run: Run, dataset: Dataset, trained: Trained, artifact: Artifact, speed: float) -> None:
    """Weights first; then what the app shows: latents, latent use, a first sample, the PCA map."""
    from difflm.latent_use import latent_use
    from difflm.pipeline import DiffLM

    run.write_status(state="running", stage="sample", progress=1.0, message="writing the first rows")
    own = {k: v for k, v in run.config.items() if k not in Config.model_fields}
    files.save(artifact, run.path)
    write_json(run.path / "config.json", {**json.loads(artifact.config.model_dump_json()), **own})
    mu, logvar = trained.train_latents
    rows = torch.from_numpy(trained.train_rows)
    save_file(
        {"mu": mu.contiguous(), "logvar": logvar.contiguous(), "rows": rows},
        run.directory("latents") / "train.safetensors",
    )
    model = DiffLM(artifact, run)
    used = use_tokens(artifact.config, artifact.codec.longest, speed)
    use = latent_use(model, dataset.validation, used)
    write_json(run.path / "vae" / "latent.json", use)
    shown, tally = _first_rows(model, run)
    # Encoded, as the real rows are: latents of the prior carry posterior noise that mu of real rows lacks.
    z = torch.from_numpy(model.encode(shown)) if len(shown) else mu[:0]
    shown.to_parquet(run.directory("samples") / "first.parquet", index=False)
    write_json(run.path / "samples" / "first.json", tally)
    save_file({"mu": z}, run.directory("latents") / "sample-first.safetensors")
    cached(run.directory("latents"), torch.cat([mu, z]).numpy(), "pca", artifact.config.seed)
    state = "stopped" if trained.stopped else "done"
    if state == "done":
        for file in run.directory("state").iterdir():
            file.unlink()
    told = f"reconstruction {use['reconstruction']:.3f} of held-out cells"
    told += f" ({use['core']:.3f} from the core alone), KL {use['kl']:.1f} nats"
    message = f"stopped in stage {trained.stopped}; {told}" if trained.stopped else told
    run.write_status(state=state, stage=trained.stopped or "done", progress=1.0, message=message)


def _first_rows(model: DiffLM, run: Run) -> tuple[pd.DataFrame, dict[str, Any]]:
    """The first sample, and how it went; what there is of it where the model writes too few valid records."""
    wanted = SHOWN_DOCUMENTS
    if model.schema.record == "table":
        wanted = shown_rows(model.artifact.codec.longest)
    chunks, tally = [pd.DataFrame(columns=model.schema.names)], {}
    try:
        for chunk in model.stream(wanted, seed=model.config.seed):
            tally = chunk.attrs.pop("generation")
            del chunk.attrs["latents"]
            chunks.append(chunk)
    except GenerationError as error:
        run.append_metrics({"event": "warning", "stage": "sample", "text": str(error)})
    return pd.concat(chunks[1:] or chunks, ignore_index=True), tally


def fit_other_prior(kind: str, run: Run, config: Config) -> Prior:
    """Another kind of prior, fitted to the latents that the run keeps, saved beside its own; by all ranks together."""
    folder = run.path / "prior"
    from difflm.priors import load_prior

    made_by = accelerator()
    ranks = Ranks(made_by)
    if ranks.agreed(any(folder.glob(f"{kind}.safetensors"))):
        return load_prior(kind, folder)
    tensors = load_file(run.path / "latents" / "train.safetensors")
    latents: Latents = (tensors["mu"], tensors["logvar"])
    changed = Config.load({**config.model_dump(), "prior": {**config.prior.model_dump(), "kind": kind}})
    # Only the diffusion prior is planned by time; the others are asked for by someone who waits.
    speed = ranks.agreed(machine_speed(ranks.device)) * ranks.count if kind == "diffusion" else 1.0
    plan = make_plans(changed, Size(len(latents[0]), 1.0), speed, ranks.device.type)["prior"]
    made = train_prior(changed, plan, latents, latents, Host(), made_by)
    if ranks.main:
        made.save(folder)
    ranks.wait()
    return made
