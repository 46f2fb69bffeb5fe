"""Metrics of documents: best on identical sets, worst on disjoint ones, in between in between; odd documents."""

from __future__ import annotations

import json
import os
import random
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from difflm.document_evaluation import evaluate_documents
from difflm.errors import ConfigError, DataError
from difflm.metrics.documents import (
    DocumentBench,
    DocumentKind,
    document_metric_names,
    resolve,
    shuffled,
)
from difflm.metrics.documents.base import KINDS
from difflm.metrics.documents.shapes import find_maps, spell, walk
from difflm.report import Report

NOUNS = ["price", "weather", "city", "user", "order", "flight", "score", "movie", "track", "recipe", "team"]
VERBS = ["get", "find", "list", "update", "remove", "count", "merge", "rank", "check", "export"]


def snippet(rng: random.Random) -> str:
    """A small function; loops, conditions and numbers vary."""
    verb, noun = rng.choice(VERBS), rng.choice(NOUNS)
    lines = [
        f"def {verb}_{noun}(items, limit={rng.randint(0, 999)}):",
        f'    """{verb.title()} every {noun}: case {rng.randint(0, 10**6)} of {rng.randint(0, 10**6)}."""',
    ]
    if rng.random() < 0.5:
        lines += ["    total = 0", "    for item in items:", f"        total += item * {rng.randint(2, 99)}"]
    else:
        lines += [f"    total = sum(x + {rng.randint(2, 99)} for x in items if x > limit)"]
    if rng.random() < 0.4:
        lines += [f"    if total > {rng.randint(100, 999)}:", f"        raise ValueError('{noun}')"]
    return "\n".join([*lines, "    return total", ""])


def tool(rng: random.Random) -> str:
    """A function definition with nought to four parameters."""
    verb, noun = rng.choice(VERBS), rng.choice(NOUNS)
    names = rng.sample([f"{a}_{b}" for a in NOUNS for b in VERBS], rng.randint(0, 4))
    properties: dict[str, Any] = {}
    for name in names:
        properties[name] = {"type": rng.choice(["string", "integer", "number"]), "description": f"The {name}"}
        if rng.random() < 0.3:
            properties[name]["enum"] = rng.sample(["asc", "desc", "none"], 2)
    document = {
        "name": f"{verb}_{noun}_{rng.randint(0, 9999)}",
        "description": f"{verb.title()} the {noun} {rng.choice(['now', 'soon', 'again'])}, limit {rng.randint(1, 99)}",
        "parameters": {
            "type": "object",
            "properties": properties,
            "required": names[: rng.randint(0, len(names))],
        },
    }
    return json.dumps(document)


def sentence(rng: random.Random) -> str:
    return " ".join([rng.choice(VERBS + NOUNS) for _ in range(rng.randint(4, 20))]).capitalize() + "."


MAKE = {"code": snippet, "tool": tool, "text": sentence}
FOREIGN = {
    "code": [f"import K{n}\n" * 90 for n in range(60)],
    "tool": [json.dumps([[[None, True, n]], [[0.5, [n] * 300]]]) for n in range(60)],
    "text": [f"Ψ{n}Ω\n漢{n}字\n" * 40 for n in range(60)],
}
ERRORS = {
    "code": ["length_characters", "length_tokens", "node_types", "node_counts"],
    "tool": ["length_characters", "length_tokens", "key_shape", "key_presence", "value_types"],
    "text": ["length_characters", "length_tokens", "characters", "words"],
}
SCHEMA = {
    "type": "object",
    "required": ["name", "description", "parameters"],
    "properties": {"name": {"type": "string"}, "parameters": {"type": "object"}},
}


def texts(record: DocumentKind, n: int, seed: int) -> list[str]:
    rng = random.Random(seed)
    return [MAKE[record](rng) for _ in range(n)]


def bench_of(record: DocumentKind, n: int = 300) -> DocumentBench:
    schema = SCHEMA if record == "tool" else None
    return DocumentBench.build(record, texts(record, n, 1), texts(record, n // 2, 2), json_schema=schema)


def scores_of(bench: DocumentBench, documents: list[str]) -> dict[str, float | None]:
    result: dict[str, float | None] = {}
    for name in document_metric_names(bench.record):
        result |= resolve(name)().compute(bench, documents).scores
    return result


@pytest.mark.parametrize("record", KINDS)
def test_identical_is_best_disjoint_is_worst_and_fresh_lies_between(record: DocumentKind) -> None:
    bench = bench_of(record)
    copy, fresh = scores_of(bench, list(bench.training)), scores_of(bench, texts(record, 300, 9))
    apart = scores_of(bench, FOREIGN[record])
    for name in ERRORS[record]:
        assert copy[name] == 0, name
        assert apart[name] == pytest.approx(100, abs=1e-9) or (name == "node_counts" and apart[name] > 30), (
            name
        )
        assert 0 < fresh[name] < apart[name] / 3, name
    assert copy["near_copies"] == copy["exact_copies"] == 1
    assert apart["near_copies"] == apart["exact_copies"] == 0
    assert fresh["near_copies"] < 0.2 and fresh["exact_copies"] < 0.2
    assert copy["raw_validity"] == copy["parses"] == fresh["parses"] == 1
    assert copy["exact_copies_holdout"] == apart["exact_copies_holdout"]


@pytest.mark.parametrize("record", KINDS)
def test_errors_grow_with_the_share_of_foreign_documents(record: DocumentKind) -> None:
    bench = bench_of(record)
    mixes = [texts(record, 60, 9)[: 60 - n] + FOREIGN[record][:n] for n in (0, 20, 40, 60)]
    scores = [scores_of(bench, mix) for mix in mixes]
    for name in ERRORS[record]:
        values = [one[name] for one in scores]
        assert values == sorted(values), name


@pytest.mark.parametrize("record", KINDS)
def test_every_figure_is_described_and_within_its_bounds(record: DocumentKind) -> None:
    bench = bench_of(record, 60)
    for name in document_metric_names(record):
        metric = resolve(name)()
        for documents in (bench.training, texts(record, 30, 5), FOREIGN[record], ["", "\0", "x"]):
            scores = metric.compute(bench, documents).scores
            assert list(scores) == [figure.name for figure in metric.figures()]
            for figure in metric.figures():
                low, high = figure.bounds
                value = scores[figure.name]
                assert figure.meaning and high is not None
                assert value is None or low <= value <= high + 1e-9, figure.name


def test_names_and_kinds_are_checked() -> None:
    with pytest.raises(ConfigError, match="key_shape"):
        resolve("nothing")
    with pytest.raises(ConfigError, match="tool, code, text"):
        DocumentBench.build("table", ["x"], ["y"])  # type: ignore[arg-type]
    with pytest.raises(DataError, match="unseen real"):
        DocumentBench.build("text", ["x"], [])


@pytest.mark.parametrize("record", KINDS)
def test_a_report_has_its_rows_and_reads_back(record: DocumentKind) -> None:
    real = texts(record, 120, 1)
    steps: list[float] = []
    report = evaluate_documents(
        record,
        texts(record, 60, 3),
        real[:80],
        real[80:],
        json_schema=SCHEMA if record == "tool" else None,
        raw_validity=0.75,
        extra={"posterior": real[80:], "decoder_alone": None},
        latent={"kl": 3.0, "active": 2, "reconstruction": 0.5},
        data_name="toy",
        on_progress=lambda done, _: steps.append(done),
    )
    assert [row.name for row in report.rows] == ["generated", "posterior", "holdout", "independent", "copy"]
    assert report.score("raw_validity") == 0.75 and report.score("parses") == 1
    assert report.score("exact_copies", "copy") == 1 and report.score("near_copies", "copy") == 1
    for row in report.rows:
        assert set(row.scores) == {figure.name for figure in report.figures}
    for name in ERRORS[record][2:]:
        assert report.score(name, "independent") == pytest.approx(0, abs=5), (
            "parts are right without relations"
        )
    again = Report.from_dict(json.loads(report.to_json()))
    assert again.to_json() == report.to_json()
    assert "toy" in report.summary() and "Prior gap" in report.summary()
    page = report.to_html()
    assert "length in characters" in page and "Closest pairs" in page
    assert steps == sorted(steps) and steps[-1] == 1


def test_the_same_seed_gives_the_same_figures() -> None:
    real = texts("tool", 200, 1)
    parts = (texts("tool", 80, 3), real[:120], real[120:])
    reports = [evaluate_documents("tool", *parts, seed=4, max_documents=30).to_dict() for _ in range(2)]
    assert reports[0]["rows"] == reports[1]["rows"] and reports[0]["details"] == reports[1]["details"]
    assert any("at most 30" in note for note in reports[0]["notes"])


def test_evaluation_refuses_what_makes_no_sense() -> None:
    with pytest.raises(DataError, match="generated"):
        evaluate_documents("text", [], ["x"], ["y"])
    with pytest.raises(DataError, match="other"):
        evaluate_documents("text", ["x"], ["x"], ["y"], extra={"other": ["z"]})


def test_documents_that_cannot_be_read_are_counted_not_lost() -> None:
    bad = ["def f(:", "x = 1\n\ty = 2", "a\0b", "(" * 5000, "print 'two'"]
    report = evaluate_documents("code", [*bad, "x = 1"], texts("code", 30, 1), texts("code", 20, 2))
    assert report.score("parses") == report.score("raw_validity") == pytest.approx(1 / 6)
    assert any("5 of 6 records are not readable" in note for note in report.notes)
    none = evaluate_documents("code", bad, texts("code", 30, 1), texts("code", 20, 2))
    assert none.score("node_types") is None and any("no snippet" in note for note in none.notes)
    wrong = ['{"a": NaN}', '{"a": 1, "a": 2}', "{", "// x\n{}", "[" * 100_000]
    assert scores_of(bench_of("tool", 30), wrong)["parses"] == 0
    assert "\\ud800" in json.dumps(evaluate_documents("text", ["\ud800 x"], ["y z"], ["z"]).to_dict())


def test_near_copies_are_found_and_about_two_percent_of_unseen_ones_are_near() -> None:
    rng = random.Random(0)
    every = [
        "\n".join(f"total += f(v{rng.randint(0, 99)})" for _ in range(rng.randint(9, 40))) for _ in range(800)
    ]
    bench = DocumentBench.build("code", every[:400], every[400:])
    copies = resolve("copies")()
    assert copies.compute(bench, every[400:]).scores["near_copies"] == pytest.approx(0.02, abs=0.01)
    commented = [f"# written anew\n{text}" for text in every[:400]]
    assert copies.compute(bench, commented).scores["exact_copies"] == 1
    found = copies.compute(bench, [f"start = 0\n{text}" for text in every[:400]])
    assert found.scores["exact_copies"] == 0 and found.scores["near_copies"] > 0.5
    nearest = found.details["dcr"]["closest"][0]
    assert nearest["synthetic"]["code"].startswith(f"start = 0\n{nearest['real']['code'][:500]}")


def test_equally_near_holdouts_are_said() -> None:
    result = resolve("copies")().compute(
        DocumentBench.build("text", ["a b c d"], ["a b c d"] * 60), ["x y z"]
    )
    assert "100.0% of unseen" in result.notes[0] and result.scores["near_copies"] == 0


def test_maps_are_learnt_and_generalised() -> None:
    documents = [json.loads(text) for text in texts("tool", 100, 1)]
    maps = find_maps(documents)
    assert maps == {("parameters", "properties")}
    assert {spell(path) for path, _ in walk(documents[0], maps)} <= {
        "(document)",
        "name",
        "description",
        "parameters",
        *(f"parameters.{key}" for key in ("type", "properties", "required", "required[]", "properties.*")),
        *(f"parameters.properties.*.{key}" for key in ("type", "description", "enum", "enum[]")),
    }
    by_data = [{"scores": {f"player{n}": n, f"player{n + 1}": 1}} for n in range(30)]
    assert find_maps(by_data) == {("scores",)}
    assert find_maps([{"a": 1, "b": 2}] * 30) == frozenset()


def test_a_schema_decides_what_is_valid() -> None:
    bench = bench_of("tool", 30)
    good = texts("tool", 3, 4)
    assert scores_of(bench, [*good, '{"name": 3}'])["schema_valid"] == 0.75
    own = DocumentBench.build("tool", good, good, json_schema=lambda value: value["name"].startswith("get"))
    share = np.mean([json.loads(text)["name"].startswith("get") for text in good])
    assert scores_of(own, good)["schema_valid"] == pytest.approx(share)
    assert scores_of(DocumentBench.build("tool", good, good), good)["schema_valid"] is None
    for schema in ({"type": 3}, {"$ref": "https://somewhere/else.json"}, {"items": [{"$ref": "file:///x"}]}):
        with pytest.raises(DataError):
            DocumentBench.build("tool", good, good, json_schema=schema)


@pytest.mark.parametrize("record", KINDS)
def test_the_shuffled_reference_keeps_parts_and_is_no_copy(record: DocumentKind) -> None:
    bench = bench_of(record)
    reference = shuffled(bench)
    assert list(reference) == list(shuffled(bench)) and all(reference.readable)
    assert len(reference) == len(bench.training)
    scores = scores_of(bench, list(reference))
    assert scores["exact_copies"] < 0.05
    for name in {"node_types", "key_shape", "value_types", "characters", "words"} & set(ERRORS[record]):
        assert scores[name] == pytest.approx(0, abs=3)


@pytest.mark.parametrize(
    ("record", "file", "column"), [("tool", "tools/toolbench_apis", "text"), ("code", "code/mbpp", "code")]
)
def test_real_halves_are_close(record: DocumentKind, file: str, column: str) -> None:
    root = os.environ.get("DIFFLM_DATA")
    if not root or not (Path(root) / f"{file}.parquet").exists():
        pytest.skip(f"DIFFLM_DATA names no folder with {file}.parquet")
    every = list(pd.read_parquet(Path(root) / f"{file}.parquet")[column].sample(600, random_state=0))
    report = evaluate_documents(record, every[450:], every[:300], every[300:450])
    assert report.score("parses") == 1 and report.score("exact_copies") < 0.03
    assert report.score("near_copies") < 0.08
    for name in ERRORS[record][2:]:
        assert report.score(name) < 6, name
