"""What the grammar of JSON cannot hold, read along byte by byte: that no key comes twice in one object, no string in
some lists, and that lists which name keys of the object beside them name those that are there (`json_references`)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from copy import copy
from dataclasses import dataclass, field, replace

QUOTE, ESCAPE = 0x22, 0x5C
OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY = b"{}[]"
COMMA = 0x2C
STRUCTURE = b'"{}[],'
LAST_BYTES = 160
"""Bytes before the longest length from which a document is brought to its end."""
OWED_BYTES = 48
"""What a key that was named takes beside its name, when as little as may be is written under it."""

Names = frozenset[bytes]


@dataclass
class _Open:
    """An object or an array that is not closed yet; names are as they are written, between their quotes."""

    is_object: bool
    name: bytes | None = None
    """The key that it stands under, None in an array and outermost."""
    names: Names = frozenset()
    """Its keys, or the strings of an array in which none may come twice."""
    key: bytes | None = None
    """The last of its keys."""
    inside: dict[bytes, Names] = field(default_factory=dict)
    """Names in what was closed in it, by its key there."""


class JsonWatch:
    """Where a row of canonical JSON is: what is open, and the string that is being written."""

    def __init__(
        self, longest: int, references: Mapping[str, str] | None = None, unique: Iterable[str] = ()
    ) -> None:
        """No document has more than `longest` characters; `references` as `references_of` gives them, `unique` as
        `unique_lists` does."""
        self.limit, self.size = longest - min(LAST_BYTES, longest // 3), 0
        self.open: list[_Open] = []
        self.text = bytearray()
        self.in_string = self.is_key = self.escaped = self.wants_key = False
        self.keys_of = {name.encode(): key.encode() for name, key in (references or {}).items()}
        self.unique = {*self.keys_of, *(name.encode() for name in unique)}
        self.noted = {*self.keys_of, *self.keys_of.values()}

    @property
    def late(self) -> bool:
        """Whether it is time to end."""
        return self.size + self.debt >= self.limit

    @property
    def debt(self) -> int:
        """Bytes of keys that were named before their object, and are still to be written."""
        owed: list[bytes] = []
        for place, one in enumerate(self.open if self.keys_of else ()):
            below = self.open[place + 1] if place + 1 < len(self.open) else None
            named = dict(one.inside)
            if below is not None and not below.is_object and below.name is not None:
                named[below.name] = below.names
            for name, key in self.keys_of.items():
                if name in named and key not in one.inside:
                    there = below.names if below is not None and below.name == key else frozenset()
                    owed += named[name] - there
        return sum(len(name) + OWED_BYTES for name in owed)

    @property
    def whole(self) -> bool:
        """Whether all that was opened is closed."""
        return not self.open and not self.in_string

    @property
    def endings(self) -> tuple[bytes, ...]:
        """Close a string; else go on to a key that was named; else close what is open; else begin the string that has
        to come. A key ends where it is none that was there before, a name where it is one that has to come."""
        if not self.in_string:
            owes = bool(self.open) and self.open[-1].is_object and self._named() - self.open[-1].names
            return (b",", b'"') if owes else (b"}]", b'"')
        text, left = bytes(self.text), self._left()
        if left is not None and text not in left:
            return ()
        if self.is_key and (not text or text in self.open[-1].names):
            return ()
        return (b'"',)

    @property
    def continuations(self) -> list[bytes] | None:
        """All that may follow in the string that is being written, its end included; None where that is open."""
        left = self._left() if self.in_string else None
        if left is None:
            return None
        text = bytes(self.text)
        return [name[len(text) :] + b'"' for name in left if name.startswith(text)]

    def accepts(self, piece: bytes) -> bool:
        """Whether `piece` may be written next."""
        telling = b'"' if self.in_string or not self.unique else STRUCTURE
        if not any(byte in piece for byte in telling) and self._left() is None:
            return True
        trial = copy(self)
        trial.open = [replace(one, inside=dict(one.inside)) for one in self.open]
        trial.text = bytearray(self.text)
        return trial.feed(piece)

    def feed(self, piece: bytes) -> bool:
        """Read on; False where that must not be written."""
        good = True
        self.size += len(piece)
        for byte in piece:
            if self.in_string:
                good &= self._in_string(byte)
            elif byte == QUOTE:
                good &= self._left() != frozenset() or self.wants_key
                self.in_string, self.is_key = True, self.wants_key
                self.text.clear()
            elif byte in (OPEN_OBJECT, OPEN_ARRAY):
                above = self.open[-1] if self.open else None
                name = above.key if above is not None and above.is_object else None
                self.open.append(_Open(byte == OPEN_OBJECT, name))
                self.wants_key = byte == OPEN_OBJECT
            elif byte in (CLOSE_OBJECT, CLOSE_ARRAY):
                good &= self._close()
            elif byte == COMMA and self.open:
                self.wants_key = self.open[-1].is_object
                good &= self.wants_key or self._left() != frozenset()
        if self.in_string and (left := self._left()) is not None:
            good &= any(name.startswith(self.text) for name in left)
        return good

    def _left(self) -> Names | None:
        """The names of which one has to come next in what is open, where they are known: of an array that names keys
        those that it has not named, of an object whose keys were named before it those that are not there, once it has
        as many keys as were named, or it is late. With all of them it may go on."""
        if len(self.open) < 2 or (name := self.open[-1].name) is None:
            return None
        one = self.open[-1]
        if one.is_object:
            named = self._named()
            return (named - one.names) or None if len(one.names) >= len(named) or self.late else None
        keys = self.open[-2].inside.get(self.keys_of.get(name, b""))
        return None if keys is None else keys - one.names

    def _named(self) -> Names:
        """The keys of the open object that were named before it."""
        if len(self.open) < 2:
            return frozenset()
        name, inside = self.open[-1].name, self.open[-2].inside
        return frozenset().union(
            *(inside.get(other, ()) for other, key in self.keys_of.items() if key == name)
        )

    def _close(self) -> bool:
        self.wants_key = False
        if not self.open:
            return True
        one = self.open[-1]
        good = not one.is_object or self._named() <= one.names
        self.open.pop()
        if one.name is not None and one.name in self.noted:
            self.open[-1].inside[one.name] = one.names
        return good

    def _in_string(self, byte: int) -> bool:
        if self.escaped or byte != QUOTE:
            self.escaped = byte == ESCAPE and not self.escaped
            self.text.append(byte)
            return True
        self.in_string = False
        text, one = bytes(self.text), self.open[-1] if self.open else None
        if one is None or not (self.is_key if one.is_object else one.name in self.unique):
            return True
        left, once = self._left(), text not in one.names
        one.names |= {text}
        if self.is_key:
            one.key, self.wants_key = text, False
        return once and (left is None or text in left)
