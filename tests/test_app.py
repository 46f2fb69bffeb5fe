"""The states of every page, with fake runs and a fake model: no run, demo run, failed run, bad upload."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from tests.app_pages import Open, press, words
from tests.fakes import fake_report, fake_run, table

PAGES = ("home", "data", "train", "runs", "latent_map", "interpolate", "generate", "compare", "share")


@pytest.mark.parametrize("page", PAGES)
def test_every_page_says_what_to_do_when_there_is_nothing(open_page: Open, page: str) -> None:
    at = open_page(page)
    assert not at.error
    assert any(hint in words(at) for hint in ("Choose", "Upload", "trained", "Start with"))


@pytest.mark.parametrize("page", PAGES)
def test_every_page_shows_the_demo(open_page: Open, root: Path, page: str) -> None:
    fake_run(root / "demo-gapminder")
    at = open_page(page, run="demo-gapminder")
    assert not at.error and not at.warning


def test_home_needs_no_torch(open_page: Open, root: Path) -> None:
    fake_run(root / "demo-gapminder")
    before = "torch" in sys.modules
    at = open_page("home")
    assert ("torch" in sys.modules) is before
    assert "Records it made up" in words(at)


def test_home_shows_each_of_several_demos(open_page: Open, root: Path) -> None:
    for name in ("demo-gapminder", "demo-tools"):
        fake_run(root / name)
    at = open_page("home")
    assert "countries through the years" in words(at)
    at.segmented_control(key="home-demo").set_value("demo-tools").run()
    assert not at.exception and "tool definitions of the standard library" in words(at)
    press(at, "Use the demo")
    assert at.session_state["run"] == "demo-tools"


@pytest.mark.parametrize("page", ["latent_map", "interpolate", "generate", "compare"])
def test_pages_of_a_failed_run_offer_another_one(open_page: Open, root: Path, page: str) -> None:
    fake_run(root / "runs" / "broken", "failed", error="expected memory")
    fake_run(root / "demo-gapminder")
    at = open_page(page, run="broken")
    assert any("no usable run “broken”" in warning.value for warning in at.warning)


def test_a_failed_run_says_why_and_can_be_resumed(open_page: Open, root: Path) -> None:
    fake_run(root / "runs" / "broken", "failed", error="expected 4 GB, but got 1 GB")
    at = open_page("train", run="broken")
    at.segmented_control(key="train-view").set_value("Watch a run").run()
    assert "expected 4 GB, but got 1 GB" in words(at)
    assert "Resume" in [button.label for button in at.button]


def test_a_running_run_can_be_stopped_or_killed(open_page: Open, root: Path) -> None:
    run = fake_run(root / "runs" / "busy", "running")
    at = open_page("train")
    assert {"Stop and save", "Kill"} <= {button.label for button in at.button}
    press(at, "Stop and save")
    assert run.stop_requested()


def test_rows_written_during_training_are_judged_beside_real_ones(open_page: Open, root: Path) -> None:
    fake_run(root / "runs" / "busy", "running")
    said = words(open_page("train", run="busy"))
    assert "98% of them fit the schema" in said and "9.1 % (as many unseen real rows: 6.3 %)" in said


@pytest.mark.parametrize("stages", [("lm", "vae"), ("vae",)])
def test_a_training_without_stage_0_says_so(open_page: Open, root: Path, stages: tuple[str, ...]) -> None:
    metrics = fake_run(root / "runs" / "busy", "running").path / "metrics.jsonl"
    kept = [line for line in metrics.read_text().splitlines() if json.loads(line)["stage"] in stages]
    metrics.write_text("\n".join(kept) + "\n")
    said = words(open_page("train", run="busy"))
    assert ("this training begins with the latent space" in said) == ("lm" not in stages)


def test_collapse_is_said_in_words(open_page: Open, root: Path) -> None:
    fake_run(root / "runs" / "empty-latent", kl=0.2)
    at = open_page("train", run="empty-latent")
    at.segmented_control(key="train-view").set_value("Watch a run").run()
    assert "posterior collapse" in words(at)


def test_upload_is_understood_and_put_to_use(open_page: Open, root: Path) -> None:
    at = open_page("data")
    content = table().to_csv(index=False).encode()
    at.file_uploader[0].upload("animals.csv", content, "text/csv").run()
    assert not at.exception and not at.error
    assert "animals: 240 rows, 5 columns" in words(at)
    assert any('"animal"' in block.value for block in at.code)
    press(at, "Use this table")
    kept = list((root / "runs" / "uploads").glob("*/*.parquet"))
    assert len(kept) == 1 and kept[0].stat().st_mode & 0o077 == 0
    assert "Table: **animals**" in words(at)
    assert "Time, at most" in [metric.label for metric in at.metric]
    assert any(block.value.startswith("python -m difflm fit") for block in at.code)


def test_documents_are_understood_and_put_to_use(open_page: Open, root: Path) -> None:
    at = open_page("data")
    tools = [
        {"name": f"get_{i}", "parameters": {"properties": {"id": {"type": "integer"}}}} for i in range(30)
    ]
    lines = [*map(json.dumps, tools), json.dumps(tools[0]), '{"name": broken']
    at.file_uploader[0].upload("tools.jsonl", "\n".join(lines).encode(), "application/jsonl").run()
    assert not at.exception and not at.error
    assert "tools: 30 JSON documents" in words(at)
    assert at.json and "get_0" in at.json[0].value
    assert any("parameters" in str(frame.value) for frame in at.dataframe)
    assert [e.label for e in at.expander] == ["What is left out (2)"]
    press(at, "Use these documents")
    assert "Documents: **tools**, 30 JSON documents" in words(at)
    assert any("--format tool" in block.value for block in at.code)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("empty.csv", b""),
        ("header.csv", b"a,b\n"),
        ("one.csv", b"a,b\n1,2\n"),
        ("broken.parquet", b"PAR1 and nothing more"),
        ("list.json", b"[1, 2"),
    ],
)
def test_bad_upload_gets_one_clear_message(open_page: Open, name: str, content: bytes) -> None:
    at = open_page("data")
    at.file_uploader[0].upload(name, content, "application/octet-stream").run()
    assert not at.exception
    assert len(at.error) == 1
    assert "Traceback" not in at.error[0].value


def test_advanced_settings_reach_the_command(open_page: Open) -> None:
    at = open_page("train")
    at.selectbox(key="train-builtin").set_value("tips").run()
    at.number_input(key="set-quick-latent.slots").set_value(2).run()
    assert not at.exception
    assert any("--set latent.slots=2" in block.value for block in at.code)


def test_runs_lists_all_and_deletes_after_a_question(open_page: Open, root: Path) -> None:
    fake_run(root / "runs" / "one")
    fake_run(root / "demo-gapminder")
    at = open_page("runs")
    assert list(at.dataframe[0].value["Run"]) == ["one", "demo-gapminder (bundled demo)"]


def test_interpolation_by_row_number(open_page: Open, root: Path) -> None:
    fake_run(root / "demo-gapminder")
    at = open_page("interpolate", run="demo-gapminder")
    at.number_input(key="row-a-demo-gapminder").set_value(0).run()
    at.number_input(key="row-b-demo-gapminder").set_value(5).run()
    assert not at.exception
    assert "The way, row by row" in words(at)
    steps = at.dataframe[0].value
    assert list(steps["step"]) == ["A", *map(str, range(1, 8)), "B"]


def test_generation_streams_and_is_kept_for_the_map(open_page: Open, root: Path) -> None:
    run = fake_run(root / "runs" / "one")
    at = open_page("generate", run="one")
    at.number_input(key="gen-count-row").set_value(1_200).run()
    press(at, "Generate")
    figures = {metric.label: metric.value for metric in at.metric}
    assert figures["Rows"] == "1,200" and figures["Valid at the first try"] == "100.0%"
    assert len(list((run.path / "samples").glob("app-*.parquet"))) == 1
    at.switch_page("pages/latent_map.py").run()
    assert "1,200 synthetic rows" in words(at)


def test_a_point_shows_its_row_and_neighbours(open_page: Open, root: Path) -> None:
    fake_run(root / "demo-gapminder")
    at = open_page("latent_map", run="demo-gapminder")
    at.session_state["point-demo-gapminder"] = "r7"
    at.run()
    assert not at.exception
    assert "Real row 7" in words(at) and len(at.dataframe) == 2


def test_compare_shows_scores_with_references(open_page: Open, root: Path) -> None:
    run = fake_run(root / "demo-gapminder")
    fake_report(run)
    at = open_page("compare", run="demo-gapminder")
    assert not at.error
    card = at.dataframe[1].value
    assert "unseen real rows (ceiling)" in card.columns and "Shape error %" in list(card["score"])
    assert "Columns, worst first" in words(at)
    assert "%)" in next(box for box in at.selectbox if box.label == "Look into a pair").options[0]
    assert not any("by heart" in warning.value for warning in at.warning)


@pytest.mark.parametrize(("auc", "said"), [(0.51, "hardly finds any"), (0.8, "finds some of them")])
def test_compare_says_what_gives_rows_away(open_page: Open, root: Path, auc: float, said: str) -> None:
    run = fake_run(root / "demo-gapminder")
    fake_report(run)
    report = json.loads((run.path / "report.json").read_text())
    shares = [{"column": "size", "share": 0.7}, {"column": "animal", "share": 0.3}]
    report["details"]["c2st"] = {"rows_each": 190, "auc_xgb": [auc] * 3, "importance": shares}
    (run.path / "report.json").write_text(json.dumps(report))
    at = open_page("compare", run="demo-gapminder")
    assert f"AUC {auc:.2f}" in words(at) and said in words(at)
    assert any(list(frame.value.columns) == ["column", "share"] for frame in at.dataframe)


def test_compare_warns_of_rows_learned_by_heart(open_page: Open, root: Path) -> None:
    run = fake_run(root / "demo-gapminder")
    fake_report(run)
    report = json.loads((run.path / "report.json").read_text())
    report["rows"][0]["scores"]["near_copies"] = 0.8
    (run.path / "report.json").write_text(json.dumps(report))
    at = open_page("compare", run="demo-gapminder")
    assert any("by heart" in warning.value for warning in at.warning)


def test_compare_offers_to_evaluate(open_page: Open, root: Path) -> None:
    fake_run(root / "runs" / "one")
    at = open_page("compare", run="one")
    assert "Evaluate" in [button.label for button in at.button]


def test_delete_asks_and_then_removes_the_run(root: Path) -> None:
    run = fake_run(root / "runs" / "one")

    def page(path: str) -> None:
        from difflm.runs import Run
        from pages.shared.run_table import confirm_delete

        if Run.open(path).path.exists():
            confirm_delete(Run.open(path))

    at = AppTest.from_function(page, args=(str(run.path),), default_timeout=30).run()
    next(button for button in at.button if button.label == "Delete").click().run()
    assert not run.path.exists()
