"""What metrics of documents are made of: reading code and JSON, similarity, reconstruction."""

from __future__ import annotations

import ast
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.errors import DataError
from difflm.metrics.documents import Documents, code_right, documents_right, json_leaves_right, text_right
from difflm.metrics.documents.base import KINDS
from difflm.metrics.documents.rebuilt import edit_distance, edit_similarity
from difflm.metrics.documents.shapes import UNREADABLE, leaves, name_of, parameter_count, read_json
from difflm.metrics.documents.similarity import Base, shingles
from difflm.metrics.documents.syntax import lexemes, read_code

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def test_layout_comments_and_key_order_make_no_other_document() -> None:
    a = "def f(x):\n    # why\n    return {'a': x,\n            'b': 0x10}\n"
    b = 'def f(x): return {"a": x, "b": 16}'
    assert Documents("code", [a]).keys == Documents("code", [b]).keys
    for other in (
        "def f(y): return {'a': y, 'b': 16}",
        "def f(x): return {'a': x, 'b': 16.0}",
        "def f(x): pass",
    ):
        assert Documents("code", [a]).keys != Documents("code", [other]).keys
    assert Documents("tool", ['{"a": 1, "b": [2]}']).keys == Documents("tool", ['{"b":[2],"a":1}']).keys
    assert Documents("tool", ["[1, 2]"]).keys != Documents("tool", ["[2, 1]"]).keys
    assert Documents("text", ["a  b\n"]).keys == Documents("text", ["a b"]).keys


def test_code_keys_agree_with_ast_dump() -> None:
    sources = [path.read_text(encoding="utf-8") for path in sorted(Path(__file__).parent.glob("test_m*.py"))]
    sources += [ast.unparse(ast.parse(source)) for source in sources]
    dumps = [ast.dump(ast.parse(source)) for source in sources]
    keys = [read_code(source).key for source in sources]  # type: ignore[union-attr]
    for i in range(len(sources)):
        assert [key == keys[i] for key in keys] == [dump == dumps[i] for dump in dumps]
    tree = ast.parse(sources[0])
    counted = sum(not isinstance(node, ast.expr_context | ast.Module) for node in ast.walk(tree))
    assert read_code(sources[0]).types.total() == counted  # type: ignore[union-attr]
    assert read_code(f"x = {hex(10**6000)}") is not None


def test_lexemes_leave_comments_out_and_not_strings() -> None:
    assert lexemes("x = 'a # b'  # c\ny") == ["x", "=", "'", "a", "#", "b", "'", "y"]
    assert lexemes('"""doc\n# in it"""\n# out') == ['"', '"', '"', "doc", "#", "in", "it", '"', '"', '"']


def test_nearest_agrees_with_sets() -> None:
    rng = np.random.default_rng(0)
    make = [[str(t) for t in rng.integers(0, 6, rng.integers(0, 12))] for _ in range(80)]
    base, queries = make[:50], make[50:]

    def runs(tokens: list[str]) -> set[tuple[str, ...]]:
        return {tuple(tokens[i : i + 3]) for i in range(max(len(tokens) - 2, 1))}

    near = Base(shingles(base)).nearest(shingles(queries))
    for query, similarity, index in zip(queries, near.similarity, near.index, strict=True):
        every = [len(runs(query) & runs(one)) / len(runs(query) | runs(one)) for one in base]
        assert similarity == pytest.approx(max(every), abs=1e-6)
        assert every[index] == pytest.approx(max(every), abs=1e-6)


def test_names_and_parameters_of_known_shapes() -> None:
    assert name_of({"type": "function", "function": {"name": "f"}}) == "f"
    assert name_of({"tool_name": "T", "api_name": "A", "name": "n"}) == "T / A"
    assert name_of({"id": "i"}) == "i" and name_of([1]) is None and name_of({"name": 3}) is None
    counts = {
        '{"parameters": {"type": "object", "properties": {"a": {}, "b": {}}}}': 2,
        '{"parameters": [{"name": "a"}]}': 1,
        '{"required_parameters": [1], "optional_parameters": [1, 2]}': 3,
        '{"parameters": {}}': 0,
        '{"x": 1}': None,
        "3": None,
    }
    assert {text: parameter_count(json.loads(text)) for text in counts} == counts


@given(JSON)
@settings(deadline=None)
def test_json_reads_back_and_rebuilds_itself(value: Any) -> None:
    text = json.dumps(value)
    assert read_json(text)[0] == value
    assert json_leaves_right([text], [json.dumps(value, indent=1)]) == 1
    assert leaves(value)


@given(st.text())
@settings(deadline=None)
def test_any_text_is_read_or_refused(text: str) -> None:
    for record in KINDS:
        documents = Documents(record, [text])
        assert len(documents.keys) == len(documents.tokens) == len(documents.readable) == 1


@given(st.lists(st.sampled_from("abc"), max_size=80), st.lists(st.sampled_from("abcd"), max_size=80))
@settings(deadline=None)
def test_edit_distance_agrees_with_the_table(a: list[str], b: list[str]) -> None:
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row[0] = row[0], i
        for j, y in enumerate(b, 1):
            before, row[j] = row[j], min(row[j] + 1, row[j - 1] + 1, before + (x != y))
    assert edit_distance(a, b) == row[-1]
    assert 0 <= edit_similarity(a, b) <= 1 and edit_similarity(a, a) == 1


def test_json_leaves_right() -> None:
    real = ['{"a": 1, "b": [true, "x"], "c": {}}']
    for rebuilt, right in (
        ('{"c": {}, "b": [true, "x"], "a": 1}', 1),
        ('{"a": 1.0, "b": [true, "x"], "c": {}}', 3 / 4),
        ('{"a": true, "b": [1, "x"], "c": {}}', 2 / 4),
        ('{"a": 1, "b": [true], "c": {}}', 3 / 4),
        ('{"a": 1, "b": [true, "x", 0], "c": {}}', 4 / 5),
        ('{"a": 1, "b": [true, "x"], "c": {"d": 1}}', 3 / 5),
        ("not json", 0),
        ('{"z": 1}', 0),
    ):
        assert json_leaves_right(real, [rebuilt]) == pytest.approx(right), rebuilt
    assert json_leaves_right(real * 2, [real[0], "no"]) == 0.5
    for bad in (([], []), (real, [])):
        with pytest.raises(DataError):
            json_leaves_right(*bad)
    with pytest.raises(DataError, match="position 0"):
        json_leaves_right(["no"], ["no"])
    assert read_json("no") == (UNREADABLE, "no")


def test_code_and_text_right() -> None:
    real = ["def f(x):\n    return x + 1\n", "y = [1, 2]\n"]
    assert code_right(real, real) == {"exact": 1, "tree": 1, "tokens": 1, "nodes": 1}
    laid_out = code_right(real, ["def f(x): return (x+1) # same", "y=[1,2]"])
    assert laid_out["exact"] == 0 and laid_out["tree"] == laid_out["nodes"] == 1 and laid_out["tokens"] < 1
    near = code_right(real, ["def f(x):\n    return x + 2\n", "y = [1, 2]\n"])
    assert near["exact"] == near["tree"] == 0.5 and 0.8 < near["nodes"] < 1 and 0.9 < near["tokens"] < 1
    assert code_right(real, ["(", ")"])["nodes"] == 0
    assert text_right(["a b c", "d"], ["a b x", "d"]) == {"exact": 0.5, "tokens": pytest.approx(5 / 6)}
    assert list(documents_right(Documents("code", real), real)) == ["tokens", "nodes", "tree", "exact"]
    assert documents_right(Documents("tool", ['{"a": 1}']), ['{"a":1}']) == {"leaves": 1, "exact": 1}
    assert documents_right(Documents("text", ["a"]), ["b"])["tokens"] == 0
