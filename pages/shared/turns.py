"""One at a time, in the order of arrival: who waits is told how many are before."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

LOOK = 0.5
"""Seconds between two looks at one's place while waiting."""


class Turns:
    """A fair lock; the place in the queue is known."""

    def __init__(self) -> None:
        self._waiting: deque[object] = deque()
        self._changed = threading.Condition()

    @contextmanager
    def taken(self, told: Callable[[int], None] | None = None) -> Iterator[None]:
        """Have the turn for the length of the block; `told` hears, while waiting, how many are before."""
        ticket = object()
        with self._changed:
            self._waiting.append(ticket)
        try:
            self._wait(ticket, told)
            yield
        finally:
            # Also when the page is run anew, or its visitor leaves, while it waits.
            with self._changed:
                self._waiting.remove(ticket)
                self._changed.notify_all()

    def give_way(self, told: Callable[[int], None] | None = None) -> None:
        """Between two pieces of a long work: let those go first who wait now, and have the turn again."""
        with self._changed:
            ticket = self._waiting.popleft()
            self._waiting.append(ticket)
            self._changed.notify_all()
        self._wait(ticket, told)

    def _wait(self, ticket: object, told: Callable[[int], None] | None) -> None:
        while True:
            with self._changed:
                before = self._waiting.index(ticket)
                if before == 0:
                    return
                self._changed.wait(LOOK)
                before = self._waiting.index(ticket)
            if before and told is not None:
                told(before)
