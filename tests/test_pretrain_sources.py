"""What the base models read: under which licence, as which documents, and what is generated beside."""

from __future__ import annotations

import ast
import json
from email.message import Message
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from difflm.formats.table import CompactFormat, JsonFormat
from difflm.pretrain import generator, licences, reading, sources, tables, trees
from difflm.pretrain.documents import seeded
from difflm.pretrain.tools import SHAPES, tool_documents
from difflm.pretrain.words import Lexicon
from difflm.schema import Column, Kind, Schema

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
