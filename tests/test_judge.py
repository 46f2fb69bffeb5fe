"""The LLM judge against a stub server on this machine: retries, repair, order, counts, and a key that stays secret."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from difflm.errors import ConfigError, DataError
from difflm.judging import ASPECTS, Endpoint, Judge, Scores, Unanswered, gap
from difflm.judging.judge import Counts, estimate
from difflm.judging.questions import fenced, read_choice, read_scores, score_question

Answer = tuple[int, str, dict[str, str]]


class Stub:
    """A chat endpoint whose answers a function gives; remembers what it was asked."""

    def __init__(self, answer: Callable[[list[dict[str, str]], int], str | Answer]) -> None:
        self.answer = answer
        self.asked: list[dict[str, Any]] = []
        self.headers: list[dict[str, str]] = []
        self.busy, self.most = 0, 0
        self.lock = threading.Lock()
        stub = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                with stub.lock:
                    stub.asked.append(body | {"path": self.path})
                    stub.headers.append(dict(self.headers))
                    number = len(stub.asked)
                    stub.busy += 1
                    stub.most = max(stub.most, stub.busy)
                found = stub.answer(body["messages"], number)
                status, text, headers = found if isinstance(found, tuple) else (200, _completion(found), {})
                with stub.lock:
                    stub.busy -= 1
                self.send_response(status)
                for name, value in headers.items():
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(text.encode())))
                self.end_headers()
                self.wfile.write(text.encode())

            def log_message(self, *_: Any) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.thread = threading.Thread(target=self.server.serve_forever, kwargs={"poll_interval": 0.02})
        self.thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server.server_address[1]}/v1"

    def close(self) -> None:
        self.server.shutdown()
        self.thread.join()
        self.server.server_close()


@pytest.fixture
def serve() -> Iterator[Callable[..., Stub]]:
    stubs: list[Stub] = []

    def start(answer: Callable[[list[dict[str, str]], int], str | Answer]) -> Stub:
        stubs.append(Stub(answer))
        return stubs[-1]

    yield start
    for stub in stubs:
        stub.close()


def _completion(content: Any) -> str:
    return json.dumps({"choices": [{"message": {"role": "assistant", "content": content}}]})


def marks(value: int, **changes: Any) -> str:
    return json.dumps({"reason": "", **dict.fromkeys([*ASPECTS["tool"], "overall"], value), **changes})


def endpoint(stub: Stub, **options: Any) -> Endpoint:
    return Endpoint(url=stub.url, model="stub", first_wait=0.01, **options)


def test_scores_come_back_in_order_with_intervals(serve: Callable[..., Stub]) -> None:
    stub = serve(lambda messages, _: marks(int(re.search(r"value (\d+)", messages[1]["content"])[1])))  # type: ignore[index]
    scores = Judge(endpoint(stub, concurrency=3), "tool").score([f"value {n}" for n in range(11)])
    assert [one["overall"] for one in scores.documents if one] == list(range(11))
    assert scores.counts == Counts(asked=11)
    found = scores.estimates()
    assert set(found) == {*ASPECTS["tool"], "overall"} and len(ASPECTS["tool"]) == 6
    assert found["overall"].mean == 5 and 2.5 < found["overall"].low < 5 < found["overall"].high < 7.5
    assert stub.most <= 3
    assert stub.asked[0]["path"] == "/v1/chat/completions" and stub.asked[0]["model"] == "stub"
    assert json.loads(json.dumps(scores.to_dict()))["counts"]["asked"] == 11


def test_one_repair_question_then_unparsable(serve: Callable[..., Stub]) -> None:
    def answer(messages: list[dict[str, str]], _: int) -> str:
        if "never" in messages[1]["content"]:
            return "I would say seven."
        return marks(7) if len(messages) == 4 else f"Sure! {marks(3)}"

    stub = serve(answer)
    scores = Judge(endpoint(stub, concurrency=1), "tool").score(["never", "later"])
    assert scores.documents == [None, dict.fromkeys([*ASPECTS["tool"], "overall"], 7)]
    assert scores.counts == Counts(asked=2, repaired=1, unparsable=1)
    assert len(stub.asked) == 4
    assert "not one JSON object" in stub.asked[1]["messages"][3]["content"]


def test_a_busy_server_is_asked_again_and_a_refusal_is_not(serve: Callable[..., Stub]) -> None:
    busy = serve(lambda _, number: (503, "", {}) if number < 3 else marks(5))
    assert Judge(endpoint(busy), "tool").score(["x"]).counts == Counts(asked=1)
    assert len(busy.asked) == 3
    waits: list[float] = []
    later = serve(lambda _, number: (429, "", {"Retry-After": "7"}) if number < 2 else "yes")
    assert endpoint(later).ask([{"role": "user", "content": "?"}], sleep=waits.append) == "yes"
    assert len(waits) == 1 and 5 < waits[0] < 9
    refused = serve(lambda _, __: (401, "secret details", {}))
    with pytest.raises(ConfigError, match=r"HTTP 401; check address, model and the key in DIFFLM_JUDGE_KEY"):
        Judge(endpoint(refused, concurrency=1), "tool").score(["x", "y", "z"])
    assert len(refused.asked) == 1


def test_what_is_not_answered_is_counted(serve: Callable[..., Stub]) -> None:
    def answer(messages: list[dict[str, str]], _: int) -> str | Answer:
        return (500, "", {}) if "bad" in messages[1]["content"] else marks(4)

    scores = Judge(endpoint(serve(answer), retries=1), "tool").score(["bad", "good"])
    assert scores.counts == Counts(asked=2, unanswered=1) and scores.documents[0] is None
    dead = serve(lambda _, __: (200, "{}", {}))
    with pytest.raises(Unanswered):
        endpoint(dead, retries=1).ask([])
    with pytest.raises(ConfigError, match="for every question"):
        Judge(endpoint(dead, retries=0), "tool").score(["x", "y"])


def test_the_key_is_sent_from_the_environment_and_kept_nowhere(
    serve: Callable[..., Stub], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DIFFLM_JUDGE_KEY", "very-secret")
    stub = serve(lambda _, __: marks(5))
    other = serve(lambda _, __: (302, "", {"Location": f"{stub.url}/chat/completions"}))
    asked = endpoint(stub)
    scores = Judge(asked, "tool").score(["x"])
    assert stub.headers[0]["Authorization"] == "Bearer very-secret"
    assert "very-secret" not in repr(asked) + json.dumps(scores.to_dict()) + json.dumps(stub.asked)
    with pytest.raises(ConfigError, match="HTTP 302") as caught:
        endpoint(other).ask([])
    assert "very-secret" not in str(caught.value) and len(stub.asked) == 1, "a redirect was followed"
    monkeypatch.delenv("DIFFLM_JUDGE_KEY")
    endpoint(stub).ask([])
    assert "Authorization" not in stub.headers[-1]


def test_addresses_that_would_leak_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    for url in ("ftp://host", "host/v1", "https://me:word@host/v1", "https://host/v1?key=word"):
        with pytest.raises(ConfigError):
            Endpoint(url=url, model="m")
    Endpoint(url="http://host/v1", model="m")
    monkeypatch.setenv("DIFFLM_JUDGE_KEY", "k")
    with pytest.raises(ConfigError, match="https"):
        Endpoint(url="http://host/v1", model="m")
    monkeypatch.delenv("DIFFLM_JUDGE_URL", raising=False)
    with pytest.raises(ConfigError, match="set DIFFLM_JUDGE_URL"):
        Endpoint.from_environment(model="m")
    monkeypatch.setenv("DIFFLM_JUDGE_URL", "https://host/v1")
    assert Endpoint.from_environment(model="m").url == "https://host/v1"


def sets(messages: list[dict[str, str]]) -> tuple[str, str]:
    first, second = re.findall(
        r"===== SET [AB] \w+ =====\n(.*?)\n===== END", messages[1]["content"], re.DOTALL
    )
    return first, second


def test_preference_asks_both_orders(serve: Callable[..., Stub]) -> None:
    def answer(messages: list[dict[str, str]], _: int) -> str:
        first, _ = sets(messages)
        if "order" in first:
            return '{"better": "A"}'
        if "same" in first:
            return '{"better": "equal"}'
        return json.dumps({"better": "A" if "good" in first else "B"})

    stub = serve(answer)
    real = {"a": ["good 1", "good 2"], "b": ["bad"], "c": ["order"], "d": ["same"], "only real": ["x"]}
    synthetic = {"a": ["bad 1"], "b": ["good", "good"], "c": ["order"], "d": ["same"], "none": []}
    found = Judge(endpoint(stub), "tool").prefer(real, synthetic)
    assert found.verdicts == {"a": "real", "b": "synthetic", "c": "tie", "d": "tie"}
    assert (found.disagreed, found.counts.asked, found.left_out) == (1, 8, ["none", "only real"])
    assert found.first_chosen == pytest.approx(4 / 6)
    shares = found.estimates()
    assert (shares["real"].mean, shares["tie"].mean) == (0.25, 0.5)
    for asked in stub.asked:
        first, second = sets(asked["messages"])
        assert len(first.split("\n\n")) == len(second.split("\n\n")) == 1, "as many of each"
    with pytest.raises(DataError):
        Judge(endpoint(stub), "tool").prefer({"a": ["x"]}, {"b": ["y"]})


def test_a_category_without_both_answers_has_no_verdict(serve: Callable[..., Stub]) -> None:
    def answer(messages: list[dict[str, str]], _: int) -> str:
        return "no idea" if sets(messages)[0] == "r" else '{"better": "A"}'

    found = Judge(endpoint(serve(answer)), "code").prefer({"a": ["r"]}, {"a": ["s"]})
    assert (found.verdicts, found.left_out, found.counts.unparsable) == ({}, ["a"], 1)
    assert found.estimates() == {}


def test_stopping_leaves_the_rest(serve: Callable[..., Stub]) -> None:
    stub = serve(lambda _, __: marks(5))
    judge = Judge(endpoint(stub, concurrency=1), "tool")
    scores = judge.score(["x"] * 5, should_stop=lambda: len(stub.asked) >= 2)
    assert scores.counts.asked == 2 and scores.documents[2:] == [None] * 3


@pytest.mark.parametrize(
    "answer",
    [
        marks(11),
        marks(-1),
        marks(5, overall=True),
        marks(5, overall="5"),
        marks(5, overall=5.5),
        marks(5, overall=10**400),
        marks(5, overall=None),
        "[1]",
        "",
        "{" * 100_000,
        marks(5) + marks(5),
        marks(5).replace('"overall": 5', '"overall": 1e999'),
        marks(5).replace('"overall": 5', '"overall": NaN'),
    ],
)
def test_strict_reading(answer: str) -> None:
    with pytest.raises(ValueError):
        read_scores("tool", answer)


def test_reading_allows_a_fence_and_whole_floats() -> None:
    assert read_scores("tool", f"```json\n{marks(5, overall=7.0)}\n```")["overall"] == 7
    assert read_choice('{"better": "equal", "reason": "x"}') == "equal"


@given(st.text())
@settings(deadline=None)
def test_reading_never_breaks_in_another_way(answer: str) -> None:
    for read in (lambda text: read_scores("tool", text), read_choice):
        with pytest.raises(ValueError):
            read(answer)


@given(st.text())
@settings(deadline=None)
def test_a_document_cannot_end_its_fence(text: str) -> None:
    last = fenced("RECORD", text).splitlines()[-1]
    assert last not in text
    assert text in score_question("text", text)[1]["content"]


def test_intervals_and_gap() -> None:
    assert estimate([3.0]).low == estimate([3.0]).high == 3
    wide, narrow = estimate([0.0, 10.0] * 4), estimate([0.0, 10.0] * 100)
    assert wide.high - wide.low > narrow.high - narrow.low > 0
    assert estimate([1.0, 2.0, 4.0], 3) == estimate([1.0, 2.0, 4.0], 3)
    low = Scores([{"overall": 4}, {"overall": 5}, None] * 20, Counts(), "m")
    high = Scores([{"overall": 8}, {"overall": 9}] * 20, Counts(), "m")
    assert gap(high, low)["overall"].mean == -4 and gap(high, low)["overall"].high < -3
    with pytest.raises(DataError):
        gap(low, Scores([None], Counts(), "m"))
