"""Likely personal data, guessed from a column's name and its strings."""

from __future__ import annotations

import re

import numpy as np
from numpy.typing import NDArray

_SAMPLE = 500
_NAMES = {
    "a person's name": r"(first|last|sur|family|given|middle|full|maiden|middle)[ _.-]?name"
    r"|vorname|nachname|familienname|customer[ _.-]?name|patient[ _.-]?name|passenger[ _.-]?name",
    "an e-mail address": r"e[ _.-]?mail",
    "a phone number": r"phone|(^|[ _.-])(tel|mobile|fax|handy|cell)([ _.-]|$)|telefon",
    "a bank account": r"(^|[ _.-])iban([ _.-]|$)|account[ _.-]?(no|number)|kontonummer",
    "a postal address": r"(^|[ _.-])(street|address|strasse|straße|adresse)([ _.-]|$)|anschrift",
    "an official number": r"(^|[ _.-])(ssn|passport|tax[ _.-]?id|social[ _.-]?security)([ _.-]|$)",
}
_CONTENT = {
    "an e-mail address": r"[^@\s]+@[^@\s]+\.[A-Za-z]{2,}",
    "a bank account": r"[A-Z]{2}\d{2}( ?[A-Z0-9]{4}){3,7}( ?[A-Z0-9]{1,3})?",
    "a phone number": r"(\+|00)\d[\d ()/.-]{6,18}\d|\(\d{2,5}\)[\d /.-]{5,14}|\d{3}-\d{3}-\d{4}",
}
_PERSON = r"(\w+\.? )?[A-ZÀ-Þ][\w'’-]+([ -][A-ZÀ-Þ]\.?)?( (van|von|de|la|der|den))* [A-ZÀ-Þ][\w'’-]+"


def likely_personal(name: str, uniques: NDArray[np.object_]) -> str:
    """What personal data a column of distinct strings (u,) likely holds, or "".

    A name alone counts, except the bare word "name", which must look like people; a content pattern
    must hold for half of the sampled strings.
    """
    plain = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    for meaning, pattern in _NAMES.items():
        if re.search(pattern, plain):
            return meaning
    sample = uniques[np.linspace(0, len(uniques) - 1, min(len(uniques), _SAMPLE)).astype(int)]
    if not len(sample):
        return ""
    for meaning, pattern in _CONTENT.items():
        if _share(sample, pattern) >= 0.5:
            return meaning
    if re.search(r"(^|[ _.-])(name|names|person|author|contact)$", plain) and _share(sample, _PERSON) >= 0.6:
        return "a person's name"
    return ""


def _share(sample: NDArray[np.object_], pattern: str) -> float:
    matcher = re.compile(pattern)
    return sum(bool(matcher.fullmatch(cell.strip()[:80])) for cell in sample) / len(sample)
