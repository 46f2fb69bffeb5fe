"""Columns of generated tables: a kind, a distribution, a written form, and now and then missing cells.

n cells as plain text; `bare` columns are numbers or booleans where a format tells them from strings.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from difflm.pretrain.words import CITIES, COUNTRIES, FIRST_NAMES, FLAGS, LAST_NAMES, SETS, Lexicon

Cells = list[str | None]
ALPHABETS = ("ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", "abcdefghijklmnopqrstuvwxyz", "0123456789abcdef")
SCRIPTS = ((0x3B1, 0x3C9), (0x430, 0x44F), (0x5D0, 0x5EA), (0x627, 0x63A), (0x4E00, 0x4FFF), (0xAC00, 0xAE00))
"""Greek, Cyrillic, Hebrew, Arabic, Chinese, Hangul: first and last character used."""
DATE_FORMS = (
    "%Y-%m-%d",
    "%Y-%m-%d",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M:%SZ",
    "%d/%m/%Y",
    "%m/%d/%Y",
    "%d.%m.%Y",
    "%Y/%m/%d",
    "%d %b %Y",
    "%B %d, %Y",
    "%Y-%m",
    "%H:%M",
    "%Y%m%d",
)


class Made(NamedTuple):
    """The cells of one column."""

    cells: Cells
    bare: bool


def integers(rng: random.Random, n: int, words: Lexicon) -> Made:
    """Whole numbers of one of many distributions."""
    kind, size = rng.randrange(7), 10 ** rng.uniform(0.7, 5.5)
    low = 0 if rng.random() < 0.6 else round(rng.uniform(-1, 2) * size)
    if kind == 0:
        values = [low + rng.randrange(round(size) + 1) for _ in range(n)]
    elif kind == 1:
        mean, spread = rng.uniform(0.2, 3) * size, rng.uniform(0.05, 0.6) * size
        values = [round(rng.gauss(mean, spread)) for _ in range(n)]
    elif kind == 2:
        spread = rng.uniform(0.3, 1.8)
        values = [round(min(size * rng.lognormvariate(0, spread), 1e12)) for _ in range(n)]
    elif kind == 3:
        values = [0 if rng.random() < 0.7 else round(rng.expovariate(1 / size)) + 1 for _ in range(n)]
    elif kind == 4:
        start, step = rng.choice([0, 1, 1, 100, 1000, rng.randrange(100_000)]), rng.choice([1, 1, 1, 5, 10])
        values = [start + step * i for i in range(n)]
    elif kind == 5:
        step = rng.choice([5, 10, 25, 50, 100, 500, 1000])
        values = [step * rng.randrange(1, 40) for _ in range(n)]
    else:
        values = [rng.randint(0, rng.choice([3, 5, 9])) for _ in range(n)]
    return Made([str(value) for value in values], True)


def decimals(rng: random.Random, n: int, words: Lexicon) -> Made:
    """Numbers with a fixed count of decimals, or at times as Python writes floats."""
    places, kind = rng.choice([1, 1, 2, 2, 2, 2, 3, 3, 4, 5, 6]), rng.randrange(5)
    size = 10 ** rng.uniform(-1.5, 5)
    if kind == 0:
        values = [rng.uniform(0, size) for _ in range(n)]
    elif kind == 1:
        mean = rng.uniform(-2, 4) * size
        values = [rng.gauss(mean, 0.4 * size) for _ in range(n)]
    elif kind == 2:
        spread = rng.uniform(0.3, 1.5)
        values = [size * rng.lognormvariate(0, spread) for _ in range(n)]
    elif kind == 3:
        values = [rng.random() for _ in range(n)]
    else:
        here = rng.uniform(-1, 1) * size
        values = [here := here + rng.gauss(0, 0.05 * size) for _ in range(n)]
    if rng.random() < 0.1:
        return Made([repr(round(value, places)) for value in values], True)
    return Made([f"{value:.{places}f}" for value in values], True)


def categories(rng: random.Random, n: int, words: Lexicon) -> Made:
    """A few strings drawn again and again, with weights of a power law or even."""
    pool = _pool(rng, words)
    power = rng.choice([0.0, 0.5, 1.0, 2.0])
    weights = [(rank + 1) ** -power for rank in range(len(pool))]
    return Made(list(rng.choices(pool, weights, k=n)), False)


def flags(rng: random.Random, n: int, words: Lexicon) -> Made:
    """Two values: JSON's own booleans, 0 and 1, or two words."""
    share, drawn = rng.choice([0.5, 0.5, 0.8, 0.95, 0.1]), rng.random()
    yes, no = ("true", "false") if drawn < 0.4 else ("1", "0") if drawn < 0.6 else rng.choice(FLAGS)
    return Made([yes if rng.random() < share else no for _ in range(n)], drawn < 0.6)


def dates(rng: random.Random, n: int, words: Lexicon) -> Made:
    """Dates and times in one form, at random or one after the other."""
    form, start = rng.choice(DATE_FORMS), datetime(1950, 1, 1) + timedelta(days=rng.random() * 30_000)
    if rng.random() < 0.4:
        step = timedelta(seconds=rng.choice([60, 3600, 86_400, 604_800]))
        moments = [start + step * i for i in range(n)]
    else:
        span = 86_400 * 10 ** rng.uniform(0.5, 4)
        moments = [start + timedelta(seconds=int(rng.random() * span)) for _ in range(n)]
    return Made([moment.strftime(form) for moment in moments], False)


def keys(rng: random.Random, n: int, words: Lexicon) -> Made:
    """Values that name one row each: running numbers, patterns of letters and digits, UUIDs, hashes."""
    kind = rng.randrange(4)
    if kind == 0:
        start = rng.choice([1, 1, 1000, rng.randrange(10**6)])
        return Made([str(start + i) for i in range(n)], True)
    if kind == 1:
        head = "".join(rng.choices(ALPHABETS[0], k=rng.randint(1, 3))) + rng.choice(["", "-", "_"])
        start, width = rng.randrange(5000), rng.randint(3, 6)
        return Made([f"{head}{start + i:0{width}d}" for i in range(n)], False)
    if kind == 2:
        parts = [rng.choice(ALPHABETS) for _ in range(rng.randint(2, 8))]
        return Made(["".join(rng.choice(part) for part in parts) for _ in range(n)], False)
    width = rng.choice([32, 64, 128])
    digits = [f"{rng.getrandbits(width):0{width // 4}x}" for _ in range(n)]
    if width == 128:
        return Made(["-".join((t[:8], t[8:12], t[12:16], t[16:20], t[20:])) for t in digits], False)
    return Made(list(digits), False)


def texts(rng: random.Random, n: int, words: Lexicon) -> Made:
    """Names, addresses, paths, phrases, and at times words of another script."""
    write = rng.choice(TEXTS)
    return Made([write(rng, words) for _ in range(n)], False)


def with_missing(rng: random.Random, made: Made) -> Made:
    """Three columns in ten lose some of their cells."""
    if rng.random() > 0.3:
        return made
    share = rng.choice([0.02, 0.1, 0.3, 0.6])
    return Made([None if rng.random() < share else cell for cell in made.cells], made.bare)


def _pool(rng: random.Random, words: Lexicon) -> Sequence[str]:
    drawn, count = rng.random(), rng.randint(2, 12)
    if drawn < 0.3:
        return rng.choice(SETS)
    if drawn < 0.4:
        return rng.sample(rng.choice([CITIES, COUNTRIES, FIRST_NAMES, LAST_NAMES]), count)
    if drawn < 0.5:
        letters, digits = rng.choice(ALPHABETS), rng.randint(0, 3)
        codes = [rng.choice(letters) + "".join(rng.choices("0123456789", k=digits)) for _ in range(count)]
        return list(dict.fromkeys(codes))
    joint, parts = rng.choice(["-", "_", " ", " ", "/", " & "]), rng.choice([1, 1, 1, 2, 3])
    changes: tuple[Callable[[str], str], ...] = (str, str, str.title, str.capitalize, str.upper)
    change = rng.choice(changes)
    names = [change(joint.join(rng.choices(words.words, k=parts))) for _ in range(count)]
    return list(dict.fromkeys(names))


def person(rng: random.Random, words: Lexicon) -> str:
    """A first and a last name."""
    return f"{rng.choice(FIRST_NAMES)} {rng.choice(LAST_NAMES)}"


def _email(rng: random.Random, words: Lexicon) -> str:
    name = rng.choice(words.words) + rng.choice(["", ".", "_"]) + rng.choice(words.words)
    return f"{name}@{rng.choice(['example.com', 'example.org', 'mail.example.net'])}"


def _address(rng: random.Random, words: Lexicon) -> str:
    road = rng.choice(["Street", "Road", "Avenue", "Lane", "Allee"])
    return f"{rng.randint(1, 300)} {rng.choice(words.words).title()} {road}, {rng.choice(CITIES)}"


def _path(rng: random.Random, words: Lexicon) -> str:
    parts = "/".join(rng.choices(words.words, k=rng.randint(1, 4)))
    head = rng.choice(["/", "https://example.com/", "./", "", "s3://"])
    return f"{head}{parts}{rng.choice(['', '.txt', '.csv', '.py', '.html', '/'])}"


def _phone(rng: random.Random, words: Lexicon) -> str:
    return f"+{rng.randint(1, 99)} {rng.randint(100, 999)} {rng.randint(10_000, 9_999_999)}"


def _phrase(rng: random.Random, words: Lexicon) -> str:
    phrase = " ".join(rng.choices(words.words, k=rng.randint(2, 9)))
    return phrase.capitalize() + rng.choice(["", ".", "!", "?"])


def _quoted(rng: random.Random, words: Lexicon) -> str:
    return rng.choice(words.phrases)


def _foreign(rng: random.Random, words: Lexicon) -> str:
    first, last = rng.choice(SCRIPTS)
    parts = rng.randint(1, 3)
    return " ".join(
        "".join(chr(rng.randint(first, last)) for _ in range(rng.randint(2, 7))) for _ in range(parts)
    )


def _host(rng: random.Random, words: Lexicon) -> str:
    if rng.random() < 0.5:
        return ".".join(str(rng.randrange(256)) for _ in range(4))
    return ".".join(str(rng.randrange(20)) for _ in range(3))


def _word(rng: random.Random, words: Lexicon) -> str:
    return rng.choice(words.words)


TEXTS: tuple[Callable[[random.Random, Lexicon], str], ...] = (
    person,
    person,
    _email,
    _address,
    _path,
    _phone,
    _phrase,
    _phrase,
    _quoted,
    _quoted,
    _foreign,
    _host,
    _word,
)
MAKERS: dict[str, Callable[[random.Random, int, Lexicon], Made]] = {
    "integer": integers,
    "decimal": decimals,
    "category": categories,
    "flag": flags,
    "date": dates,
    "key": keys,
    "text": texts,
}
"""By the name of the group of column names in words.NOUNS."""
