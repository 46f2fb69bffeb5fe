"""The facade, end to end on a small table and a tiny model."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import torch
from tiny_lm import byte_level, save_llama

from difflm import generation, latent_ops
from difflm.data import Dataset
from difflm.errors import ConfigError, GenerationError, RunError
from difflm.generation import Tally
from difflm.latent_use import latent_use
from difflm.pipeline import DiffLM
from difflm.privacy import REASON, Apart
from difflm.runs import Run

TINY = {
    "decoder.width": 32,
    "decoder.layers": 1,
    "decoder.heads": 2,
    "encoder.width": 32,
    "encoder.layers": 1,
    "encoder.heads": 2,
    "latent.slots": 2,
    "injection.hidden": 32,
    "prior.width": 32,
    "prior.blocks": 1,
    "prior.steps": 60,
    "lm.epochs": 4,
    "vae.epochs": 12,
    "vae.evaluations": 3,
    "beta.start": 0.01,
    "beta.end": 0.01,
    "sample.batch_size": 64,
}


def people(n: int = 160) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    grown = rng.random(n) < 0.6
    return pd.DataFrame(
        {
            "id": [f"P-{i:04d}" for i in range(n)],
            "age": np.where(grown, rng.integers(20, 80, n), rng.integers(1, 18, n)),
            "job": np.where(grown, rng.choice(["nurse", "cook"], n), "none"),
            "income": np.where(grown, np.round(rng.lognormal(3, 0.5, n), 2), np.nan),
            "member": rng.random(n) < 0.4,
        }
    )


@pytest.fixture(scope="module")
def fitted(tmp_path_factory: pytest.TempPathFactory) -> DiffLM:
    run = tmp_path_factory.mktemp("runs") / "people"
    return DiffLM.fit(people(), run=run, target="job", preset="quick", overrides=TINY, time_limit=0.2)


def test_rows_look_like_the_table(fitted: DiffLM) -> None:
    rows = fitted.sample(100, seed=1)
    frame = people()
    assert list(rows.columns) == list(frame.columns) and len(rows) == 100
    assert rows.dtypes.astype(str).tolist() == frame.dtypes.astype(str).tolist()
    assert set(rows["job"]) <= set(frame["job"]) and rows["age"].between(1, 79).all()
    assert not set(rows["id"]) & set(frame["id"]) and rows["id"].is_unique
    tally = rows.attrs["generation"]
    assert tally["valid"] == tally["attempts"] and not tally["rejected"]


def test_a_seed_gives_the_same_rows_and_a_prefix_of_more(fitted: DiffLM) -> None:
    assert fitted.sample(50, seed=3).equals(fitted.sample(50, seed=3))
    assert not fitted.sample(50, seed=3).equals(fitted.sample(50, seed=4))
    assert fitted.sample(150, seed=3).iloc[:50].equals(fitted.sample(50, seed=3))


def test_training_twice_gives_the_same_rows(fitted: DiffLM, tmp_path: Path) -> None:
    again = DiffLM.fit(
        people(), run=tmp_path / "again", target="job", preset="quick", overrides=TINY, time_limit=0.2
    )
    assert again.sample(40, seed=0).equals(fitted.sample(40, seed=0))


def test_encode_decode_reconstruct_interpolate(fitted: DiffLM) -> None:
    rows = people().iloc[:9]
    z = fitted.encode(rows)
    assert z.shape == (9, 8) and z.dtype == np.float32
    assert fitted.reconstruct(rows, details=False).equals(fitted.decode(z))
    path = fitted.interpolate(rows.iloc[0], rows.iloc[5], steps=5)
    assert len(path) == 5
    learned = ["age", "job", "income", "member"]
    ends = fitted.reconstruct(rows.iloc[[0, 5]])[learned]
    assert path[learned].iloc[[0, -1]].reset_index(drop=True).equals(ends)
    between = fitted.decode(latent_ops.interpolate(z[0], z[5], 5))[learned]
    assert path[learned].iloc[1:-1].equals(between.iloc[1:-1])
    assert len(fitted.posterior_rows(rows)) == 9 and len(fitted.decoder_alone(7)) == 7


def test_latent_use_is_the_share_of_exact_cells(fitted: DiffLM) -> None:
    use = latent_use(fitted, people())
    assert set(use["per_column"]) == {"age", "job", "income", "member"}
    assert 0 < use["reconstruction"] <= 1 and use["kl"] > 0 and 0 < use["active"] <= 8


def test_conditions_are_met_or_refused(fitted: DiffLM) -> None:
    rows = fitted.sample(20, where={"job": "cook", "age": (">=", 20)})
    assert (rows["job"] == "cook").all() and (rows["age"] >= 20).all()
    assert rows.attrs["generation"]["rejected"]["conditions not met"] > 0
    with pytest.raises(ConfigError, match="pilot"):
        fitted.sample(5, where={"job": "pilot"})
    with pytest.raises(ConfigError, match="column"):
        fitted.sample(5, where={"height": 3})
    with pytest.raises(GenerationError, match="conditions not met"):
        fitted.sample(1, where={"age": (">", 500)})


def test_rows_can_be_kept_apart_from_real_ones(fitted: DiffLM, tmp_path: Path) -> None:
    assert fitted.run is not None
    rows = fitted.sample(60, seed=4, apart=True)
    data = Dataset.read(fitted.run.path / "data")
    apart = Apart(fitted.schema, data.train, data.validation, fitted.config.seed)
    assert len(rows) == 60 and apart(fitted.schema.canonical(rows)).all()
    if apart.limit:
        assert not apart(fitted.schema.canonical(data.train)).any()
        assert rows.attrs["generation"]["rejected"][REASON] > 0
    fitted.save_pretrained(tmp_path / "export")
    with pytest.raises(ConfigError, match="training rows"):
        DiffLM.from_pretrained(tmp_path / "export").sample(5, apart=True)


def test_other_priors_and_bad_ones(fitted: DiffLM) -> None:
    for kind in ("gaussian", "gmm"):
        assert len(fitted.sample(10, prior=kind)) == 10
    with pytest.raises(ConfigError, match="gaussian"):
        fitted.sample(5, prior="flow")
    with pytest.raises(ConfigError, match="at least 1"):
        fitted.sample(0)


def test_saved_and_loaded_it_writes_the_same_rows(fitted: DiffLM, tmp_path: Path) -> None:
    fitted.save_pretrained(tmp_path / "model")
    assert not list((tmp_path / "model").rglob("*.parquet"))
    again = DiffLM.from_pretrained(tmp_path / "model")
    assert again.sample(30, seed=2).equals(fitted.sample(30, seed=2))
    assert fitted.run is not None
    assert DiffLM.from_pretrained(fitted.run.path).sample(30, seed=2).equals(fitted.sample(30, seed=2))


def test_steps_without_a_row_of_a_kind_say_nothing_of_it(tmp_path: Path) -> None:
    small = {**TINY, "vae.batch_size": 4, "vae.epochs": 2, "lm.epochs": 1, "prior.kind": "gmm"}
    model = DiffLM.fit(people(60), run=tmp_path / "run", preset="quick", overrides=small, time_limit=1)
    assert model.run is not None
    rows, _ = model.run.read_metrics()
    steps = [r for r in rows if r["stage"] == "vae" and r.get("split") == "train"]
    for name in ("reconstruction", "detail_kl"):
        told = [r[name] for r in steps if name in r]
        assert 0 < len(told) < len(steps) and all(value > 0 for value in told)


def test_a_machine_taken_for_slow_gets_more_steps_after_stage_0(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DIFFLM_SPEED", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("difflm.fitting.machine_speed", lambda device: 0.05)
    timed = {**{k: v for k, v in TINY.items() if k != "vae.epochs"}, "prior.kind": "gmm"}

    def steps(run: str) -> list[int]:
        model = DiffLM.fit(people(), run=tmp_path / run, preset="quick", overrides=timed, time_limit=5)
        assert model.run is not None
        rows, _ = model.run.read_metrics()
        assert any("steps take less time" in r.get("text", "") for r in rows)
        return [r["of"] for r in rows if r["stage"] == "vae" and r.get("split") == "train"]

    first = steps("first")
    assert first[0] > 120, "a plan for that speed has 87"
    assert steps("second") == first, "the same table gets the same plan"


def test_the_run_has_all_that_the_app_shows(fitted: DiffLM) -> None:
    run = fitted.run
    assert run is not None and run.status.state == "done"
    rows, _ = run.read_metrics()
    assert {r["stage"] for r in rows if "step" in r} == {"lm", "vae", "prior"}
    assert any(r.get("event") == "sample" for r in rows) and any("accuracy" in r for r in rows)
    looked = [r for r in rows if "shape" in r]
    assert looked and all(r["valid"] == 1 for r in looked)
    assert all(0 < r[name] < 40 for r in looked for name in ("shape", "shape_of_real"))
    for name in ("latents/train.safetensors", "latents/sample-first.safetensors", "vae/latent.json"):
        assert (run.path / name).exists(), name
    assert len(pd.read_parquet(run.path / "samples" / "first.parquet")) > 0
    with pytest.raises(RunError, match="finished"):
        DiffLM.fit(people(), run=run.path, preset="quick", overrides=TINY)


def test_a_stopped_run_is_usable_and_resumes_to_the_same_model(fitted: DiffLM, tmp_path: Path) -> None:
    calls = iter(range(10**6))
    settings = {"target": "job", "preset": "quick", "overrides": TINY, "time_limit": 0.2}
    steps = 60  # past stage 0, inside stage 1
    stopped = DiffLM.fit(people(), run=tmp_path / "run", should_stop=lambda: next(calls) >= steps, **settings)
    assert Run.open(tmp_path / "run").status.state == "stopped"
    assert len(stopped.sample(20)) == 20
    resumed = DiffLM.fit(people(), run=tmp_path / "run", **settings)
    assert resumed.sample(40, seed=0).equals(fitted.sample(40, seed=0))


def test_a_folder_that_is_no_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(RunError, match="trained model"):
        DiffLM.from_pretrained(tmp_path)


def test_any_local_causal_lm_can_take_the_decoders_place(tmp_path: Path) -> None:
    """Untrained and frozen it writes valid rows all the same: the grammar sees to that."""
    folder = save_llama(tmp_path / "lm", byte_level(bos_token="<s>", eos_token="</s>"))
    frame = people(60).drop(columns="id")
    changes = {
        **TINY,
        "decoder.kind": "causal_lm",
        "decoder.path": str(folder),
        "vae.epochs": 1,
        "decoder.max_tokens": 200,
    }
    model = DiffLM.fit(frame, run=tmp_path / "run", preset="quick", overrides=changes, time_limit=0.2)
    rows = model.sample(20)
    assert rows.attrs["generation"]["rejected"] == {} and list(rows.columns) == list(frame.columns)
    assert model.config.decoder.kind == "causal_lm"
    stored = (tmp_path / "run" / "vae" / "model.safetensors").stat().st_size
    assert stored < 500_000, "the weights of the language model stay where they are"


def test_part_of_a_chunk_is_the_begin_of_the_whole(fitted: DiffLM, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(generation, "PART", 16)
    chunks = fitted.chunks(seed=5)
    whole, tally = chunks.make(0, Tally(64)), Tally(64)
    part = chunks.make(0, tally, wanted=20)
    assert 20 <= len(part.rows) <= 48 and tally.attempts <= 48
    pd.testing.assert_frame_equal(part.rows, whole.rows.iloc[: len(part.rows)])
    torch.testing.assert_close(part.z, whole.z[: len(part.z)], rtol=0, atol=0)
