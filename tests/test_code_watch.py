"""What can no more become Python is seen at the token that spoils it."""

from __future__ import annotations

import ast
import inspect

import pytest
from hypothesis import given
from hypothesis import strategies as st

from difflm.formats import code_watch, json_watch, numbers
from difflm.formats.code_watch import PATIENCE, CodeWatch, viable

SOURCES = [inspect.getsource(module) for module in (json_watch, code_watch, numbers)]


@given(st.sampled_from(SOURCES), st.floats(0, 1))
def test_every_beginning_of_python_may_be_written(source: str, share: float) -> None:
    text = source[: int(share * len(source))]
    # A word or number that is half written is judged with what may come of it.
    cut = text.rstrip("0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_.\\=!<>*+-")
    assert viable(cut), cut[-80:]


@pytest.mark.parametrize("text", ["f(a :", "if (a :", "x = f'{{}", "x = f'{a}", "{a :"])
def test_half_of_a_token_may_go_on(text: str) -> None:
    assert viable(text)


@pytest.mark.parametrize(
    "text",
    [
        "x = foo bar(",
        "x = [1, 2)",
        "x = (foo bar",
        "x = 'ab\n",
        "print 3",
        "if a:\nb",
        "def f():\n    return 1\n  x",
        "x = 1\nelse:",
        "try:\n    x\nz",
        "    x = 1",
        "(\nclass\nclass",
        "x = 5 :",
        "x = 1 }",
        "x = 1 }}",
    ],
)
def test_what_is_lost_is_refused(text: str) -> None:
    assert not viable(text)


@pytest.mark.parametrize(
    ("text", "endings"),
    [
        ("x = (1", (b")", b"\n")),
        ("x = 'a", (b"'",)),
        ('"""A doc', (b'"', b"\n")),
        ("x = 1", (b"\n",)),
        ("x = 1\n", ()),
        ("x =", ()),
    ],
)
def test_what_is_missing_ends_a_text(text: str, endings: tuple[bytes, ...]) -> None:
    watch = CodeWatch(1000)
    watch.feed(text.encode())
    assert watch.endings == endings


def test_it_ends_where_it_is_whole_and_gives_up_in_the_end() -> None:
    watch = CodeWatch(300)
    assert not watch.whole
    watch.feed(b"def f(x):\n    return ")
    assert not watch.late and watch.accepts(b"x") and not watch.accepts(b")")
    watch.feed(b"(x)\n")
    assert watch.whole and ast.parse(watch.text)
    assert [watch.accepts(b")") for _ in range(PATIENCE)][-1] and watch.lost and watch.late
