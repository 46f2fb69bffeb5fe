"""Uploading to the Hugging Face Hub: a model, rows as a data set, the page or the whole app as a Space"""

from __future__ import annotations

import re
from pathlib import Path
from typing import Literal

from difflm.errors import ConfigError, DiffLMError

What = Literal["page", "model", "rows", "space"]
KINDS: dict[What, tuple[str, str | None]] = {
    "page": ("space", "static"),
    "model": ("model", None),
    "rows": ("dataset", None),
    "space": ("space", "docker"),
}
"""Type of the repository, and what runs it where it is a Space."""
NAME = re.compile(r"[\w.-]{1,96}/[\w.-]{1,96}")


def push(folder: Path, repo: str, what: What, token: str | None = None, private: bool = True) -> str:
    """Upload `folder` as `repo` (owner/name), made where it is not there yet; returns its address.

    `token` is used for this upload and kept nowhere; without one, that of the environment counts. Raises DiffLMError
    where the Hub cannot be reached, or refuses."""
    if not NAME.fullmatch(repo):
        raise ConfigError("a repository as owner/name", repr(repo), "take letters, digits, dot and dash")
    from huggingface_hub import HfApi, errors
    from huggingface_hub.errors import HfHubHTTPError, OfflineModeIsEnabled

    # The Hub's library changed its HTTP library; both name their base error alike.
    unreachable: tuple[type[Exception], ...] = (OSError, vars(errors)["HTTPError"])

    api, (kind, sdk) = HfApi(token=token), KINDS[what]
    if what == "page":
        (folder / "README.md").write_text("---\nsdk: static\n---\n", encoding="utf-8")
    try:
        made = api.create_repo(repo, repo_type=kind, private=private, exist_ok=True, space_sdk=sdk)
        api.upload_folder(folder_path=folder, repo_id=repo, repo_type=kind, commit_message="From difflm")
    except OfflineModeIsEnabled as error:
        raise DiffLMError("the Hub", "HF_HUB_OFFLINE, which keeps this app off it", "unset it") from error
    except HfHubHTTPError as error:
        status = getattr(error.response, "status_code", None)
        if status in (401, 403):
            raise ConfigError(
                f"a token that may write to {repo}", f"one that the Hub refuses ({status})", "make a new one"
            ) from None
        raise DiffLMError(f"the Hub to take {repo}", f"answer {status}: {str(error)[:200]}") from None
    except unreachable as error:
        raise DiffLMError(
            "the Hub", f"no connection ({type(error).__name__})", "check the network"
        ) from error
    return str(made)
