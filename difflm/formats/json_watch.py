"""What the grammar of JSON cannot hold: that no key comes twice in one object. Read along byte by byte."""

from __future__ import annotations

from copy import copy

QUOTE, ESCAPE = 0x22, 0x5C
OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = b"{}[]"
COMMA = 0x2C
LAST_BYTES = 160
"""Bytes before the longest length from which a document is brought to its end."""


class JsonWatch:
    """Where a row of canonical JSON is: the keys of the objects that are open, and the key that is being written."""

    def __init__(self, longest: int) -> None:
        """No document has more than `longest` characters."""
        self.limit, self.size = longest - min(LAST_BYTES, longest // 3), 0
        self.open: list[set[bytes] | None] = []
        """Keys of each open object; None for an array."""
        self.text = bytearray()
        self.in_string = self.is_key = self.escaped = self.wants_key = False

    @property
    def late(self) -> bool:
        """Whether it is time to end."""
        return self.size >= self.limit

    @property
    def whole(self) -> bool:
        """Whether all that was opened is closed."""
        return not self.open and not self.in_string

    @property
    def endings(self) -> tuple[bytes, ...]:
        """Close a string; else what is open; else begin the string that has to come. A key ends where it is none that
        was there before."""
        if self.in_string and self.is_key and (not self.text or bytes(self.text) in (self.open[-1] or ())):
            return ()
        return (b'"',) if self.in_string else (b"}]", b'"')

    def accepts(self, piece: bytes) -> bool:
        """Whether no key comes twice if `piece` is written next."""
        quotes = piece.count(QUOTE)
        if not quotes or (quotes < 3 and not any(self.open)):
            return True
        trial = copy(self)
        trial.open = [None if keys is None else set(keys) for keys in self.open]
        trial.text = bytearray(self.text)
        return trial.feed(piece)

    def feed(self, piece: bytes) -> bool:
        """Read on; False where a key came twice."""
        once = True
        self.size += len(piece)
        for byte in piece:
            if self.in_string:
                once &= self._in_string(byte)
            elif byte == QUOTE:
                self.in_string, self.is_key = True, self.wants_key
                self.text.clear()
            elif byte in (OPEN_OBJECT, OPEN_ARRAY):
                self.open.append(set() if byte == OPEN_OBJECT else None)
                self.wants_key = byte == OPEN_OBJECT
            elif byte in (CLOSE_OBJECT, CLOSE_ARRAY):
                if self.open:
                    self.open.pop()
                self.wants_key = False
            elif byte == COMMA:
                self.wants_key = bool(self.open) and self.open[-1] is not None
        return once

    def _in_string(self, byte: int) -> bool:
        if self.escaped or byte != QUOTE:
            self.escaped = byte == ESCAPE and not self.escaped
            self.text.append(byte)
            return True
        self.in_string = False
        if not self.is_key:
            return True
        self.wants_key = False
        keys, key = self.open[-1] if self.open else None, bytes(self.text)
        if keys is None:
            return True
        new = key not in keys
        keys.add(key)
        return new
