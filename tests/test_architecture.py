"""DESIGN's layers held against the imports that the files really have."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAYERS = (
    "errors config sections stage_sections schema columns conversion cells dates inference identifiers personal "
    "disk processes ranks runs precision memory seeding",
    "formats diffusion latent metrics provenance report report_html joint_svg estimates curves differences "
    "group_profile conditions",
    "data models priors artifact",
    "training generation privacy latent_ops latent_edits projection evaluation map_data core_use "
    "document_evaluation judging sandbox passk pretrain continued",
    "pipeline latent_use fitting",
    "jobs cli background benchmark ablation sharing scale __main__",
)
LAYER = {name: number for number, names in enumerate(LAYERS) for name in names.split()}
LIGHT = ("errors", "config", "schema", "runs")
HEAVY = {"torch", "sklearn", "transformers", "accelerate", "streamlit", "xgboost", "umap"}


def module_name(path: Path) -> str:
    """Dotted name of a file; a package's own file has the package's name."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


FILES = {module_name(path): path for path in sorted((ROOT / "difflm").rglob("*.py"))}


def imports(path: Path, *, everywhere: bool) -> Iterator[str]:
    """Modules that a file imports: on being imported, or with `everywhere` also inside functions."""
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for node in ast.walk(tree) if everywhere else at_import(tree.body):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: relative import"
            assert node.module is not None
            for name in node.names:
                inner = f"{node.module}.{name.name}"
                yield inner if inner in FILES else node.module


def at_import(body: list[ast.stmt]) -> Iterator[ast.stmt]:
    """Statements that run when the module is imported, without those for type checkers."""
    for node in body:
        yield node
        if isinstance(node, ast.If) and "TYPE_CHECKING" not in ast.unparse(node.test):
            yield from at_import([*node.body, *node.orelse])
        elif isinstance(node, ast.Try):
            yield from at_import([*node.body, *node.orelse, *node.finalbody])
        elif isinstance(node, ast.ClassDef | ast.With):
            yield from at_import(node.body)


def part(module: str) -> str:
    """The name in LAYERS that a module of difflm belongs to; "" for the package itself."""
    return module.split(".")[1] if "." in module else ""


def test_every_module_has_a_layer() -> None:
    parts = {part(module) for module in FILES} - {""}
    assert parts - set(LAYER) == set(), "new modules: give them a layer here and a line in the README"
    assert set(LAYER) - parts == set(), "gone from disk"


@pytest.mark.parametrize("module", [name for name in FILES if part(name)])
def test_imports_go_down(module: str) -> None:
    mine = LAYER[part(module)]
    for other in imports(FILES[module], everywhere=True):
        if other.split(".")[0] == "difflm" and part(other):
            assert LAYER[part(other)] <= mine, f"{module} (layer {mine}) imports {other}, which is above it"
        assert not other.startswith(("pages", "app", "streamlit")), f"{module} imports {other}"


def test_no_circles_when_imported() -> None:
    edges = {
        name: {o for o in imports(path, everywhere=False) if o in FILES and o != name}
        for name, path in FILES.items()
    }
    done: set[str] = set()

    def visit(name: str, above: tuple[str, ...]) -> None:
        assert name not in above, f"a circle: {' -> '.join([*above[above.index(name) :], name])}"
        if name not in done:
            for other in sorted(edges[name]):
                visit(other, (*above, name))
            done.add(name)

    for name in FILES:
        visit(name, ())


@pytest.mark.parametrize(
    ("name", "heavy"), [*((name, HEAVY) for name in LIGHT), ("pipeline", {"transformers"})]
)
def test_light_modules_stay_light(name: str, heavy: set[str]) -> None:
    """Tables are learned and written without the two seconds that `transformers` takes to come."""
    seen: set[str] = set()
    waiting = [f"difflm.{name}"]
    while waiting:
        module = waiting.pop()
        if module in seen:
            continue
        seen.add(module)
        for other in imports(FILES[module], everywhere=False):
            assert other.split(".")[0] not in heavy, f"{name} pulls in {other} through {module}"
            if other in FILES:
                waiting.append(other)


def test_only_known_packages_are_imported() -> None:
    """What is imported is in requirements.txt, so that a fresh machine has it."""
    text = (ROOT / "requirements.txt").read_text() + "\nscikit_learn umap_learn"
    named = {line.partition("==")[0].strip().replace("-", "_") for line in text.split()}
    known = named | {"sklearn", "umap", "difflm"} | set(sys.stdlib_module_names)
    for module, path in FILES.items():
        if path.parent.name == "peers":
            continue  # run by the Python of another environment
        for other in imports(path, everywhere=True):
            assert other.split(".")[0] in known, f"{module} imports {other}, which requirements.txt lacks"


def test_peers_and_difflm_do_not_know_each_other() -> None:
    for module, path in FILES.items():
        for other in imports(path, everywhere=True):
            if path.parent.name == "peers":
                assert other.split(".")[0] != "difflm", f"{module} runs where difflm is not installed"
            assert not other.startswith("difflm.benchmark.peers"), f"{module} imports the script {other}"
