"""Many visitors, one model: turns in the order of arrival, and answers of a demo that are made once."""

from __future__ import annotations

import threading
import time
from pathlib import Path

import pytest

from pages.shared.turns import Turns
from tests.app_pages import Open, press
from tests.fakes import FakeModel, fake_run


def until(condition: object) -> None:
    deadline = time.monotonic() + 10
    while not condition():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_turns_come_in_the_order_of_arrival_and_say_the_place() -> None:
    turns, order, places = Turns(), [], []

    def visit(number: int) -> None:
        with turns.taken(places.append):
            order.append(number)

    with turns.taken():
        threads = []
        for number in range(3):
            threads.append(threading.Thread(target=visit, args=(number,)))
            threads[-1].start()
            until(lambda number=number: len(turns._waiting) == number + 2)
        until(lambda: set(places) >= {1, 2, 3})
    for thread in threads:
        thread.join(10)
    assert order == [0, 1, 2] and not turns._waiting


def test_long_work_lets_others_in_between() -> None:
    turns, order = Turns(), []

    def visit() -> None:
        with turns.taken():
            order.append("short")

    with turns.taken():
        other = threading.Thread(target=visit)
        other.start()
        until(lambda: len(turns._waiting) == 2)
        order.append("first half")
        turns.give_way()
        order.append("second half")
    other.join(10)
    assert order == ["first half", "short", "second half"] and not turns._waiting


def test_who_leaves_while_waiting_leaves_the_queue() -> None:
    turns = Turns()

    def left(before: int) -> None:
        raise KeyboardInterrupt

    def visit() -> None:
        with pytest.raises(KeyboardInterrupt), turns.taken(left):
            raise AssertionError

    with turns.taken():
        other = threading.Thread(target=visit)
        other.start()
        other.join(10)
        assert len(turns._waiting) == 1


def test_visitors_who_ask_the_same_at_once_wait_for_one_answer(
    open_page: Open, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fake_run(root / "demo-gapminder")
    calls, begun, stream = [], threading.Event(), FakeModel.stream

    def slow(self: FakeModel, n: int, **more: object) -> object:
        calls.append(n)
        begun.set()
        for chunk in stream(self, n, **more):  # type: ignore[arg-type]
            time.sleep(0.2)
            yield chunk

    monkeypatch.setattr(FakeModel, "stream", slow)
    visitors = [open_page("generate", run="demo-gapminder") for _ in range(3)]
    threads = [threading.Thread(target=press, args=(at, "Generate")) for at in visitors]
    threads[0].start()
    begun.wait(10)
    for thread in threads[1:]:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(calls) == 1
    for at in visitors:
        assert {metric.label: metric.value for metric in at.metric}["Rows"] == "1,000"


@pytest.mark.parametrize(("name", "times"), [("demo-gapminder", 1), ("runs/one", 2)])
def test_a_demo_is_asked_once_for_all_visitors_and_an_own_run_each_time(
    open_page: Open, root: Path, monkeypatch: pytest.MonkeyPatch, name: str, times: int
) -> None:
    fake_run(root / name)
    calls, stream = [], FakeModel.stream
    monkeypatch.setattr(
        FakeModel, "stream", lambda self, n, **more: calls.append(n) or stream(self, n, **more)
    )
    for _ in range(2):
        at = open_page("generate", run=name.rpartition("/")[2])
        press(at, "Generate")
        assert {metric.label: metric.value for metric in at.metric}["Rows"] == "1,000"
    assert len(calls) == times
