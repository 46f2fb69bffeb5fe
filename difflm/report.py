"""A finished evaluation: score rows, details and settings, as JSON, as a text table and as one HTML page."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

from difflm.metrics.base import Figure

LABELS = {
    "generated": "generated",
    "posterior": "decoded from encoded real rows",
    "decoder_alone": "decoder alone, no latent",
    "holdout": "unseen real rows (ceiling)",
    "independent": "independent columns",
    "copy": "copy of the training set",
}
NO_LATENT = (
    "No latent figures were given. A model that ignores its latent can score well on everything below, "
    "so these figures do not show that map, interpolation and control mean anything."
)


@dataclass
class ScoreRow:
    """The figures of one table of rows; None where a figure makes no sense for that table."""

    name: str
    count: int
    scores: dict[str, float | None]
    spread: dict[str, float] = field(default_factory=dict)
    """Standard deviation over generated sets, where there were several."""
    sets: int = 1

    @property
    def label(self) -> str:
        return LABELS.get(self.name, self.name)


@dataclass
class Report:
    """What `evaluate` returns; everything in it is plain data."""

    rows: list[ScoreRow]
    figures: list[Figure]
    latent: dict[str, Any] | None
    """kl (nats a row of the core), active (its dimensions), reconstruction (share of held-out cells), core (the
    same from the core alone), per_column, core_per_column."""
    details: dict[str, Any]
    settings: dict[str, Any]
    notes: list[str]

    def row(self, name: str = "generated") -> ScoreRow:
        """The score row of that name; KeyError with the names there are."""
        for row in self.rows:
            if row.name == name:
                return row
        raise KeyError(f"no row {name!r}; there are {', '.join(row.name for row in self.rows)}")

    def score(self, figure: str, row: str = "generated") -> float | None:
        """One figure of one row."""
        return self.row(row).scores[figure]

    def prior_gap(self) -> dict[str, tuple[float | None, float]]:
        """By figure: what the decoder costs (posterior against the ideal) and the prior on top of it.

        Both are positive where they make the figure worse; the decoder's is None where the ideal is not
        known (MLE without the copy row). Empty without posterior rows.
        """
        names = {row.name for row in self.rows}
        if not {"generated", "posterior"} <= names:
            return {}
        generated, posterior = self.row("generated").scores, self.row("posterior").scores
        copy = self.row("copy").scores if "copy" in names else {}
        gaps: dict[str, tuple[float | None, float]] = {}
        for figure in self.figures:
            a, b = generated.get(figure.name), posterior.get(figure.name)
            if a is None or b is None or figure.name == "raw_validity":
                continue
            ideal = copy.get(figure.name) if figure.name.startswith("mle") else figure.best
            if figure.goal != "target":
                sign = 1.0 if figure.goal == "min" else -1.0
                decoder = None if ideal is None else sign * (b - ideal) + 0.0
                gaps[figure.name] = (decoder, sign * (a - b) + 0.0)  # + 0.0: no "-0.00" in print
            elif ideal is not None:
                gaps[figure.name] = (abs(b - ideal), abs(a - ideal) - abs(b - ideal))
        return {name: gap for name, gap in gaps.items() if not name.endswith("_holdout")}

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types only; NaN and infinity become None."""
        return _safe(
            {
                "format": 1,
                "rows": [asdict(row) for row in self.rows],
                "figures": [figure.to_dict() for figure in self.figures],
                "latent": self.latent,
                "details": self.details,
                "settings": self.settings,
                "notes": self.notes,
            }
        )

    def to_json(self) -> str:
        return json.dumps(self.to_dict(), ensure_ascii=False, indent=1, allow_nan=False)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Report:
        return cls(
            rows=[ScoreRow(**row) for row in data["rows"]],
            figures=[Figure.from_dict(figure) for figure in data["figures"]],
            latent=data["latent"],
            details=dict(data["details"]),
            settings=dict(data["settings"]),
            notes=list(data["notes"]),
        )

    def summary(self) -> str:
        """Aligned text: latent use first, then a line per figure and a column per row of the report."""
        lines = [*self.latent_lines(), ""]
        table = [["", *(row.label for row in self.rows)]]
        table.append(["rows", *(_times(row) for row in self.rows)])
        for figure in self.figures:
            table.append([figure.label, *(self.cell(figure, row) for row in self.rows)])
        widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
        for line in table:
            cells = [
                line[0].ljust(widths[0]),
                *(c.rjust(w) for c, w in zip(line[1:], widths[1:], strict=True)),
            ]
            lines.append("  ".join(cells).rstrip())
        gaps = self.prior_gap()
        if gaps:
            by_name = {figure.name: figure for figure in self.figures}
            parts = [f"{by_name[n].label} {g[1]:+.{by_name[n].digits}f}" for n, g in gaps.items()]
            lines += ["", "Prior gap (generated against decoded from encoded real rows, + is worse): "]
            lines[-1] += "; ".join(parts)
        lines += ["", *self.setting_lines(), *self.notes]
        return "\n".join(lines)

    def latent_lines(self) -> list[str]:
        """Latent use in words."""
        if not self.latent:
            return [f"Latent use: unknown. {NO_LATENT}"]
        known = self.latent
        parts = []
        if known.get("kl") is not None:
            parts.append(f"KL {known['kl']:.2f} nats a row")
        if known.get("active") is not None:
            of = f" of {known['dimensions']}" if known.get("dimensions") else ""
            parts.append(f"{known['active']}{of} active dimensions")
        if known.get("reconstruction") is not None:
            parts.append(f"{known['reconstruction']:.1%} of held-out cells reconstructed exactly")
        if known.get("core") is not None:
            parts.append(f"{known['core']:.1%} from the core alone, which new rows are drawn from")
        return ["Latent use: " + (", ".join(parts) or "no figures")]

    def setting_lines(self) -> list[str]:
        """Data, sizes, seed, time and machine in words."""
        s = self.settings
        rows, where = s.get("rows", {}), s.get("machine", {})
        counts = ", ".join(f"{name} {value}" for name, value in rows.items())
        seconds = ", ".join(f"{name} {value} s" for name, value in s.get("seconds", {}).items())
        libraries = ", ".join(f"{name} {value}" for name, value in s.get("versions", {}).items())
        return [
            f"Data: {s.get('data') or 'unnamed'}; rows: {counts}; target: {s.get('target') or 'none'}; "
            f"seed {s.get('seed')}",
            f"Time: {s.get('seconds_total')} s ({seconds}) on {where.get('processor')}, "
            f"{where.get('threads_used')} of {where.get('cores')} cores used",
            f"Versions: {libraries}",
        ]

    def cell(self, figure: Figure, row: ScoreRow) -> str:
        """A figure as text, with its spread over generated sets where there is one."""
        value = row.scores.get(figure.name)
        if value is None:
            return "-"
        text = f"{value:.{figure.digits}f}"
        spread = row.spread.get(figure.name)
        return text if spread is None else f"{text} ± {spread:.{figure.digits}f}"

    def to_html(self) -> str:
        """One page without any outside file: opens offline, light or dark as the reader's system is."""
        from difflm.report_html import render

        return render(self)


def _times(row: ScoreRow) -> str:
    return f"{row.sets} x {row.count}" if row.sets > 1 else str(row.count)


def _safe(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): _safe(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_safe(item) for item in value]
    if isinstance(value, bool | str) or value is None:
        return value
    if isinstance(value, int):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    return _safe(value.item()) if hasattr(value, "item") else str(value)
