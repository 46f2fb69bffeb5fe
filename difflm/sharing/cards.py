"""Cards that go with what is given away: what it was made from, how good it is, and what it is not"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from difflm.config import Config
from difflm.errors import DiffLMError
from difflm.report import Report
from difflm.runs import Run

NOT_PEOPLE = (
    "Every record is made by a model. None of them is a real person or event, and one that equals a real record does "
    "so by chance or because it was learned. There is no formal guarantee of privacy: read the scores on copies."
)
SHOWN = ("generated", "posterior", "decoder_alone", "holdout", "independent", "copy")


def model_card(run: Run) -> str:
    """Markdown for a folder with a trained model."""
    head = ["---", "library_name: difflm", "tags: [synthetic-data, difflm, tabular]", "---", ""]
    use = f'```python\nfrom difflm import DiffLM\n\nrows = DiffLM.from_pretrained("{run.name}").sample(1000)\n```'
    return "\n".join(
        [
            *head,
            f"# {run.name}",
            "",
            "A DiffLM model ([arXiv 2411.03250](https://arxiv.org/abs/2411.03250)): an encoder, a latent space with a "
            "prior, and a language model that writes records. The folder has no training rows in it.",
            "",
            use,
            "",
            *_origin(run),
            *_settings(run),
            *_scores(run),
            "## Limits",
            "",
            NOT_PEOPLE,
            "",
        ]
    )


def data_card(run: Run, rows: int, seed: int | None = None) -> str:
    """Markdown for a folder with generated rows."""
    made = "" if seed is None else f", seed {seed}"
    return "\n".join(
        [
            f"# {rows:,} synthetic records by {run.name}",
            "",
            f"Generated with difflm{made}. {NOT_PEOPLE}",
            "",
            *_origin(run),
            *_settings(run),
            *_scores(run),
        ]
    )


def _origin(run: Run) -> list[str]:
    """What the model learned from."""
    try:
        told = json.loads((Path(run.path) / "data" / "card.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        told = {}
    counts = told.get("rows", {})
    rows = ", ".join(f"{count:,} {part}" for part, count in counts.items()) or "not known"
    lines = [
        f"- data: {told.get('name', 'not known')}",
        f"- source: {told.get('source') or 'not stated'}",
        f"- licence of the source: {told.get('licence') or 'not stated; check before you pass anything on'}",
        f"- real records: {rows}",
        f"- fingerprint of the split: `{str(told.get('fingerprint', ''))[:16]}`",
    ]
    return ["## Made from", "", *lines, ""]


def _settings(run: Run) -> list[str]:
    values = {key: value for key, value in run.config.items() if key in Config.model_fields}
    config = Config.load(values)
    decoder = config.decoder.path or config.decoder.kind
    lines = [
        f"- command: `{run.config.get('command') or 'in Python'}`",
        f"- preset {config.preset}, {config.time_limit:g} minutes at most, seed {config.seed}, decoder {decoder}",
        f"- {run.status.message or run.status.state}",
    ]
    return ["## Training", "", *lines, ""]


def _scores(run: Run) -> list[str]:
    """The table of the run's report, with its reference rows; says so where there is none."""
    path = Path(run.path) / "report.json"
    try:
        report = Report.from_dict(json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError, DiffLMError):
        return ["## Scores", "", "Not scored yet: `difflm evaluate --real RUN`.", ""]
    figures = [f for f in report.figures if any(row.scores.get(f.name) is not None for row in report.rows)]
    table = ["| | " + " | ".join(f.label for f in figures) + " |", "|---" * (len(figures) + 1) + "|"]
    for row in report.rows:
        if row.name in SHOWN:
            cells = [_number(row.scores.get(f.name), f.digits) for f in figures]
            table.append(f"| {row.name.replace('_', ' ')} | " + " | ".join(cells) + " |")
    return ["## Scores", "", *table, ""]


def _number(value: Any, digits: int) -> str:
    return "" if value is None else f"{float(value):.{digits}f}"
