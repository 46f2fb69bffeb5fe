"""The README held against the disk: its map, its commands, its example and its links."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import pytest

from difflm.cli.command import build
from difflm.config import PRESETS

ROOT = Path(__file__).resolve().parents[1]
TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
SHOWN = re.sub(r"<!--.*?-->", "", TEXT, flags=re.DOTALL)
TINY = {
    "time_limit": 0.05,
    "vae.epochs": 1,
    "prior.steps": 5,
    "decoder.width": 32,
    "decoder.layers": 1,
    "encoder.width": 32,
    "encoder.layers": 1,
    "prior.width": 32,
}


def blocks(language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", SHOWN, flags=re.DOTALL)


def test_the_map_lists_every_module() -> None:
    lines = re.findall(r"^- `([^`]+\.py)`: (.+)$", TEXT, flags=re.MULTILINE)
    listed = [name for name, _ in lines]
    files = [ROOT / "app.py", *(ROOT / "pages").rglob("*.py"), *(ROOT / "difflm").rglob("*.py")]
    on_disk = {path.relative_to(ROOT).as_posix() for path in files}
    assert on_disk - set(listed) == set(), "give each a line in the README's file map"
    assert set(listed) - on_disk == set(), "gone from disk: take their lines out of the README"
    assert len(listed) == len(set(listed))


def test_the_two_commands_come_first() -> None:
    assert [line.split("#")[0].strip() for line in blocks("bash")[0].splitlines()] == [
        "make app",
        "make test",
    ]
    makefile = (ROOT / "Makefile").read_text()
    assert re.search(r"^app: ", makefile, re.MULTILINE)
    assert re.search(r"^test: ", makefile, re.MULTILINE)


def test_every_command_is_one_that_exists() -> None:
    lines = [line for block in blocks("bash") for line in block.splitlines() if line.startswith("difflm ")]
    assert lines
    for line in lines:
        build().parse_args(shlex.split(line, comments=True)[1:])


def test_files_that_are_linked_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)\)", SHOWN):
        if "://" not in target:
            assert (ROOT / target).exists(), f"the README shows {target}"


def test_the_example_runs(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (example,) = blocks("python")
    assert len([line for line in example.splitlines() if line.strip()]) == 5
    monkeypatch.setitem(PRESETS, "quick", TINY)
    monkeypatch.chdir(tmp_path)
    found: dict[str, object] = {}
    exec(compile(example, "README.md", "exec"), found)
    assert len(found["rows"]) == 1000  # type: ignore[arg-type]
    assert set(found["rows"]["sex"]) == {"Female"}  # type: ignore[index]
    assert (tmp_path / "models" / "tips" / "vae" / "model.safetensors").exists()
