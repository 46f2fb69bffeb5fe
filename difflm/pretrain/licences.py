"""Which licence a distribution declares, and whether text under it may be learned from."""

from __future__ import annotations

import re
from typing import Any, Protocol

ACCEPTED = frozenset(
    ("MIT", "BSD", "BSD-2-Clause", "BSD-3-Clause", "0BSD", "Apache-2.0", "PSF-2.0", "Python-2.0", "ISC")
)
"""SPDX names; "BSD" is what old metadata says without a number."""

_CLASSIFIERS = {
    "MIT License": "MIT",
    "BSD License": "BSD",
    "Apache Software License": "Apache-2.0",
    "Python Software Foundation License": "PSF-2.0",
    "ISC License (ISCL)": "ISC",
}
_FIELDS = {
    "mit license": "MIT",
    "bsd license": "BSD",
    "new bsd": "BSD-3-Clause",
    "3-clause bsd license": "BSD-3-Clause",
    "bsd 3-clause": "BSD-3-Clause",
    "bsd 3-clause license": "BSD-3-Clause",
    "apache": "Apache-2.0",
    "apache 2.0": "Apache-2.0",
    "apache license 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache 2.0 license": "Apache-2.0",
    "psf": "PSF-2.0",
    "isc license": "ISC",
}
_LONGEST_FIELD = 60
"""A longer `License` field is the text of a licence, not its name."""

_RESTRICTED = re.compile(
    r"\b[AL]?GPL|GNU (?:Lesser |Affero |Library )?General Public|Mozilla Public|\bMPL\b|Creative Commons|\bCC[- ]BY"
)


class Metadata(Protocol):
    """What is read of importlib.metadata's PackageMetadata."""

    def get_all(self, name: str, /) -> list[Any] | None: ...


def declared(metadata: Metadata) -> str:
    """The licence as one SPDX expression: of `License-Expression`, else of every classifier and the `License`
    field together. "" where nothing is declared; names that are not known stay as they are."""
    expressions = metadata.get_all("License-Expression") or []
    if expressions:
        return expressions[0].strip()
    names = []
    for classifier in metadata.get_all("Classifier") or []:
        last = classifier.split(" :: ")[-1].strip()
        if classifier.startswith("License ::") and last != "OSI Approved":
            names.append(_CLASSIFIERS.get(last, last))
    for field in metadata.get_all("License") or []:
        text = " ".join(field.split())
        if text and len(text) <= _LONGEST_FIELD and "\n" not in field.strip():
            names.append(_FIELDS.get(text.lower(), text))
    distinct = list(dict.fromkeys(names))
    if "BSD" in distinct and any(name.startswith("BSD-") for name in distinct):
        distinct.remove("BSD")
    return " AND ".join(distinct)


def accepted(expression: str) -> bool:
    """Whether every part joined by AND offers, among its parts joined by OR, a licence in ACCEPTED. An exception
    after WITH only adds permissions. Brackets are refused: they do not occur where all parts are accepted."""
    if not expression or "(" in expression.replace("(ISCL)", ""):
        return False
    return all(
        any(choice.split(" WITH ")[0].strip() in ACCEPTED for choice in part.split(" OR "))
        for part in expression.split(" AND ")
    )


def restricted(head: str) -> bool:
    """Whether the head of a file names a licence that is not accepted, whatever its package declares."""
    return _RESTRICTED.search(head) is not None
