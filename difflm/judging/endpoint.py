"""An OpenAI-compatible chat endpoint: one question, one answer, with retries; the key stays in the environment."""

from __future__ import annotations

import http.client
import json
import os
import random
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from difflm.errors import ConfigError, DiffLMError

URL, MODEL, KEY = "DIFFLM_JUDGE_URL", "DIFFLM_JUDGE_MODEL", "DIFFLM_JUDGE_KEY"
MAX_ANSWER = 1024**2
LONGEST_WAIT = 60.0
AGAIN = (408, 409, 425, 429, 500, 502, 503, 504)
"""Answers of a server that is busy or out of order, not of a question that is wrong."""
Message = Mapping[str, str]


class Unanswered(DiffLMError):
    """The endpoint gave no answer, also after the retries."""


@dataclass(frozen=True, kw_only=True)
class Endpoint:
    """Where to ask and how; nothing in it is secret."""

    url: str
    """Base address, such as https://host/v1; /chat/completions is added."""
    model: str
    key_variable: str = KEY
    """Environment variable with the key, read for each question and never kept; unset: asked without a key."""
    temperature: float = 0.0
    max_tokens: int = 800
    timeout: float = 120.0
    """Seconds for one answer."""
    retries: int = 4
    """After the first try; waits of 1, 2, 4, ... seconds, or as the server says."""
    first_wait: float = 1.0
    concurrency: int = 4
    """Questions under way at the same time."""
    json_mode: bool = False
    """Ask the server for a JSON object (`response_format`), where it knows that."""

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError("an address of the judge that begins with https://", repr(self.url))
        if parts.username or parts.password or parts.query:
            raise ConfigError(
                "an address of the judge without a name, a password or a query in it",
                "one with them",
                f"put the key into the environment variable {self.key_variable}",
            )
        if parts.scheme == "http" and not self.local and os.environ.get(self.key_variable):
            raise ConfigError(
                "https for a judge on another machine, since the key is sent to it", "http", "use https://"
            )
        if not self.model:
            raise ConfigError("the name of the judge's model", "none", f"set {MODEL}")
        if self.concurrency < 1 or self.retries < 0:
            raise ConfigError("concurrency of at least 1 and no negative retries", repr(self))

    @property
    def local(self) -> bool:
        """Whether the address is on this machine."""
        return urlsplit(self.url).hostname in ("localhost", "127.0.0.1", "::1")

    @classmethod
    def from_environment(cls, **options: Any) -> Endpoint:
        """Address and model from DIFFLM_JUDGE_URL and DIFFLM_JUDGE_MODEL; ConfigError where one is missing."""
        values = {}
        for name, variable in (("url", URL), ("model", MODEL)):
            values[name] = os.environ.get(variable, "")
            if not values[name] and name not in options:
                raise ConfigError(f"the judge's {name}", "none", f"set {variable}")
        return cls(**(values | options))

    def ask(self, messages: Sequence[Message], *, sleep: Callable[[float], None] = time.sleep) -> str:
        """The text of the answer. Unanswered after the retries; ConfigError where asking again is no use."""
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [dict(message) for message in messages],
            "temperature": self.temperature,
            "max_tokens": self.max_tokens,
        }
        if self.json_mode:
            body["response_format"] = {"type": "json_object"}
        wait, reason = self.first_wait, ""
        for attempt in range(self.retries + 1):
            if attempt:
                # Jitter: several questions that failed together do not come back together.
                sleep(min(wait, LONGEST_WAIT) * random.uniform(0.75, 1.25))
            wait = self.first_wait * 2**attempt
            try:
                return _content(self._post(body))
            except urllib.error.HTTPError as error:
                error.close()
                if error.code not in AGAIN:
                    raise ConfigError(
                        "an answer of the judge",
                        f"HTTP {error.code}",
                        f"check address, model and the key in {self.key_variable}",
                    ) from None
                reason = f"HTTP {error.code}"
                after = error.headers.get("Retry-After", "") if error.headers else ""
                wait = max(wait, float(after)) if after.isdigit() else wait
            except (OSError, http.client.HTTPException, ValueError) as error:
                reason = type(error).__name__
        raise Unanswered("an answer of the judge", reason, "try again later")

    def _post(self, body: Mapping[str, Any]) -> bytes:
        headers = {"Content-Type": "application/json"}
        key = os.environ.get(self.key_variable)
        if key:
            headers["Authorization"] = f"Bearer {key}"
        data = json.dumps(body).encode()
        request = urllib.request.Request(f"{self.url.rstrip('/')}/chat/completions", data, headers)
        opener = _DIRECT if self.local else _OPENER
        with opener.open(request, timeout=self.timeout) as response:
            answer: bytes = response.read(MAX_ANSWER + 1)
        if len(answer) > MAX_ANSWER:
            raise ValueError("too long")
        return answer


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the key to another host."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)
_DIRECT = urllib.request.build_opener(_NoRedirect, urllib.request.ProxyHandler({}))


def _content(answer: bytes) -> str:
    try:
        content = json.loads(answer)["choices"][0]["message"]["content"]
    except (KeyError, IndexError, TypeError, RecursionError) as error:
        raise ValueError("no chat completion") from error
    if not isinstance(content, str):
        raise ValueError("no text")
    return content
