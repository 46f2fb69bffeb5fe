"""Python read along as it is written: a token after which no text could be Python any more is refused.

The parser of the Python that runs this says of a beginning whether it is whole, or where it goes wrong. What goes wrong
at its very end may still be mended by what follows; what goes wrong before cannot.
"""

from __future__ import annotations

import ast
import codecs
import keyword
import re
import warnings

INCOMPLETE, KEEP_OPEN = 0x4000, 0x200
"""PyCF_ALLOW_INCOMPLETE_INPUT and PyCF_DONT_IMPLY_DEDENT, as `codeop` has them."""
UNFINISHED = (
    "incomplete input",
    "unterminated",
    "f-string: expecting",
    "unexpected EOF after line continuation",
    "expected 'else' after 'if' expression",
)
HALVES = {":": "= 0", "}": "}"}
"""What looks wrong to some versions of Python as long as its half is missing: the walrus, a brace in an f-string."""
NUMBER = re.compile(r"0[xXbBoO]|\d[\d_]*\.?\d*[eE][+-]?")
WORD = re.compile(r"[A-Za-z]+$")
QUOTE = re.compile("[\"']")
PAIRS = {"(": ")", "[": "]", "{": "}"}
PATIENCE = 128
"""Tokens that are refused in one place before the text is given up: it would be looked for in all the vocabulary."""
LAST_BYTES = 240
"""Bytes before the longest length from which a text ends as soon as it may."""


class CodeWatch:
    """What was written of one text, and whether it can still become Python."""

    def __init__(self, longest: int) -> None:
        """No text has more than `longest` characters."""
        self.limit, self.size = longest - min(LAST_BYTES, longest // 3), 0
        self.text, self.refused, self.lost = "", 0, False
        self._bytes = codecs.getincrementaldecoder("utf-8")("replace")

    @property
    def late(self) -> bool:
        """Whether it is time to end."""
        return self.lost or self.size >= self.limit

    @property
    def whole(self) -> bool:
        """Whether the text may end here; one that is given up may end anywhere."""
        return self.lost or (bool(self.text.strip()) and _problem(self.text) is None)

    @property
    def endings(self) -> tuple[bytes, ...]:
        """The quote or bracket that is missing, or else the end of the line, where Python may go on so."""
        problem = _problem(self.text)
        wanted = [] if problem is None else _missing(self.text, problem)
        if self.text.rpartition("\n")[2].strip():
            wanted.append("\n")
        return tuple(one.encode() for one in wanted if viable(self.text + one))

    debt = 0
    """Nothing has to come."""

    @property
    def continuations(self) -> None:
        """Much may always follow."""

    def accepts(self, piece: bytes) -> bool:
        """Whether there is Python that begins so; yes to all once the text is given up."""
        if self.lost or viable(self.text + piece.decode("utf-8", "ignore")):
            return True
        self.refused += 1
        self.lost = self.refused >= PATIENCE
        return self.lost

    def feed(self, piece: bytes) -> bool:
        """Read on."""
        self.size += len(piece)
        self.text += self._bytes.decode(piece)
        self.refused = 0
        return True


def viable(text: str) -> bool:
    """Whether `text` is Python or may become it by what follows."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            compile(text, "", "exec", ast.PyCF_ONLY_AST | INCOMPLETE | KEEP_OPEN)
    except SyntaxError as error:
        return _at_the_end(text, error)
    except (ValueError, RecursionError, MemoryError):
        return False
    return True


def _at_the_end(text: str, error: SyntaxError) -> bool:
    lines = text.split("\n")
    if any(word in error.msg for word in UNFINISHED):
        # A string in one pair of quotes ends in its line.
        return "unterminated string" not in error.msg or error.lineno == len(lines)
    if "was never closed" in error.msg:
        # Said of what goes wrong in a bracket, without its place: a word that is only begun may be a keyword.
        word = WORD.search(text)
        return word is not None and _begins_a_keyword(word[0]) and viable(text[: word.start()])
    if isinstance(error, IndentationError):
        return not lines[-1].strip()
    if error.lineno is None or error.offset is None or error.lineno < len(lines):
        return error.lineno is not None and error.lineno > len(lines)
    for half, more in HALVES.items():
        if text.endswith(half) and not text.endswith(half + more) and viable(text + more):
            return True
    rest = lines[-1][error.offset - 1 :]
    if not rest.strip() or rest.strip() in ("!", "->") or NUMBER.fullmatch(rest):
        return True
    return _begins_a_keyword(rest) or (rest in keyword.kwlist and lines[-1].endswith("." + rest))


def _begins_a_keyword(word: str) -> bool:
    return any(one.startswith(word) and one != word for one in keyword.kwlist)


def _missing(text: str, problem: SyntaxError) -> list[str]:
    """The quote or bracket whose partner is open."""
    if "unterminated" in problem.msg:
        line = text.split("\n")[(problem.lineno or 1) - 1]
        opened = QUOTE.search(line, (problem.offset or 1) - 1)
        return [] if opened is None else [opened[0]]
    closed = re.match(r"'([([{])' was never closed", problem.msg)
    return [] if closed is None else [PAIRS[closed[1]]]


def _problem(text: str) -> SyntaxError | None:
    """What is wrong with a text that ends here."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            ast.parse(text)
    except SyntaxError as error:
        return error
    except (ValueError, RecursionError, MemoryError):
        return SyntaxError("more than the parser can hold")
    return None
