"""The corpus of the base models: what is read, under which licence, what is made, and how it lies on disk."""

from __future__ import annotations

import ast
import dataclasses
import json
from collections import Counter
from email.message import Message
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from difflm.errors import RunError
from difflm.formats.table import CompactFormat, JsonFormat
from difflm.pretrain import corpus, documents, gathering, generator, licences, reading, sources, tables, trees
from difflm.pretrain.corpus import Corpus
from difflm.pretrain.documents import HELD_OUT, KINDS, Document, seeded
from difflm.pretrain.packing import pack
from difflm.pretrain.sizes import SHARES, SIZES
from difflm.pretrain.tokenizer import SPECIAL, for_transformers, train_tokenizer
from difflm.pretrain.tools import SHAPES, tool_documents
from difflm.pretrain.words import Lexicon
from difflm.schema import Column, Kind, Schema

SMALL = dataclasses.replace(SIZES["tiny"], vocabulary=600, length=96, characters=300_000)
WORDS = Lexicon.of(["some words to draw from, and a few more of them", "A whole sentence to quote from."])
SOURCE = '''#!/usr/bin/env python
# Copyright 2020 Somebody
# Licensed under the MIT licence

"""A module about areas of plane figures, with a docstring that is long enough to become a text of its own: it goes
on for two hundred characters and more, so that nobody can say that there was too little of it here to learn from."""


def area(width: float, height: float = 1.0) -> float:
    """The area of a rectangle with these sides.

    :param width: one side
    """
    return width * height


class Square:
    """A square."""

    def side(self):
        """Length of one of the four sides."""
        return 4
'''


def metadata(**fields: list[str]) -> Message:
    made = Message()
    for name, values in fields.items():
        for value in values:
            made[name.replace("_", "-")] = value
    return made


@pytest.mark.parametrize(
    ("fields", "expression", "wanted"),
    [
        ({"License_Expression": ["MIT"]}, "MIT", True),
        ({"License_Expression": ["Apache-2.0 OR BSD-2-Clause"]}, "Apache-2.0 OR BSD-2-Clause", True),
        ({"License_Expression": ["GPL-3.0-only OR MIT"]}, "GPL-3.0-only OR MIT", True),
        ({"License_Expression": ["MIT AND GPL-3.0-only"]}, "MIT AND GPL-3.0-only", False),
        ({"License_Expression": ["(MIT OR X) AND ISC"]}, "(MIT OR X) AND ISC", False),
        ({"License_Expression": ["Apache-2.0 WITH LLVM-exception"]}, "Apache-2.0 WITH LLVM-exception", True),
        ({"License": ["Apache 2.0 License"]}, "Apache-2.0", True),
        ({"License": ["MPL-2.0 AND MIT"]}, "MPL-2.0 AND MIT", False),
        (
            {"License": ["BSD-3-Clause"], "Classifier": ["License :: OSI Approved :: BSD License"]},
            "BSD-3-Clause",
            True,
        ),
        (
            {"License": ["MIT"], "Classifier": ["License :: OSI Approved :: GNU General Public License"]},
            "",
            False,
        ),
        ({"Classifier": ["License :: OSI Approved", "Topic :: Software"]}, "", False),
        ({"License": ["Permission is hereby granted " * 20]}, "", False),
        ({}, "", False),
    ],
)
def test_only_permissive_licences_are_accepted(
    fields: dict[str, list[str]], expression: str, wanted: bool
) -> None:
    found = licences.declared(metadata(**fields))
    assert licences.accepted(found) == wanted
    assert not expression or found == expression


def test_a_file_that_names_another_licence_is_not_read(tmp_path: Path) -> None:
    for number, head in enumerate(
        ["# GNU General Public License", "# under the LGPL", "# Mozilla Public License"]
    ):
        path = tmp_path / f"{number}.py"
        path.write_text(f"{head}\nx = 1\n")
        assert sources.read(path) is None
    free = tmp_path / "free.py"
    free.write_bytes("\ufeff# MIT\r\nx = 'é'\r\n".encode())
    assert sources.read(free) == "# MIT\nx = 'é'\n"
    (tmp_path / "binary.py").write_bytes(b"a\0b")
    (tmp_path / "latin.py").write_bytes(b"# \xe9\n")
    assert sources.read(tmp_path / "binary.py") is sources.read(tmp_path / "latin.py") is None


def test_installed_packages_are_kept_or_refused_by_their_licence() -> None:
    kept, refused = sources.installed()
    assert all(licences.accepted(source.licence) for source in kept)
    assert not any(licences.accepted(one.licence) for one in refused)
    names = {source.name.lower() for source in kept}
    assert "pandas" in names and "hypothesis" in {one.name for one in refused} and "difflm" not in names
    pandas = next(source for source in kept if source.name == "pandas")
    assert pandas.version == pd.__version__ and "pandas/core/frame.py" in pandas.files
    assert not any("/tests/" in name for name in pandas.files)


@pytest.fixture(scope="module")
def opened() -> list[Path]:
    """Files that were read while documents were gathered."""
    return []


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of benchmark data."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "secret.py").write_text("def secret():\n    return 'adult'\n" * 10)
    return folder


@pytest.fixture(scope="module")
def gathered(opened: list[Path], secret: Path) -> gathering.Gathered:
    read_bytes = Path.read_bytes

    def noted(path: Path) -> bytes:
        opened.append(path)
        return read_bytes(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFLM_DATA", str(secret))
        patch.setattr(Path, "read_bytes", noted)
        return gathering.gather(SMALL, seed=0)


def test_benchmark_data_are_never_read(
    gathered: gathering.Gathered, opened: list[Path], secret: Path
) -> None:
    """Neither by name in the code, nor by a path that is opened while documents are gathered."""
    for path in Path(sources.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        told = ast.get_docstring(tree, clean=False)
        assert not any("DIFFLM_DATA" in text for text in texts if text != told), path.name
        imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        readers = {"difflm.data", "difflm.data.paper", "difflm.data.builtin", "difflm.data.readers"}
        assert not imported & readers, path.name
    listed = {path for source in gathered.used for path in source.files.values()}
    assert opened and set(opened) <= listed
    assert not any(path.is_relative_to(secret) for path in [*listed, *opened])


def test_workers_make_little_that_nobody_takes() -> None:
    made: list[int] = []
    with ThreadPool(2) as pool:
        results = gathering._ahead(pool, lambda n: made.append(n) or n, range(1000), 4)
        assert [next(results) for _ in range(10)] == list(range(10))
    assert len(made) <= 14
    with ThreadPool(2) as pool:
        assert list(gathering._ahead(pool, str, range(7), 4)) == list("0123456")


def test_every_kind_is_gathered_up_to_its_share(gathered: gathering.Gathered) -> None:
    for kind in KINDS:
        documents = gathered.documents[kind]
        amount = sum(len(d.text) + len(d.before) for d in documents)
        longest = max(len(d.text) + len(d.before) for d in documents)
        assert 0.5 * SMALL.share(kind) < amount <= SMALL.share(kind) + longest, kind
        assert all(document.kind == kind for document in documents)
    assert sum(SHARES.values()) == pytest.approx(1)
    both = {document.source for document in gathered.documents["copy"]}
    assert generator.SOURCE in both and "python" in both


def test_the_same_seed_gathers_the_same_documents(
    gathered: gathering.Gathered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "standard_library", lambda: gathered.used[0])
    monkeypatch.setattr(sources, "installed", lambda: (gathered.used[1:], gathered.refused))
    assert gathering.gather(SMALL, seed=0).documents == gathered.documents
    assert gathering.gather(SMALL, seed=1).documents["table"] != gathered.documents["table"]


def test_documents_of_one_origin_are_held_out_together() -> None:
    origins = [Document("code", str(i), "python", f"file {i // 3}") for i in range(30_000)]
    by_origin: dict[str, set[bool]] = {}
    for document in origins:
        by_origin.setdefault(document.origin, set()).add(document.held_out)
    assert all(len(sides) == 1 for sides in by_origin.values())
    assert sum(map(any, by_origin.values())) == pytest.approx(len(by_origin) / HELD_OUT, rel=0.3)


def test_a_python_file_becomes_code_texts_and_definitions() -> None:
    kinds: dict[str, list[str]] = {}
    for name in map(str, range(20)):
        for document in reading.read_python(SOURCE, "python", f"python/{name}.py"):
            ast.parse(document.text) if document.kind == "code" else None
            kinds.setdefault(document.kind, []).append(document.text)
    assert set(kinds) == {"code", "text", "tool"} or set(kinds) == {"code", "text", "tool", "pair"}
    assert not any("Copyright" in text for text in kinds["code"])
    assert any(text.startswith('"""A module') for text in kinds["code"]), "a whole file"
    assert any(text.startswith("def area") for text in kinds["code"]), "a function"
    assert all(text.startswith("A module about areas") for text in kinds["text"])
    assert reading.read_python("x = (", "python", "broken") == []
    assert reading.read_python("x = [" + "1234567890, " * 30 + "]", "python", "numbers") == []


def test_prose_is_cut_at_paragraphs() -> None:
    paragraphs = [f"Paragraph {i} " + "of words " * 60 for i in range(40)]
    documents = reading.read_prose("\n\n".join(paragraphs), "python", "README")
    assert len(documents) > 2 and max(len(d.text) for d in documents) <= reading.LONGEST_TEXT
    assert "\n\n".join(d.text for d in documents) == "\n\n".join(paragraphs).strip()


def test_definitions_come_in_every_shape_and_are_json() -> None:
    node = ast.parse(SOURCE).body[1]
    assert isinstance(node, ast.FunctionDef)
    shapes = set()
    for place in range(300):
        for document in tool_documents(node, "python", f"python/figures/{place}.py"):
            for line in document.text.split("\n{") if document.kind == "pair" else [document.text]:
                value = json.loads(line if line.startswith("{") else "{" + line)
                assert "rectangle" in json.dumps(value) and "width" in json.dumps(value)
                shapes.add(tuple(sorted(value)))
    assert len(shapes) >= len(SHAPES)
    private = ast.parse("def _hidden(x):\n    '''Something that nobody calls.'''").body[0]
    assert isinstance(private, ast.FunctionDef) and tool_documents(private, "python", "p/x.py") == []


@pytest.mark.parametrize("kind", generator.MAKERS)
def test_a_generated_document_depends_on_its_number_alone(kind: str) -> None:
    make = generator.MAKERS[kind]
    alone = make(3, 41, WORDS, 500)
    assert [make(3, number, WORDS, 500) for number in range(60)][41] == alone
    assert len({make(3, number, WORDS, 500).text for number in range(60)}) > 55
    assert make(4, 41, WORDS, 500) != alone


def test_generated_json_is_valid() -> None:
    for number in range(200):
        rng = seeded("json", number)
        schema = trees.make_schema(rng, WORDS)
        document = trees.make_document(schema, rng)
        assert json.loads(json.dumps(document)) == document
        assert trees.shuffled(document, rng) == document
        told = trees.json_schema(schema, WORDS, rng)
        assert told["type"] == "object" and set(document) <= set(told["properties"])


cells = st.none() | st.text(min_size=0, max_size=12)


@given(st.lists(cells, min_size=1, max_size=5))
def test_compact_rows_are_those_of_the_compact_format(row: list[str | None]) -> None:
    columns = [Column(name=str(i), kind=Kind.text, missing=True) for i in range(len(row))]
    form = CompactFormat(Schema(columns=columns))
    record = {column.name: cell for column, cell in zip(columns, row, strict=True)}
    text = tables.as_compact(row)
    assert text == form.write(record) and form.read(text) == record


def test_tables_are_written_in_forms_that_read_back() -> None:
    for number in range(100):
        rng = seeded("table", number)
        table = tables.make_table(rng, WORDS, 5, 6)
        objects = [json.loads(tables.as_object(table, row)) for row in range(table.rows)]
        assert [list(value) for value in objects] == [table.names] * 5
        again = table.shuffled(rng)
        assert [json.loads(tables.as_object(again, row)) for row in range(5)] == objects
        columns = [Column(name=name, kind=Kind.text, missing=True) for name in table.names]
        if not any(column.bare for column in table.columns):
            form = JsonFormat(Schema(columns=columns))
            assert form.write(objects[0]) == tables.as_object(table, 0)
        for form_of, _ in tables.FORMS.values():
            assert form_of(table, rng).strip()


@pytest.fixture(scope="module")
def tokenizer(gathered: gathering.Gathered):  # type: ignore[no-untyped-def]
    return train_tokenizer((d.text for d in gathered.documents["code"]), 500)


@given(text=st.text(max_size=60))
def test_any_text_comes_back_exactly(tokenizer, text: str) -> None:  # type: ignore[no-untyped-def]
    text = text.encode("utf-8", "ignore").decode()
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text
    assert not set(ids) & set(range(len(SPECIAL))), "special tokens in a text are plain text"


def test_digits_stand_alone_and_no_space_is_added(tokenizer, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    digits = {tokenizer.token_to_id(str(digit)) for digit in range(10)}
    ids = tokenizer.encode('{"a": 1234, "b": -56.70}').ids
    assert sum(token in digits for token in ids) == 8
    pieces = tokenizer.get_vocab()
    assert all(sum(c.isdigit() for c in piece) <= 1 for piece in pieces) and len(pieces) == 500
    value = [tokenizer.encode(text).ids for text in ("clerk", '"clerk"', ",clerk,")]
    assert all(str(value[0])[1:-1] in str(one) for one in value), (
        "a value has the same tokens in every format"
    )
    assert tokenizer.encode("<|eos|> <|bos|>").ids[0] >= len(SPECIAL)

    from transformers import AutoTokenizer

    for_transformers(tokenizer, 256).save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert (loaded.bos_token_id, loaded.eos_token_id, loaded.pad_token_id) == (0, 1, 2)
    text = " def f(x):\n\treturn 'naïve' + x[12]\n"
    assert loaded(text)["input_ids"] == tokenizer.encode(text).ids
    assert loaded.decode(loaded(text)["input_ids"]) == text


@given(
    sizes=st.lists(st.integers(2, 40), min_size=1, max_size=40),
    length=st.integers(4, 16),
    seed=st.integers(0, 3),
)
def test_packing_predicts_every_token_once(sizes: list[int], length: int, seed: int) -> None:
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    tokens = np.arange(1, bounds[-1] + 1, dtype=np.uint16)
    windows = pack(tokens, bounds[:-1], np.array(sizes), length, 0, seed)
    predicted: Counter[int] = Counter()
    for window in windows.pieces:
        assert 0 < sum(size for _, size in window) <= length + 1
        for start, size in window:
            predicted.update(range(start + 1, start + size))
    firsts = set(bounds[:-1].tolist())
    assert predicted == Counter(i for i in range(len(tokens)) if i not in firsts)
    whole = {piece for window in windows.pieces for piece in window}
    wanted = zip(bounds[:-1].tolist(), sizes, strict=True)
    assert all((start, size) in whole for start, size in wanted if size <= length + 1)
    again = pack(tokens, bounds[:-1], np.array(sizes), length, 0, seed)
    assert again.pieces == windows.pieces


@pytest.fixture(scope="module")
def built(gathered: gathering.Gathered, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "gather", lambda *rest: gathered)
        patch.setattr(documents, "HELD_OUT", 20)
        folder = tmp_path_factory.mktemp("work") / "corpus"
        return corpus.open_or_build(folder, SMALL, 0, 1, lambda text: None)


def test_the_corpus_on_disk_holds_every_document(built: Corpus, gathered: gathering.Gathered) -> None:
    tokenizer, kinds = built.tokenizer, built.manifest["kinds"]
    assert sum(told["tokens"] for told in kinds.values()) == len(built.tokens) == built.bounds[-1]
    for number, kind in enumerate(KINDS):
        places = np.flatnonzero(built.kinds == number)
        assert kinds[kind]["documents"] == len(places)
        kept = [tuple(built.tokens[built.bounds[i] : built.bounds[i + 1]].tolist()) for i in places[:20]]
        if kind in ("code", "tool", "text", "table", "json"):
            for ids, document in zip(kept, gathered.documents[kind], strict=False):
                assert ids[0] == built.special("<|bos|>") and ids[-1] == built.special("<|eos|>")
                assert tokenizer.decode(list(ids[1:-1]), skip_special_tokens=False) == document.text
    assert 0.01 < built.held.mean() < 0.2
    told = {source["name"]: source for source in built.manifest["sources"]}
    assert told["python"]["licence"] == "PSF-2.0" and told["generator"]["documents"] > 0
    assert all(licences.accepted(source["licence"]) for source in told.values())


def test_a_copy_stands_behind_what_it_is_told_by(built: Corpus, gathered: gathering.Gathered) -> None:
    bos, tokenizer = built.special("<|bos|>"), built.tokenizer
    by_text = {d.text: d for d in gathered.documents["copy"]}
    seen = Counter[str]()
    for i in np.flatnonzero(built.kinds == KINDS.index("copy")):
        ids = built.tokens[built.bounds[i] : built.bounds[i + 1]].tolist()
        assert len(ids) <= SMALL.length + 1 and ids.count(bos) == 1
        before, after = ids[: ids.index(bos)], ids[ids.index(bos) + 1 : -1]
        document = by_text.get(tokenizer.decode(after, skip_special_tokens=False))
        if document is None:
            continue
        seen[document.prefix] += 1
        if document.prefix == "same":
            assert before == after
        elif document.prefix == "shuffled":
            assert sorted(before) == sorted(after)
        elif document.prefix == "thinned":
            assert not Counter(before) - Counter(after)
    assert set(seen) == {"other", "same", "shuffled", "thinned"}


def test_training_and_held_out_windows_do_not_meet(built: Corpus) -> None:
    def covered(windows) -> set[int]:  # type: ignore[no-untyped-def]
        return {i for w in windows.pieces for start, size in w for i in range(start, start + size)}

    training = covered(built.training(96, 0))
    held = set().union(*(covered(built.held_out(kind, 96, 10**6)) for kind in KINDS))
    assert not training & held
    assert len(training) + len(held) >= 0.999 * len(built.tokens)
    few = built.held_out("table", 96, 300)
    assert 0 < sum(size for w in few.pieces for _, size in w) <= 300 + 2000


def test_an_existing_corpus_is_used_again_only_for_its_own_settings(
    built: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "build", lambda *rest: "built anew")
    found = corpus.open_or_build(built.folder, SMALL, 0, 1, lambda text: None)
    assert found.manifest == built.manifest
    assert corpus.open_or_build(built.folder, SMALL, 1, 1, lambda text: None) == "built anew"
    with pytest.raises(RunError, match="the corpus that the training began with"):
        corpus.open_or_build(built.folder, SMALL, 1, 1, lambda text: None, resume=True)
    monkeypatch.setattr(corpus, "FORMAT", corpus.FORMAT + 1)
    with pytest.raises(RunError, match="a corpus of format"):
        Corpus(built.folder)
