"""The models that can be compared, and what each needs to be installed"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from difflm.errors import ConfigError

SCRIPTS = Path(__file__).parent / "peers"
OWN = "difflm"


@dataclass(frozen=True, kw_only=True)
class Entrant:
    """One model: how it is named in tables, its script, and the packages of its environment."""

    name: str
    label: str
    script: str = ""
    environment: str = ""
    """Folder of its environment; empty where difflm's own has all that it needs."""
    requirements: tuple[str, ...] = ()
    without: tuple[str, ...] = ()
    """Packages that come along and are taken out again."""
    options: dict[str, Any] = field(default_factory=dict)
    baseline: bool = False
    """Stands for no model: never marked as the best of a column."""

    @property
    def path(self) -> Path:
        """The script to run."""
        return SCRIPTS / self.script


# torch is pinned where a package would take any: with it the CPU build that is at hand is taken.
_TORCH = "torch==2.13.0"
_CTGAN = ("ctgan==0.12.1", _TORCH, "pyarrow==26.0.1")

ENTRANTS: dict[str, Entrant] = {
    entrant.name: entrant
    for entrant in (
        Entrant(name=OWN, label="difflm"),
        Entrant(
            name="tabularargn",
            label="TabularARGN",
            script="tabularargn.py",
            environment="tabularargn",
            requirements=("mostlyai-engine==2.7.3", _TORCH, "pyarrow==26.0.1"),
            # Tables need neither, and their builds for CUDA do not load beside a torch without it.
            without=("torchvision", "torchaudio"),
        ),
        Entrant(
            name="tvae",
            label="TVAE",
            script="ctgan_or_tvae.py",
            environment="ctgan",
            requirements=_CTGAN,
            options={"model": "tvae"},
        ),
        Entrant(
            name="ctgan",
            label="CTGAN",
            script="ctgan_or_tvae.py",
            environment="ctgan",
            requirements=_CTGAN,
            options={"model": "ctgan"},
        ),
        Entrant(
            name="great",
            label="GReaT",
            script="great.py",
            environment="great",
            requirements=("be-great==0.0.14", _TORCH, "pyarrow==26.0.1"),
        ),
        Entrant(
            name="smote",
            label="SMOTE",
            script="smote.py",
            environment="smote",
            requirements=("imbalanced-learn==0.14.2", "pandas==3.1.1", "pyarrow==26.0.1"),
        ),
        Entrant(name="copula", label="Gaussian copula", script="copula.py"),
        Entrant(
            name="independent",
            label="independent columns (bootstrap)",
            script="independent.py",
            baseline=True,
        ),
    )
}


def chosen(text: str) -> tuple[str, ...]:
    """Names in a list with commas; ConfigError for one that is unknown."""
    names = tuple(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    unknown = [name for name in names if name not in ENTRANTS]
    if unknown or not names:
        got = repr(unknown[0]) if unknown else "none"
        raise ConfigError(f"models out of {', '.join(ENTRANTS)}", got, "see `difflm benchmark --help`")
    return names
