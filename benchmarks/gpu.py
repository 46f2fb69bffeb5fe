"""What a GPU makes of a decoder of half a billion weights: training, memory, writing, and the same numbers as the CPU.

The LM has the shape of a Llama and random weights: speed does not depend on how well it writes. Training is measured
through the product's own loop, by the tokens that the LM reads (soft ones and those of records, no padding) and what a
token needs: 4 operations a weight where the LM is frozen, 6 where it is trained along; the few of attention and encoder
are not counted.

    DIFFLM_DATA=... python benchmarks/gpu.py [--layers 24] [--batch 256] [--steps 16] [--rows 2048] [--profile]
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import tempfile
import time
import traceback
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from reference_loop import measure
from transformers import LlamaConfig, LlamaForCausalLM

from difflm import DiffLM
from difflm.data import load
from difflm.models.causal_lm import CausalLMDecoder
from difflm.models.lm_memory import need_of
from difflm.models.lm_steps import FixedSteps
from difflm.models.pretrained import load_config
from difflm.models.writing_lm import writing_lm
from difflm.precision import mixed
from difflm.provenance import machine, versions
from difflm.training import plan

BASE = Path(__file__).parents[1] / "checkpoints" / "base-tiny"
ROWS, TRAINED = 3000, 0.8
"""Of the table, and the share of them that is trained on."""
GPU = torch.device("cuda" if torch.cuda.is_available() else "cpu")
"""A CPU only tries the script out."""


def wait() -> None:
    """Until the GPU has done what it was asked."""
    if GPU.type == "cuda":
        torch.cuda.synchronize()


def peak_bytes(again: bool = False) -> int:
    """Most memory that was in use; with `again` it is counted from now on."""
    if GPU.type != "cuda":
        return 1
    if again:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
    return torch.cuda.max_memory_allocated()


def matrix_rate(n: int = 8192 if GPU.type == "cuda" else 512, times: int = 20) -> float:
    """Operations a second of bfloat16 products (n, n) @ (n, n) on random numbers."""
    a, b = (torch.randn(n, n, dtype=torch.bfloat16, device=GPU) for _ in range(2))
    for _ in range(3):
        a @ b
    wait()
    start = time.perf_counter()
    for _ in range(times):
        a @ b
    wait()
    return times * 2 * n**3 / (time.perf_counter() - start)


def random_llama(folder: Path, layers: int) -> int:
    """Save a Llama with random weights beside the bundled tokenizer; how many weights work on each token."""
    base = LlamaConfig.from_pretrained(BASE)
    config = LlamaConfig(
        vocab_size=base.vocab_size,
        hidden_size=1536,
        intermediate_size=4096,
        num_hidden_layers=layers,
        num_attention_heads=12,
        num_key_value_heads=4,
        max_position_embeddings=2048,
        tie_word_embeddings=True,
        bos_token_id=base.bos_token_id,
        eos_token_id=base.eos_token_id,
        pad_token_id=base.pad_token_id,
    )
    with GPU:
        lm = LlamaForCausalLM(config).to(torch.bfloat16)
    lm.save_pretrained(folder)
    for name in ("tokenizer.json", "tokenizer_config.json"):
        shutil.copy(BASE / name, folder / name)
    return sum(p.numel() for p in lm.parameters())


def train(
    lm: Path,
    run: Path,
    weights: int,
    rate: float,
    data: str,
    batch: int,
    steps: int,
    joint: bool = False,
    compiled: bool = True,
) -> DiffLM:
    """Train a little and print tokens a second, their share of the matrix rate, and memory beside its estimate."""
    overrides: dict[str, Any] = {
        "decoder.kind": "causal_lm",
        "decoder.path": str(lm),
        "decoder.training": "joint" if joint else "frozen",
        "decoder.max_tokens": 320,
        "decoder.compile": compiled,
        "format.text": "json",
        "vae.batch_size": batch,
        "vae.epochs": steps * batch / (TRAINED * ROWS),
        "vae.evaluations": 2,
        "lm.epochs": 0.01,
        "prior.steps": 50,
        "prior.calibration": False,
    }
    # The plan would take smaller steps of so few rows in so little time.
    plan.LEAST_STEPS, plan._batch, plan._affordable = 2, lambda most, rows: most, lambda batch, *others: batch
    before = peak_bytes(again=True)
    rows = load(data, seed=0).train.iloc[:ROWS]
    model = DiffLM.fit(rows, run=run, preset="quick", seed=0, overrides=overrides)
    peak = peak_bytes() - before
    decoder = model.artifact.model.decoder
    assert isinstance(decoder, CausalLMDecoder)
    assert model.run is not None
    told = [
        float(row["seconds"])
        for row in model.run.read_metrics()[0]
        if (row.get("stage"), row.get("split")) == ("vae", "train")
    ]
    step = statistics.median(b - a for a, b in pairwise(told[2:]))
    mask = decoder.prepare(model.schema.canonical(rows.iloc[:512]))["text_mask"]
    tokens, longest = float(mask.sum(dim=1).float().mean()), int(mask.sum(dim=1).max())
    read = tokens + decoder.soft_tokens + (decoder.bos is not None)
    per_second = batch * read / step
    operations = (6 if joint else 4) * weights * per_second
    need = need_of(load_config(str(lm)), model.config.decoder, tokens + decoder.soft_tokens, 2, GPU.type)
    estimate = need.weights + need.step(batch)
    print(
        f"{'joint' if joint else 'frozen'}, {'compiled' if compiled else 'eager'}: {weights / 1e6:.0f} M weights, "
        f"{batch} records of {tokens:.0f} tokens (up to {longest}) and {decoder.soft_tokens} soft ones a step, "
        f"{len(told)} steps of {1e3 * step:.0f} ms: {per_second:,.0f} tokens/s, "
        f"{operations / 1e12:.0f} TFLOP/s = {100 * operations / rate:.0f} % of the matrix rate; peak memory "
        f"{peak / 2**30:.2f} GB, estimated {estimate / 2**30:.2f} GB ({100 * (estimate / peak - 1):+.0f} %)",
        flush=True,
    )
    return model


@torch.no_grad()
def agreement(model: DiffLM) -> None:
    """Nats of the same records on GPU and CPU, in bfloat16 and float32; and rows with graphs and without."""
    latent = model.artifact.model
    decoder = latent.decoder
    assert isinstance(decoder, CausalLMDecoder)
    rows = model.schema.canonical(model.sample(32, seed=3))
    z = torch.randn(len(rows), latent.injector.size, generator=torch.Generator().manual_seed(0))

    def nats(device: str, half: bool) -> torch.Tensor:
        decoder.lm.to(torch.bfloat16 if half else torch.float32)
        latent.to(device)
        batch = {k: v.to(device) for k, v in decoder.prepare(rows).items()}
        with mixed(torch.device(device)) if half else torch.autocast(device, enabled=False):
            injected = latent.inject(z.to(device), torch.zeros(len(rows), device=device))
            return decoder.row_nll(injected, batch).float().cpu()

    exact = nats("cpu", half=False)
    for name, found in (
        ("GPU, float32", nats("cuda", half=False)),
        ("GPU, bfloat16", nats("cuda", half=True)),
    ):
        print(
            f"{name}: nats a record differ from the CPU's by {((found - exact).abs() / exact).max():.1e} at most"
        )
    made = []
    for graphs in (True, False):
        if not graphs:
            decoder.steps = lambda graphed: FixedSteps(writing_lm(decoder.lm), decoder.masks, decoder.room)  # type: ignore[method-assign]
        with mixed(GPU):
            injected = latent.inject(z.repeat(16, 1).to(GPU), torch.zeros(512, device=GPU))
            made.append(decoder.write(injected, 0.0, torch.Generator(GPU)))
    del decoder.steps
    same = made[0].index == made[1].index and made[0].rows.equals(made[1].rows)
    print(f"{len(made[0].rows)} greedy rows by graphs: {'the same' if same else 'NOT the same'} without them")


def profile(model: DiffLM) -> None:
    """What one step of the LM spends its time on."""
    latent = model.artifact.model
    decoder = latent.decoder
    assert isinstance(decoder, CausalLMDecoder)
    batch = {
        k: v.to(GPU) for k, v in decoder.prepare(model.schema.canonical(model.sample(64, seed=3))).items()
    }
    z = torch.randn(64, latent.injector.size, device=GPU)
    latent.train()

    def once() -> None:
        with mixed(GPU):
            injected = latent.inject(z, torch.zeros(len(z), device=GPU))
            decoder.row_nll(injected, {k: v[: len(z)] for k, v in batch.items()}).mean().backward()
        wait()

    once()
    with torch.profiler.profile() as seen:
        once()
    latent.eval()
    print(seen.key_averages().table(sort_by="self_cuda_time_total", row_limit=25, max_name_column_width=60))


def writing(model: DiffLM, rows: int) -> None:
    """Rows a second with and without graphs."""
    decoder = model.artifact.model.decoder
    assert isinstance(decoder, CausalLMDecoder)
    plain = decoder.steps
    for graphs in (True, False):
        if not graphs:
            decoder.steps = lambda graphed: plain(False)  # type: ignore[method-assign]
        model.sample(600, seed=1)
        start = time.perf_counter()
        model.sample(rows, seed=0)
        print(
            f"{'graphs' if graphs else 'eager '}: {rows / (time.perf_counter() - start):,.0f} records/s",
            flush=True,
        )
    del decoder.steps


def attempt(what: str, call: Callable[[], Any]) -> Any:
    """One section: a failure is printed, and the others go on."""
    start = time.perf_counter()
    try:
        return call()
    except Exception:
        traceback.print_exc()
        print(f"FAILED: {what}")
        return None
    finally:
        print(f"[{what}: {time.perf_counter() - start:.1f} s]", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    default = "paper/adult" if os.environ.get("DIFFLM_DATA") else "tips"
    parser.add_argument("--data", default=default)
    parser.add_argument("--layers", type=int, default=24)
    parser.add_argument("--batch", type=int, default=256)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--rows", type=int, default=2048)
    parser.add_argument("--reference-rows", type=int, default=3)
    parser.add_argument("--profile", action="store_true", help="also what a step spends its time on")
    chosen = parser.parse_args()
    print(f"{torch.cuda.get_device_name() if GPU.type == 'cuda' else GPU}; {machine()}; {versions()}")
    rate = attempt("matrix rate", matrix_rate)
    print(f"bfloat16 products: {rate / 1e12:.0f} TFLOP/s")
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        weights = attempt("making a decoder", lambda: random_llama(root / "lm", chosen.layers))
        common = (weights, rate, chosen.data, chosen.batch, chosen.steps)
        model = attempt("training, frozen", lambda: train(root / "lm", root / "frozen", *common))
        if model is not None:
            attempt("writing", lambda: writing(model, chosen.rows))
            attempt("reference loop", lambda: measure(model, chosen.rows, chosen.reference_rows))
            attempt("agreement", lambda: agreement(model))
            if chosen.profile:
                attempt("profile", lambda: profile(model))
        attempt("training, eager", lambda: train(root / "lm", root / "eager", *common, compiled=False))
        common = (weights, rate, chosen.data, chosen.batch // 2, chosen.steps)
        attempt("training, joint", lambda: train(root / "lm", root / "joint", *common, joint=True))


if __name__ == "__main__":
    main()
