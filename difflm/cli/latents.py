"""`difflm encode`, `decode`, `interpolate` and `project`: between rows, latents and the map. z is (n, Z)."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from difflm.cli.fit import find_run
from difflm.cli.sample import load_model, read_frame
from difflm.cli.writers import check_ending, writing
from difflm.disk import appearing
from difflm.errors import ConfigError, DataError

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd


def add_encode(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm encode`."""
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("data", metavar="DATA", help="file with rows of the table")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE.npy", help="mu, float32 (rows, Z)")


def add_decode(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm decode`."""
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("latents", type=Path, metavar="FILE.npy", help="as `difflm encode` writes them")
    parser.add_argument("--out", required=True, type=Path, metavar="FILE")
    parser.add_argument("--draw", action="store_true", help="draw at temperature; default: the likeliest row")
    parser.add_argument("--seed", type=int, default=0)


def add_interpolate(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm interpolate`."""
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("row_a", metavar="A", help="row number from 0, or a JSON object")
    parser.add_argument("row_b", metavar="B")
    parser.add_argument(
        "--data", metavar="DATA", help="file the numbers count in (default: the training rows)"
    )
    parser.add_argument("--steps", type=int, default=9)
    parser.add_argument("--mode", default="linear", help="linear or spherical")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: CSV on stdout")


def add_project(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm project`."""
    parser.add_argument("run", metavar="RUN")
    parser.add_argument("--method", default="pca", help="pca, umap or tsne")
    parser.add_argument("--seed", type=int, help="default: the run's")
    parser.add_argument("--out", type=Path, metavar="FILE", help="also write the points with their rows")


def encode(options: argparse.Namespace) -> None:
    """Write mu of every row."""
    import numpy as np

    if options.out.suffix != ".npy":
        raise ConfigError("a file that ends in .npy", repr(options.out.name))
    z = load_model(options.run).encode(read_frame(options.data))
    with appearing(options.out) as temporary:
        np.save(temporary, z)
    print(f"{options.out}: {z.shape[0]} rows x {z.shape[1]} dimensions", file=sys.stderr)


def decode(options: argparse.Namespace) -> None:
    """Write the rows of latents."""
    check_ending(options.out)
    z = _read_latents(options.latents)
    model = load_model(options.run)
    size = model.config.latent.size
    if z.ndim != 2 or z.shape[1] != size:
        raise DataError(f"latents of shape (n, {size})", str(z.shape), "encode with the same run")
    rows = model.decode(z, greedy=not options.draw, seed=options.seed)
    _write(options.out, rows)


def interpolate(options: argparse.Namespace) -> None:
    """Write the rows decoded along the path between two rows."""
    if options.out:
        check_ending(options.out)
    model = load_model(options.run)
    row_a, row_b = _row(options, options.row_a), _row(options, options.row_b)
    _write(options.out, model.interpolate(row_a, row_b, steps=options.steps, mode=options.mode))


def project(options: argparse.Namespace) -> None:
    """Lay out real and generated latents together; kept in the run, where the app looks for it."""
    from difflm.map_data import build_map, read_latents
    from difflm.projection import METHODS, cached, kept_path

    if options.method not in METHODS:
        raise ConfigError(f"a method out of {', '.join(METHODS)}", repr(options.method))
    if options.out:
        check_ending(options.out)
    run = find_run(options.run)
    seed = int(run.config.get("seed", 0)) if options.seed is None else options.seed
    latents = read_latents(run.path)
    made = cached(run.path / "latents", latents.all, options.method, seed)
    print(kept_path(run.path / "latents", latents.all, options.method, seed))
    print(f"{len(made.points)} points, {made.seconds:.1f} s, {made.note}", file=sys.stderr)
    if options.out:
        drawn = build_map(latents, made.points, options.method)
        table = drawn.rows.copy()
        table.insert(0, "map_x", made.points[:, 0])
        table.insert(1, "map_y", made.points[:, 1])
        table.insert(2, "map_kind", drawn.kind)
        _write(options.out, table)


def _read_latents(path: Path) -> np.ndarray:
    import numpy as np

    try:
        return np.atleast_2d(np.load(path, allow_pickle=False)).astype(np.float32)
    except (OSError, ValueError, EOFError) as error:
        raise DataError(f"latents in {path}", str(error).splitlines()[0], "use `difflm encode`") from error


def _row(options: argparse.Namespace, text: str) -> Any:
    """One row as a frame (by number) or as a mapping (JSON)."""
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if isinstance(value, dict):
        return value
    if not isinstance(value, int) or isinstance(value, bool):
        raise ConfigError("a row number or a JSON object", repr(text), "for example 0, or '{\"age\": 40}'")
    rows = _rows(options)
    if not 0 <= value < len(rows):
        raise ConfigError(f"a row number from 0 to {len(rows) - 1}", text)
    return rows.iloc[[value]].reset_index(drop=True)


def _rows(options: argparse.Namespace) -> pd.DataFrame:
    if options.data:
        return read_frame(options.data)
    return read_frame(find_run(options.run).path / "data" / "train.parquet")


def _write(path: Path | None, rows: pd.DataFrame) -> None:
    rows.attrs = {}
    if path is None:
        rows.to_csv(sys.stdout, index=False)
        return
    with writing(path) as writer:
        writer.write(rows)
    print(f"{path}: {len(rows)} rows", file=sys.stderr)
