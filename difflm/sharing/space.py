"""The app as a folder for a Docker Space: the project itself, its Dockerfile, and a README with the front matter

Nothing but what the app needs: no tests, no benchmarks, no run but the bundled demos and the one that is asked for."""

from __future__ import annotations

import shutil
from pathlib import Path

from difflm.errors import RunError
from difflm.runs import Run

ROOT = Path(__file__).resolve().parents[2]
FILES = ("app.py", "pyproject.toml", "requirements.txt", "Dockerfile", "LICENSE", ".streamlit/config.toml")
FOLDERS = ("pages", "difflm", "assets", "checkpoints")
LEFT_OUT = ("__pycache__", "*.pyc", ".*.lock", ".lock", "*.egg-info")
PORT = 8501
OWN = (
    "data",
    "latents",
    "prior",
    "samples",
    "vae",
    "config.json",
    "metrics.jsonl",
    "report.json",
    "status.json",
)
"""What of a run goes along."""
WRITTEN = "<!-- written by difflm share --what space -->"
FRONT = """---
title: {title}
emoji: 🧬
colorFrom: blue
colorTo: yellow
sdk: docker
app_port: {port}
license: apache-2.0
---

# {title}

{written}
Synthetic records from a latent language model, and a look into its latent space. Visitors see the demos and what they
train themselves (up to three minutes, one at a time); nothing they bring is kept for more than a day. Set the variable
`DIFFLM_TRAINING` to `off` to have no training at all. The code is that of this Space.
"""


def write_space(folder: Path, run: Run | None = None, title: str = "DiffLM Studio") -> Path:
    """Copy the app into `folder`, with `run` among its demos; an earlier Space there is replaced.

    A run's training rows go along, since map and neighbours show them: only share a run whose rows may be seen."""
    missing = [name for name in (*FILES, *FOLDERS) if not (ROOT / name).exists()]
    if missing:
        raise RunError("a checkout of the project", f"a package without {missing[0]}", "clone the repository")
    place = folder.resolve()
    if place == ROOT or any(place.is_relative_to(ROOT / name) for name in FOLDERS):
        raise RunError(
            "a folder beside the project", f"{folder}, which is the project itself", "choose another"
        )
    if folder.exists() and not _earlier_space(folder):
        raise RunError(
            f"a new folder {folder}, or one with an earlier Space", "one with other files", "choose another"
        )
    if folder.exists():
        for name in (*FILES, *FOLDERS):
            shutil.rmtree(folder / name, ignore_errors=True)
    ignored = shutil.ignore_patterns(*LEFT_OUT)
    for name in FOLDERS:
        shutil.copytree(ROOT / name, folder / name, ignore=ignored)
    for name in FILES:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(ROOT / name, folder / name)
    if run is not None:
        _copy_run(run, folder / "checkpoints" / run.name)
    (folder / "README.md").write_text(FRONT.format(title=title, port=PORT, written=WRITTEN), encoding="utf-8")
    return folder


def _earlier_space(folder: Path) -> bool:
    """Whether nothing is lost when what is in `folder` is replaced: it is empty, or was written here."""
    if not folder.is_dir():
        return False
    readme = folder / "README.md"
    return not any(folder.iterdir()) or (readme.is_file() and WRITTEN in readme.read_text(encoding="utf-8"))


def _copy_run(run: Run, place: Path) -> None:
    if run.status.state not in ("done", "stopped"):
        raise RunError("a run that has ended", f"{run.name}, which is {run.status.state}", "let it end")
    for name in OWN:
        source, target = Path(run.path) / name, place / name
        if target.exists():
            continue
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(source, target)
