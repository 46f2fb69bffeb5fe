"""How close training and sampling come to what the machine can do.

Counts the floating-point operations that a step or a row needs, measures the rate of matrix products of the
model's own sizes, and prints the time that these products alone would take beside the time that was taken.

    DIFFLM_DATA=... python benchmarks/speed.py [paper/adult ...] [--steps 20] [--rows 8192]
"""

from __future__ import annotations

import argparse
import platform
import statistics
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise

import torch

from difflm.artifact import Artifact
from difflm.config import Config
from difflm.data import load
from difflm.formats.codec import FittedCodec
from difflm.models.build import build_model
from difflm.pipeline import DiffLM
from difflm.precision import native_bfloat16
from difflm.provenance import machine, versions
from difflm.training.costs import Size, denoiser_weights, row_operations
from difflm.training.fit import Trained, mean_tokens, prepare, train_all
from difflm.training.host import Host

CPU = torch.device("cpu")


def matrix_rate(width: int, rows: int, seconds: float = 2.0) -> float:
    """Operations a second of (rows, width) @ (width, 4 width), one thread a core, best of short runs."""
    threads = torch.get_num_threads()
    dtype = torch.bfloat16 if native_bfloat16(CPU) else torch.float32

    def work(number: int) -> float:
        x = torch.randn(rows // threads, width, dtype=dtype)
        w = torch.randn(width, 4 * width, dtype=dtype)
        best, end = 0.0, time.perf_counter() + seconds
        while time.perf_counter() < end:
            start = time.perf_counter()
            for _ in range(20):
                torch.mm(x, w)
            best = max(best, 20 * 2 * x.shape[0] * width * 4 * width / (time.perf_counter() - start))
        return best

    with ThreadPoolExecutor(threads, "rate", torch.set_num_threads, (1,)) as pool:
        total = sum(pool.map(work, range(threads)))
    torch.set_num_threads(threads)
    return total


def stage_seconds(source: str, steps: int) -> tuple[dict[str, float], Trained, Config, Size]:
    """Median seconds of one step of each stage, by the product's own loop."""
    config = Config.from_preset(
        "thorough", {"lm.epochs": 0.01, "vae.epochs": 0.01, "prior.steps": max(4 * steps, 40)}
    )
    data = load(source, seed=0)
    train, held = data.schema.canonical(data.train), data.schema.canonical(data.validation)
    codec = FittedCodec.fit(data.schema, train, config.format.bins, config.format.phrases)
    size = Size(len(train), mean_tokens(prepare(build_model(config, codec), train.iloc[:512])))
    epochs = steps * config.vae.batch_size / len(train)
    config = Config.load(
        {
            **config.model_dump(),
            "lm": {**config.lm.model_dump(), "epochs": epochs},
            "vae": {**config.vae.model_dump(), "epochs": epochs, "evaluations": 2},
        }
    )
    ends: dict[str, list[float]] = {}
    host = Host(on_progress=lambda row: None)

    def watch() -> bool:
        ends.setdefault("all", []).append(time.perf_counter())
        return False

    host.should_stop = watch
    marks: dict[str, int] = {}
    host.on_progress = lambda row: marks.setdefault(str(row.get("stage")), len(ends.get("all", [])))
    trained = train_all(config, codec, train, held, host)
    stamps, order = ends["all"], sorted(marks.items(), key=lambda item: item[1])
    seconds = {}
    for (stage, first), after in zip(order, [n for _, n in order[1:]] + [len(stamps)], strict=True):
        own = stamps[max(first - 1, 0) : after]
        gaps = sorted(b - a for a, b in pairwise(own))
        seconds[stage] = statistics.median(gaps) if gaps else float("nan")
    return seconds, trained, config, size


def sampling(trained: Trained, config: Config, rows: int) -> tuple[float, float]:
    """Rows a second of the whole generation, and of the prior alone."""
    model = DiffLM(Artifact(config, trained.codec.schema, trained.codec, trained.model, trained.prior))
    model.sample(512, seed=1)
    whole = timed(lambda: model.sample(rows, seed=0))
    prior = timed(lambda: trained.prior.sample(2048, torch.Generator().manual_seed(0), config.sample.noise))
    return rows / whole, 2048 / prior


def timed(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("tables", nargs="*", default=["paper/adult"])
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--rows", type=int, default=8192)
    options = parser.parse_args()
    print(f"machine: {machine()}\nversions: {versions()}\n{platform.platform()}")
    config = Config()
    rate = matrix_rate(config.decoder.width, config.vae.batch_size * 20)
    print(f"matrix products of width {config.decoder.width}, all cores: {rate / 1e9:.0f} GFLOP/s\n")
    print("| table | tokens | stage | GFLOP | floor ms | taken ms | taken / floor | rows/s |")
    print("|---|---|---|---|---|---|---|---|")
    for source in options.tables:
        seconds, trained, config, size = stage_seconds(source, options.steps)
        batch = config.vae.batch_size
        need = {
            "lm": batch * row_operations(config, size, "lm") * (1 + config.lm.copy_share),
            "vae": batch * row_operations(config, size, "vae"),
            "prior": 6.0 * denoiser_weights(config) * config.prior.batch_size,
        }
        for stage, operations in need.items():
            rows = config.prior.batch_size if stage == "prior" else batch
            line(source, size.tokens, stage, operations, rate, seconds[stage], rows)
        per_row = row_operations(config, size, "lm") / 3
        evaluations = 2 * config.sample.diffusion_steps
        per_row += evaluations * 2.0 * denoiser_weights(config)
        whole, prior = sampling(trained, config, options.rows)
        line(source, size.tokens, "sampling, a row", per_row, rate, 1 / whole, 1)
        print(f"\n{source}: the prior alone {prior:,.0f} latents/s", flush=True)


def line(
    source: str, tokens: float, stage: str, operations: float, rate: float, seconds: float, rows: int
) -> None:
    floor = operations / rate
    print(
        f"| {source} | {tokens:.0f} | {stage} | {operations / 1e9:.3g} | {1e3 * floor:.3g} | {1e3 * seconds:.3g} "
        f"| {seconds / floor:.2f} | {rows / seconds:,.0f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
