"""A run directory and a model that look real to the app, made without training or torch."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from safetensors.numpy import save_file

from difflm.config import Config
from difflm.runs import Run
from difflm.schema import Schema

Z = 6


def table(n: int = 240, seed: int = 0) -> pd.DataFrame:
    """A small mixed table with one missing column."""
    rng = np.random.default_rng(seed)
    kind = rng.integers(0, 3, n)
    size = np.round(10 + 5 * kind + rng.normal(0, 1, n), 1)
    colour = np.where(rng.random(n) < 0.1, None, np.array(["red", "green", "blue"], dtype=object)[kind])
    return pd.DataFrame(
        {
            "animal": np.array(["cat", "dog", "horse"])[kind],
            "size": size,
            "legs": rng.integers(2, 9, n),
            "colour": colour,
            "tame": rng.random(n) < 0.7,
        }
    )


def latents(frame: pd.DataFrame) -> NDArray[np.float32]:
    """(n, Z) numbers that depend on the cells alone."""
    codes = [pd.factorize(frame[name].astype("string"), sort=True)[0] for name in frame.columns]
    base = np.stack([np.asarray(c, dtype=np.float32) for c in codes], axis=1)
    padded = np.zeros((len(frame), Z), np.float32)
    padded[:, : base.shape[1]] = base[:, :Z] / np.maximum(base.max(axis=0)[:Z], 1)
    return padded


def metrics(minutes: float = 2.0, kl: float = 9.0) -> list[dict[str, Any]]:
    """Rows of metrics.jsonl for all three stages."""
    rows: list[dict[str, Any]] = []
    for i in range(60):
        at = {"step": i, "of": 60, "split": "validation" if i % 6 == 5 else "train"}
        lm, vae, prior = (round(60 * minutes * (k + i / 60) / 3, 2) for k in range(3))
        rows.append(
            {"stage": "lm", **at, "seconds": lm, "loss": 20 * 0.95**i + 9, "copy_loss": 18 * 0.9**i + 1}
        )
        rows.append(
            {
                "stage": "vae",
                **at,
                "seconds": vae,
                "reconstruction": 15 * 0.95**i + 3,
                "kl": kl * (1 - 0.9**i),
                "beta": 0.05 + 0.15 * i / 60,
                "active": 5,
                **({"valid": 0.98, "shape": 9.1, "shape_of_real": 6.3} if i % 6 == 5 else {}),
            }
        )
        rows.append(
            {"stage": "prior", **at, "seconds": prior, "loss": 1 / (1 + i) + 0.3, "kind": "diffusion"}
        )
    return sorted(rows, key=lambda row: row["seconds"])


def documents(n: int = 60, seed: int = 0) -> pd.DataFrame:
    """JSON documents that differ in their name and parameters."""
    rng = np.random.default_rng(seed)
    tools = [
        {
            "name": f"get_{i}",
            "parameters": {"type": "object", "properties": {f"p{j}": {"type": "string"} for j in take}},
        }
        for i, take in enumerate(rng.integers(0, 9, (n, 3)))
    ]
    return pd.DataFrame({"tool": [json.dumps(tool) for tool in tools]})


def fake_documents(path: Path, core: float) -> Run:
    """A finished run of documents, whose core brings back so much of them."""
    run = fake_run(path, frame=documents())
    latent = {"kl": 21.8, "reconstruction": 0.97, "core": core, "core_per_column": {"tool": core}}
    (run.directory("vae") / "latent.json").write_text(json.dumps(latent))
    return run


def fake_run(
    path: Path,
    state: str = "done",
    *,
    rows: int = 240,
    kl: float = 9.0,
    error: str = "",
    frame: pd.DataFrame | None = None,
) -> Run:
    """A run directory in a state; finished ones have latents, a sample and their map."""
    config = Config.from_preset("quick")
    run = Run.create(path, json.loads(config.model_dump_json()))
    drawn = table(60, seed=1) if frame is None else frame.iloc[:9].reset_index(drop=True)
    frame = table(rows) if frame is None else frame
    rows, known = len(frame), {"target": "animal"} if "animal" in frame else {}
    schema = Schema.of_documents("tool") if "tool" in frame else Schema.infer(frame, **known)
    cut = rows * 8 // 10
    for name, part in (
        ("train", frame[:cut]),
        ("validation", frame[cut : cut + rows // 10]),
        ("test", frame[cut + rows // 10 :]),
    ):
        part.reset_index(drop=True).to_parquet(run.directory("data") / f"{name}.parquet", index=False)
    (run.directory("data") / "schema.json").write_text(schema.model_dump_json())
    for row in metrics(kl=kl):
        run.append_metrics(row)
    run.append_metrics(
        {"stage": "vae", "event": "sample", "seconds": 40.0, "rows": frame.head(3).to_dict("records")}
    )
    if state in ("done", "stopped"):
        save_file({"mu": latents(frame[:cut])}, run.directory("latents") / "train.safetensors")
        save_file({"mu": latents(drawn)}, run.directory("latents") / "sample-first.safetensors")
        drawn.to_parquet(run.directory("samples") / "first.parquet", index=False)
    run.write_status(
        state=state,
        stage="done" if state == "done" else "vae",
        progress=1.0 if state == "done" else 0.4,
        message="",
        error=error or None,
    )
    return run


class FakeModel:
    """The facade's calls that the app makes; rows of the table stand in for decoded ones."""

    def __init__(self, path: Path) -> None:
        self.rows = pd.read_parquet(path / "data" / "train.parquet")
        self.z = latents(self.rows)
        self.schema = Schema.model_validate_json((path / "data" / "schema.json").read_text())

    @classmethod
    def from_pretrained(cls, path: str) -> FakeModel:
        return cls(Path(path))

    def encode(self, rows: pd.DataFrame) -> NDArray[np.float32]:
        return latents(rows)

    def decode(self, z: NDArray[np.float32], **_: Any) -> pd.DataFrame:
        nearest = ((z[:, None] - self.z[None]) ** 2).sum(axis=2).argmin(axis=1)
        return self.rows.iloc[nearest].reset_index(drop=True)

    def reconstruct(self, rows: pd.DataFrame, details: bool = True) -> pd.DataFrame:
        return rows.reset_index(drop=True) if details else self.decode(latents(rows))

    def stream(self, n: int, *, on_progress: Any = None, **_: Any) -> Iterator[pd.DataFrame]:
        rows = table(n, seed=3)
        for start in range(0, n, 500):
            chunk = rows.iloc[start : start + 500].reset_index(drop=True)
            chunk.attrs["generation"] = {
                "requested": n,
                "generated": n,
                "attempts": n,
                "valid": n,
                "rejected": {},
                "seconds": 0.1,
            }
            chunk.attrs["latents"] = latents(chunk)
            if on_progress:
                on_progress(start + len(chunk), n)
            yield chunk


def fake_pipeline() -> ModuleType:
    """A module that stands in for difflm.pipeline."""
    return SimpleNamespace(DiffLM=FakeModel)  # type: ignore[return-value]


def fake_report(run: Run) -> None:
    """report.json by the quick metrics only."""
    from difflm.evaluation import evaluate

    real, test = (pd.read_parquet(run.path / "data" / f"{name}.parquet") for name in ("train", "test"))
    report = evaluate(
        real,
        table(len(real), seed=1),
        test,
        latent={"kl": 9.0, "active": 5, "reconstruction": 0.9, "per_column": {"size": 0.8}},
        metrics=["shape", "trend", "dcr"],
    )
    (run.path / "report.json").write_text(report.to_json(), encoding="utf-8")
