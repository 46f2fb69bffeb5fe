"""The axes of an ablation: each a list of changes to the defaults, named as they are shown."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

from difflm.config import settings
from difflm.errors import ConfigError

Level = Literal["training", "prior", "sampling"]
AS_IS = "defaults"


@dataclass(frozen=True)
class Variant:
    """One change: settings by dotted key. Without changes it is the base that all others are compared with."""

    name: str
    changes: Mapping[str, Any] = field(default_factory=dict)

    @property
    def level(self) -> Level:
        """What has to be done anew: a training, only its prior, or only its rows."""
        sections = {key.split(".")[0] for key in self.changes}
        if not sections or sections - {"prior", "sample"}:
            return "training"
        return "prior" if "prior" in sections else "sampling"

    @property
    def mark(self) -> str:
        """The same for equal changes, whatever they are called."""
        return json.dumps(dict(self.changes), sort_keys=True)


BASE = Variant(AS_IS)


def _choices(key: str) -> tuple[str, ...]:
    return next(setting.choices for setting in settings() if setting.key == key)


def _injection() -> list[Variant]:
    return [Variant(kind.replace("_", " "), {"injection.kind": kind}) for kind in _choices("injection.kind")]


def _prior() -> list[Variant]:
    return [Variant(kind, {"prior.kind": kind}) for kind in _choices("prior.kind")]


def _named(key: str, *values: Any, word: str) -> list[Variant]:
    return [Variant(f"{word} {value:g}", {key: value}) for value in values]


def _beta(schedule: str, start: float, end: float) -> dict[str, Any]:
    """A schedule of the paper, which has no free nats."""
    return {"beta.schedule": schedule, "beta.start": start, "beta.end": end, "beta.floor": 0.0}


AXES: dict[str, list[Variant]] = {
    "injection": _injection(),
    "beta": [
        *_named("beta.end", 0.1, 0.6, word="linear from .02 to"),
        Variant("constant .3", {"beta.schedule": "constant", "beta.end": 0.3}),
        Variant("decreasing from .1 (paper)", _beta("decreasing", 0.1, 0.001)),
        Variant("cyclical to .2 (paper)", _beta("cyclical", 0.0, 0.2)),
        Variant("constant 0 (paper)", _beta("constant", 0.0, 0.0)),
        Variant("no free nats", {"beta.floor": 0.0}),
    ],
    "latent": [
        Variant("1 slot of 16", {"latent.slots": 1, "latent.slot_dim": 16}),
        Variant("2 slots of 4", {"latent.slots": 2, "latent.slot_dim": 4}),
        Variant("8 slots of 8", {"latent.slots": 8, "latent.slot_dim": 8}),
        Variant("no details", {"latent.detail_dim": 0}),
    ],
    "decoder": [
        Variant("frozen after stage 0", {"decoder.training": "frozen", "lm.share": 0.3}),
        Variant(
            "frozen, without copying", {"decoder.training": "frozen", "lm.share": 0.3, "lm.copy_share": 0.0}
        ),
        Variant("joint, without copying", {"lm.copy_share": 0.0}),
        *_named("decoder.width", 64, 192, word="width"),
        *_named("decoder.layers", 2, 6, word="layers"),
        *_named("format.bins", 100, 400, word="bins"),
        Variant("no phrases", {"format.phrases": 0}),
    ],
    "base": [
        Variant(
            f"base-tiny, {how}",
            {
                "decoder.kind": "causal_lm",
                "decoder.path": "base-tiny",
                "decoder.training": how,
                "encoder.kind": "tokens",
            },
        )
        for how in ("frozen", "joint")
    ],
    "training": [
        *_named("vae.word_dropout", 0.0, 0.25, word="word dropout"),
        *_named("vae.jitter", 0.0, 3.0, word="numbers moved by bins:"),
        *_named("vae.target_weight", 5.0, 20.0, word="weight of the target"),
        *_named("vae.detail_share", 0.05, 0.4, word="share with details"),
        Variant("no noise on z", {"vae.noise_share": 0.0, "sample.noise": 0.0}),
        Variant("no average of weights", {"vae.ema": 0.0}),
        Variant("no Muon: its rate 0.002", {"vae.muon_lr": 0.002}),
        Variant("no cooldown", {"vae.cooldown": 0.0}),
    ],
    "prior": _prior(),
    "denoiser": [
        *_named("prior.fourier", 0, 16, word="Fourier frequencies"),
        *_named("prior.width", 128, 512, word="width"),
        *_named("prior.blocks", 1, 6, word="blocks"),
        Variant("log sigma ~ N(-.6, 1.3)", {"prior.p_mean": -0.6, "prior.p_std": 1.3}),
        Variant("log sigma ~ N(-1.2, 1.2) (EDM)", {"prior.p_mean": -1.2, "prior.p_std": 1.2}),
        Variant("no average of weights", {"prior.ema": 0.0}),
        Variant("from sigma 80", {"prior.sigma_max": 80.0}),
    ],
    "sampling": [
        *_named("sample.noise", 0.0, 0.2, 0.8, word="diffusion ends at sigma"),
        *_named("sample.temperature", 0.5, 0.8, 0.9, word="temperature"),
        *_named("sample.diffusion_steps", 6, 24, word="diffusion steps"),
        Variant("solver Heun", {"sample.solver": "heun"}),
        Variant("no calibration", {"prior.calibration": 0}),
    ],
}


def chosen(text: str) -> dict[str, list[Variant]]:
    """The axes named in a list with commas."""
    names = list(dict.fromkeys(part.strip() for part in text.split(",") if part.strip()))
    if not names or set(names) - set(AXES):
        raise ConfigError(f"axes out of {', '.join(AXES)}", repr(text), "for example --axis beta,prior")
    return {name: AXES[name] for name in names}
