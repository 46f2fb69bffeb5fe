"""What the browser gets of a map: bytes that say what they hold, colours of every kind of column, texts, marks."""

from __future__ import annotations

import gzip
import json
import struct

import numpy as np
import pandas as pd
import pytest

from difflm.latent_ops import FEW, nearest
from difflm.map_data import GRID, MapData
from difflm.projection import project
from pages.shared.canvas_map import Behaviour, hover_texts, packed
from pages.shared.colouring import KIND, STEPS, colouring
from pages.shared.maps import places
from pages.shared.palette import DARK_PALETTE, LIGHT_PALETTE


def some_map(n: int = 30, m: int = 10) -> MapData:
    rng = np.random.default_rng(0)
    rows = pd.DataFrame(
        {
            "kind": rng.choice(["a", "b"], n + m),
            "name": [f"<b>{i}</b>" for i in range(n + m)],
            "size": rng.normal(size=n + m),
            "few": rng.integers(0, 3, n + m),
        }
    )
    rows.loc[3, ["kind", "size"]] = None
    rows.loc[4, "size"] = np.inf
    points = rng.normal(size=(n + m, 2)).astype(np.float32)
    ids = [f"r{2 * i}" for i in range(n)] + [f"s{i}" for i in range(m)]
    return MapData(points, rows, np.array(["real"] * n + ["synthetic"] * m), ids, 100, "pca")


def read(content: bytes) -> tuple[dict, np.ndarray, np.ndarray, np.ndarray, list[str]]:
    (size,) = struct.unpack("<I", content[:4])
    header = json.loads(content[4 : 4 + size])
    n, at = header["n"], 4 + size
    xy = np.frombuffer(content, "<f4", 2 * n, at).reshape(n, 2)
    numbers = np.frombuffer(content, "<u4", n, at + 8 * n)
    codes = np.frombuffer(content, np.uint8, n, at + 12 * n)
    end = at + 13 * n + header["texts"]
    texts = gzip.decompress(content[at + 13 * n : end]).decode().split("\x1e")
    assert len(content) == end + (header["crowd"]["side"] ** 2 if header["crowd"] else 0)
    return header, xy, numbers, codes, texts


def test_a_sample_lies_over_a_shade_of_all_points() -> None:
    whole, data = some_map(), some_map().sampled(20)
    content = packed("m", data, colouring(data, LIGHT_PALETTE, KIND), hover_texts(data.rows), Behaviour())
    header, *_ = read(content)
    assert header["n"] == 20 and header["crowd"]["side"] == GRID and data.crowd is not None
    assert header["crowd"]["box"] == pytest.approx([*whole.points.min(0), *whole.points.max(0)])
    assert (data.crowd.shade > 0).sum() == 40, "forty points in as many squares"
    left, _, right, high = data.crowd.box
    x, y = whole.points[whole.points[:, 1].argmax()]
    assert y == pytest.approx(high) and data.crowd.shade[0, int((x - left) / (right - left) * GRID)] > 0
    assert whole.sampled(40).crowd is None


@pytest.mark.parametrize("color", [KIND, "kind", "name", "size", "few"])
@pytest.mark.parametrize("palette", [LIGHT_PALETTE, DARK_PALETTE])
def test_every_colour_comes_back_from_the_bytes(color: str, palette: object) -> None:
    data = some_map()
    content = packed("m", data, colouring(data, palette, color), hover_texts(data.rows), Behaviour())  # type: ignore[arg-type]
    header, xy, numbers, codes, texts = read(content)
    assert header["real"] == 30 and (xy == data.points).all()
    assert numbers.tolist() == [int(one[1:]) for one in data.ids]
    assert codes.max() < len(header["colours"]) <= 256
    assert len(texts) == 40 and "kind: –" in texts[3]
    known = {entry["code"] for entry in header["legend"]} - {None}
    assert known <= set(range(len(header["colours"])))
    if color == "size":
        assert header["bar"]["count"] == STEPS and codes[3] == codes[4] == STEPS
    else:
        assert header["bar"] is None and set(codes.tolist()) <= known


def test_a_column_of_one_value_or_of_none_has_a_colour() -> None:
    data = some_map()
    for values in (pd.Series([None] * 40, dtype="float64"), pd.Series([1.0] * 40)):
        made = colouring(data, LIGHT_PALETTE, "x", values)
        assert len(made.codes) == 40 and made.legend


def test_a_large_map_stays_small() -> None:
    data = some_map(15_000, 5_000)
    content = packed("m", data, colouring(data, LIGHT_PALETTE, "size"), hover_texts(data.rows), Behaviour())
    assert len(content) < 900_000


def test_marks_of_points_that_are_not_on_the_map_are_left_out() -> None:
    data = some_map()
    found = places(data, [("r4", "A"), ("r5", "B"), (None, "")])
    assert [letter for _, letter in found] == ["A"] and (found[0][0] == data.points[2]).all()


def test_the_nearest_of_few_are_those_of_many() -> None:
    rng = np.random.default_rng(0)
    z, asked = (rng.normal(size=(n, 16)).astype(np.float32) for n in (300, FEW + 20))
    few = [nearest(z, asked[i : i + 5], 4) for i in range(0, len(asked), 5)]
    distances, indices = nearest(z, asked, 4)
    assert (np.concatenate([i for _, i in few]) == indices).all()
    np.testing.assert_allclose(np.concatenate([d for d, _ in few]), distances, rtol=1e-4)


@pytest.mark.parametrize("shape", [(200, 16), (50, 2), (20, 1)])
def test_pca_is_that_of_scikit_learn(shape: tuple[int, int]) -> None:
    from sklearn.decomposition import PCA

    x = np.random.default_rng(1).normal(size=shape).astype(np.float32) * np.linspace(
        3, 1, shape[1], dtype=np.float32
    )
    points = project(x, "pca").points
    wanted = PCA(min(2, shape[1]), svd_solver="full").fit_transform(x)
    np.testing.assert_allclose(points[:, : shape[1]], wanted, atol=1e-3)


def test_drawings_of_a_report_are_escaped_and_leave_the_rest_out() -> None:
    from pages.shared.drawings import _card

    column = {
        "name": "<script>",
        "error": 3.0,
        "labels": ["<b>", "b", "(9 more)"],
        "real": [0.1, 0.1, 0.8],
        "synthetic": [0.2, 0.1, 0.7],
    }
    drawn = _card(column, LIGHT_PALETTE)
    assert "<script>" not in drawn and "<b>&lt;" in drawn and "9 more not shown" in drawn
    assert drawn.count("<rect") == 4
