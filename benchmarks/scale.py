"""Seconds and peak memory of every stage from a file to synthetic rows, on made tables of any size.

Each case runs in a process of its own; the peak of a stage is the resident set's high-water mark while it ran.
`--fit MINUTES` adds the whole command `difflm fit` and `difflm sample`.

    python benchmarks/scale.py 10000x15 100000x15 1000000x15:csv 10000000x15:folder 20000x200 [--fit 1]
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

CHUNK = 100_000
KINDS = ("real", "amount", "count", "city", "flag", "day", "sensor", "grade")


def make_rows(count: int, columns: int, first: int, seed: int) -> pd.DataFrame:
    """`count` rows that follow row `first`; the kinds of columns take turns, an identifier comes first."""
    rng = np.random.default_rng([seed, first])
    hidden = rng.normal(size=(count, 4))
    made: dict[str, Any] = {"id": np.arange(first, first + count)}
    for index in range(columns - 1):
        kind = KINDS[index % len(KINDS)]
        lean = hidden[:, index % 4] + 0.5 * rng.normal(size=count)
        cells: Any
        if kind == "real":
            cells = np.round(50 + 12 * lean, 2)
        elif kind == "amount":
            cells = np.where(rng.random(count) < 0.1, np.nan, np.round(np.exp(3 + lean), 2))
        elif kind == "count":
            cells = rng.poisson(np.exp(np.clip(1 + 0.5 * lean, -3, 5)))
        elif kind == "city":
            cells = np.array([f"city {i}" for i in range(300)])[np.clip(150 + 40 * lean, 0, 299).astype(int)]
        elif kind == "flag":
            cells = np.where(lean > 0.3, "yes", "no")
        elif kind == "day":
            days = np.datetime64("2020-01-01") + np.clip(900 + 300 * lean, 0, 1800).astype("timedelta64[D]")
            cells = np.datetime_as_string(days)
        elif kind == "sensor":
            cells = 20 + 3 * lean
        else:
            cells = np.array(list("ABCDE"), dtype=object)[np.clip(2 + lean, 0, 4).astype(int)]
            cells[rng.random(count) < 0.05] = None
        made[f"{kind}_{index}"] = cells
    return pd.DataFrame(made)


def make_file(folder: Path, rows: int, columns: int, ending: str, seed: int = 0) -> Path:
    """A Parquet or CSV file, written by chunks; as a folder one Parquet file of a chunk over and over."""
    path = folder / f"{rows}x{columns}.{ending}"
    if ending == "folder":
        path.mkdir()
        first = make_file(folder, CHUNK, columns, "parquet", seed)
        for number in range(rows // CHUNK):
            (path / f"{number:05d}.parquet").hardlink_to(first)
        return path
    writer: pq.ParquetWriter | None = None
    for start in range(0, rows, CHUNK):
        frame = make_rows(min(CHUNK, rows - start), columns, start, seed)
        if ending == "csv":
            frame.to_csv(path, mode="a", header=start == 0, index=False)
            continue
        table = pa.Table.from_pandas(frame, preserve_index=False)
        writer = writer or pq.ParquetWriter(path, table.schema)
        writer.write_table(table)
    if writer is not None:
        writer.close()
    return path


class Watch:
    """Runs stages and prints seconds, peak and what stays in memory."""

    def run(self, name: str, call: Callable[..., Any], *given: Any) -> Any:
        """The result of `call(*given)`."""
        Path("/proc/self/clear_refs").write_text("5")
        start, used = time.perf_counter(), time.process_time()
        made = call(*given)
        seconds, used = time.perf_counter() - start, time.process_time() - used
        report(name, seconds, used, _status("VmHWM"), _status("VmRSS"))
        return made


def report(name: str, seconds: float, used: float, peak: float, kept: float | None = None) -> None:
    """One line of figures: seconds on the wall and of processor time, memory in MB."""
    rest = "" if kept is None else f"{kept:9.0f} MB"
    print(f"  {name:28}{seconds:9.2f} s{used:9.2f} s{peak:9.0f} MB{rest}", flush=True)


def _status(field: str) -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field):
            return int(line.split()[1]) / 1024
    raise KeyError(field)


def stages(path: Path, folder: Path) -> None:
    """What `difflm fit` does around the training, step by step."""
    watch = Watch()

    def imports() -> None:
        import torch  # noqa: F401

        import difflm.fitting  # noqa: F401

    watch.run("import", imports)
    from difflm.config import Config
    from difflm.data import Dataset, load, read_table
    from difflm.data.sampled import Draw
    from difflm.formats.codec import FittedCodec
    from difflm.models.build import build_model
    from difflm.schema import Schema
    from difflm.training.fit import encode_batch, prepare

    frame = watch.run("read", read_table, path, Draw())
    watch.run("infer schema", Schema.infer, frame)
    del frame
    dataset = watch.run("load: read, infer, split", load, path)
    watch.run("write the run's copy", dataset.write, folder / "data")
    schema, validation = dataset.schema, dataset.validation
    train = watch.run("canonical", schema.canonical, dataset.train)
    del dataset
    config = Config.from_preset("quick")
    codec = watch.run("codec fit", FittedCodec.fit, schema, train, config.format.bins)
    model = build_model(config, codec)
    batch = watch.run("tokens", prepare, model, train)
    print(f"  {'':28}{sum(v.untyped_storage().nbytes() for v in batch.values()) / 2**20:9.0f} MB of tokens")
    del train
    some = {k: v[:20_000] for k, v in batch.items()}
    watch.run("latents of 20,000 rows", encode_batch, model, some)
    del batch, some, validation
    watch.run("read the run's copy", Dataset.read, folder / "data")


def timed(name: str, command: list[str]) -> None:
    """A whole command, with the peak of its process."""
    start = time.perf_counter()
    process = subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL)
    assert process.stderr is not None
    tail = process.stderr.read().decode()[-400:]
    _, status, usage = os.wait4(process.pid, 0)
    used = usage.ru_utime + usage.ru_stime
    report(name, time.perf_counter() - start, used, usage.ru_maxrss / 1024)
    if status:
        print(tail)


def case(name: str, minutes: float | None, sampled: int, measured: bool) -> None:
    """One table: its stages, then maybe the whole commands."""
    size, _, ending = name.partition(":")
    rows, columns = map(int, size.split("x"))
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        path = make_file(folder, rows, columns, ending or "parquet")
        size = sum(f.stat().st_size for f in ([path] if path.is_file() else path.iterdir()))
        print(f"{name}, {size / 2**20:.0f} MB on disk", flush=True)
        if measured:
            subprocess.run([sys.executable, __file__, "--stages", str(path)], check=False)
        if minutes is None:
            return
        difflm, run = [sys.executable, "-m", "difflm"], str(folder / "run")
        settings = ["--preset", "quick", "--time-limit", str(minutes)]
        timed(f"difflm fit, {minutes:g} min", [*difflm, "fit", str(path), "--run", run, *settings])
        trained = [json.loads(line) for line in (folder / "run" / "metrics.jsonl").read_text().splitlines()]
        print(f"  {'of it training':28}{max(row.get('seconds', 0.0) for row in trained):9.2f} s")
        out = str(folder / "rows.parquet")
        timed(f"difflm sample, {sampled:,}", [*difflm, "sample", run, "-n", str(sampled), "--out", out])
        if Path(out).exists():
            known = pq.ParquetFile(out).metadata
            print(f"  {'row groups written':28}{known.num_row_groups:9d}")


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cases", nargs="*", default=["10000x15", "100000x15", "1000000x15", "20000x200"])
    parser.add_argument("--fit", type=float, metavar="MINUTES")
    parser.add_argument("--only-fit", action="store_true", help="leave the stages out")
    parser.add_argument("--sample", type=int, default=100_000)
    parser.add_argument("--stages", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.stages:
        stages(options.stages, options.stages.parent)
        return
    threads = os.environ.get("OMP_NUM_THREADS", "all")
    print(f"machine   {platform.machine()}, {os.cpu_count()} cores, OMP_NUM_THREADS {threads}")
    packages = ("torch", "pandas", "pyarrow", "numpy")
    print(
        f"versions  Python {platform.python_version()}, " + ", ".join(f"{p} {version(p)}" for p in packages)
    )
    print(f"{'stage':30}{'wall':>11}{'processor':>11}{'peak':>12}{'kept':>12}")
    for name in options.cases:
        case(name, options.fit, options.sample, not options.only_fit)


if __name__ == "__main__":
    main()
