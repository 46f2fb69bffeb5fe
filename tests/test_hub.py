"""Uploads: what the Hub is asked for, and one clear message for each way it can fail. No network."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import huggingface_hub
import pytest
from huggingface_hub import errors
from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

from difflm.cli.command import execute
from difflm.errors import ConfigError, DiffLMError
from difflm.sharing.hub import push

DEMO = Path(__file__).resolve().parents[1] / "checkpoints" / "demo-gapminder"


class FakeApi:
    """Notes what it is asked; fails as told."""

    calls: list[tuple[str, Any]] = []  # noqa: RUF012
    error: Exception | None = None

    def __init__(self, token: str | None = None) -> None:
        self.calls.append(("token", token))

    def create_repo(self, repo: str, **settings: Any) -> str:
        self.calls.append(("create", (repo, settings)))
        if self.error:
            raise self.error
        return f"address of {repo}"

    def upload_folder(self, **settings: Any) -> None:
        files = sorted(p.name for p in Path(settings["folder_path"]).iterdir())
        self.calls.append(("upload", (files, settings["repo_type"])))


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> type[FakeApi]:
    monkeypatch.setattr(FakeApi, "calls", [])
    monkeypatch.setattr(FakeApi, "error", None)
    monkeypatch.setattr(huggingface_hub, "HfApi", FakeApi)
    return FakeApi


def test_what_is_asked_for(api: type[FakeApi], tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("x")
    assert push(tmp_path, "me/thing", "model", "secret") == "address of me/thing"
    assert push(tmp_path, "me/thing", "page", private=False)
    created = [call[1][1] for call in api.calls if call[0] == "create"]
    assert created[0] == {"repo_type": "model", "private": True, "exist_ok": True, "space_sdk": None}
    assert created[1] == {"repo_type": "space", "private": False, "exist_ok": True, "space_sdk": "static"}
    assert [call[1] for call in api.calls if call[0] == "token"] == ["secret", None]
    uploads = [call[1] for call in api.calls if call[0] == "upload"]
    assert uploads == [(["a.txt"], "model"), (["README.md", "a.txt"], "space")]


@pytest.mark.parametrize("repo", ["thing", "a/b/c", "me/", "me/with space"])
def test_a_name_that_is_no_repository(api: type[FakeApi], tmp_path: Path, repo: str) -> None:
    with pytest.raises(ConfigError, match="owner/name"):
        push(tmp_path, repo, "model")
    assert not api.calls


def refused(status: int) -> HfHubHTTPError:
    answer: Any = SimpleNamespace(status_code=status, headers={}, request=None, text="")
    return HfHubHTTPError("no", response=answer)


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (refused(401), "may write"),
        (refused(403), "may write"),
        (refused(500), "answer 500"),
        (OfflineModeIsEnabled("off"), "HF_HUB_OFFLINE"),
        (vars(errors)["HTTPError"]("no route"), "no connection"),
        (OSError("down"), "no connection"),
    ],
)
def test_every_failure_has_one_message(
    api: type[FakeApi], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, told: str
) -> None:
    monkeypatch.setattr(api, "error", error)
    with pytest.raises(DiffLMError, match=told) as caught:
        push(tmp_path, "me/thing", "model", "hf_secret")
    assert "hf_secret" not in str(caught.value)


def test_the_command_pushes_the_model(api: type[FakeApi], capsys: pytest.CaptureFixture[str]) -> None:
    assert execute(["share", str(DEMO), "--what", "model", "--push", "me/demo"]) == 0
    assert "address of me/demo" in capsys.readouterr().out
    files = next(call[1][0] for call in api.calls if call[0] == "upload")
    assert "README.md" in files and "config.json" in files and "train.parquet" not in files
    assert execute(["share", str(DEMO)]) == 2


def test_space_folder_is_whole_and_has_no_strangers(tmp_path: Path) -> None:
    assert execute(["share", str(DEMO), "--what", "space", "--out", str(tmp_path / "space")]) == 0
    root = tmp_path / "space"
    front = (root / "README.md").read_text().split("---")[1]
    assert "sdk: docker" in front and "app_port: 8501" in front
    for name in ("app.py", "Dockerfile", "requirements.txt", ".streamlit/config.toml", "pages/home.py"):
        assert (root / name).is_file()
    assert (root / "checkpoints" / "demo-gapminder" / "vae" / "model.safetensors").is_file()
    names = [p.name for p in root.rglob("*")]
    assert not any(name.endswith((".lock", ".pyc")) or name in ("tests", ".git", ".venv") for name in names)
    assert execute(["share", str(DEMO), "--what", "space", "--out", str(root)]) == 0
    other = tmp_path / "other"
    (other / "pages").mkdir(parents=True)
    for name in ("Dockerfile", "pages/mine.py"):
        (other / name).write_text("x")
    (tmp_path / "file").write_text("x")
    project = DEMO.parents[1]
    for place in (other, tmp_path / "file", project, project / "checkpoints" / "space"):
        assert execute(["share", str(DEMO), "--what", "space", "--out", str(place)]) == 2
    assert (other / "pages" / "mine.py").exists() and (project / "pages" / "home.py").exists()
