"""The schema of a run, from its files."""

from __future__ import annotations

from pathlib import Path

from difflm.errors import RunError
from difflm.runs import Run
from difflm.schema import Schema


def schema_of(run: Run) -> Schema:
    """data/schema.json of a run."""
    try:
        return Schema.model_validate_json(
            (Path(run.path) / "data" / "schema.json").read_text(encoding="utf-8")
        )
    except (OSError, ValueError) as error:
        raise RunError(
            f"the schema of run {run.name}", "a file that is missing or broken", "train it again"
        ) from error
