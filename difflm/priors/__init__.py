"""Priors over the latent space; names resolve to classes here."""

from __future__ import annotations

from pathlib import Path

from difflm.errors import ConfigError
from difflm.priors.base import Prior
from difflm.priors.diffusion import DiffusionPrior
from difflm.priors.gaussian import GaussianPrior
from difflm.priors.gmm import MixturePrior

PRIORS: dict[str, type[Prior]] = {p.kind: p for p in (DiffusionPrior, MixturePrior, GaussianPrior)}


def load_prior(kind: str, folder: Path) -> Prior:
    """The prior named `kind` that was saved in `folder`."""
    if kind not in PRIORS:
        raise ConfigError(f"a prior out of {', '.join(PRIORS)}", repr(kind))
    return PRIORS[kind].load(folder)
