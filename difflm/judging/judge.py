"""An LLM as judge: scores of single documents, and preference between real and synthetic sets of a category."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np

from difflm.errors import ConfigError, DataError
from difflm.judging.endpoint import Endpoint, Unanswered
from difflm.judging.questions import (
    ASPECTS,
    Choice,
    preference_question,
    read_choice,
    read_scores,
    repair_question,
    score_question,
)

if TYPE_CHECKING:
    from difflm.metrics.documents import DocumentKind

RESAMPLES = 2_000
Progress = Callable[[float, str], None]
Verdict = Literal["real", "synthetic", "tie"]
R = TypeVar("R")


@dataclass
class Counts:
    """What became of the questions; nothing that went wrong is left out in silence."""

    asked: int = 0
    repaired: int = 0
    """Answers that could be read after the one repair question."""
    unparsable: int = 0
    """Answers that could not be read after it either."""
    unanswered: int = 0
    """Questions without an answer after the retries."""


@dataclass(frozen=True)
class Estimate:
    """A mean with its 95 % interval by bootstrap; low and high are the mean where there is one value."""

    mean: float
    low: float
    high: float
    count: int


@dataclass
class Scores:
    """Scores of documents, 0..10; None for a document without a readable answer."""

    documents: list[dict[str, int] | None]
    counts: Counts
    model: str
    seed: int = 0

    def estimates(self) -> dict[str, Estimate]:
        """By aspect and overall; empty where no answer could be read."""
        known = [one for one in self.documents if one is not None]
        return {
            name: estimate([one[name] for one in known], self.seed) for name in (known[0] if known else ())
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        figures = {name: asdict(value) for name, value in self.estimates().items()}
        return {
            "model": self.model,
            "estimates": figures,
            "counts": asdict(self.counts),
            "documents": self.documents,
        }


@dataclass
class Preferences:
    """Verdicts by category; a tie where the judge says equal, or another thing when asked in the other order."""

    verdicts: dict[str, Verdict]
    disagreed: int
    """Ties because the two orders gave two answers."""
    first_chosen: float | None
    """Share of the sets asked first among those that were chosen: far from a half, the judge looks at the order."""
    counts: Counts
    model: str
    left_out: list[str] = field(default_factory=list)
    """Categories that only one side has, or for which an answer could not be had or read."""
    seed: int = 0

    def estimates(self) -> dict[str, Estimate]:
        """Shares of real, synthetic and tie over categories; empty without a verdict."""
        values = list(self.verdicts.values())
        return {
            side: estimate([float(value == side) for value in values], self.seed)
            for side in (("real", "synthetic", "tie") if values else ())
        }

    def to_dict(self) -> dict[str, Any]:
        """Plain JSON types."""
        return asdict(self) | {"estimates": {name: asdict(value) for name, value in self.estimates().items()}}


class Judge:
    """Asks an endpoint about documents of one kind."""

    def __init__(self, endpoint: Endpoint, record: DocumentKind, *, seed: int = 0) -> None:
        if record not in ASPECTS:
            raise ConfigError(f"a kind of document among {', '.join(ASPECTS)}", repr(record))
        self.endpoint, self.record, self.seed = endpoint, record, seed

    def score(
        self,
        documents: Sequence[str],
        *,
        on_progress: Progress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Scores:
        """Six aspects and an overall score of each document; when told to stop, the rest stays None."""
        counts = Counts()
        scores: list[dict[str, int] | None] = [None] * len(documents)
        questions = [score_question(self.record, text) for text in documents]
        for number, found in self._answers(
            questions, lambda answer: read_scores(self.record, answer), counts, on_progress, should_stop
        ):
            scores[number] = found
        return Scores(scores, counts, self.endpoint.model, self.seed)

    def prefer(
        self,
        real: Mapping[str, Sequence[str]],
        synthetic: Mapping[str, Sequence[str]],
        *,
        per_category: int = 10,
        on_progress: Progress | None = None,
        should_stop: Callable[[], bool] = lambda: False,
    ) -> Preferences:
        """Which side is better in each category that both have, asked in both orders.

        Both sides show as many documents, at most `per_category`, drawn by the seed. DataError where the two
        have no category in common.
        """
        shared = sorted(name for name in real if real[name] and synthetic.get(name))
        left_out = sorted({*real, *synthetic} - set(shared))
        if not shared:
            raise DataError("a category with real and with synthetic documents", "none")
        rng = np.random.default_rng(self.seed)
        questions, places = [], []
        for name in shared:
            size = min(per_category, len(real[name]), len(synthetic[name]))
            drawn = [
                [side[name][int(i)] for i in rng.choice(len(side[name]), size, replace=False)]
                for side in (real, synthetic)
            ]
            for order in (("real", "synthetic"), ("synthetic", "real")):
                sets = drawn if order[0] == "real" else drawn[::-1]
                questions.append(preference_question(self.record, name, *sets))
                places.append((name, order))
        counts = Counts()
        chosen: dict[str, list[str]] = {name: [] for name in shared}
        letters: list[Choice] = []
        for number, choice in self._answers(questions, read_choice, counts, on_progress, should_stop):
            name, (first, second) = places[number]
            chosen[name].append({"A": first, "B": second, "equal": "tie"}[choice])
            letters.append(choice)
        verdicts: dict[str, Verdict] = {}
        disagreed = 0
        for name, answers in chosen.items():
            if len(answers) < 2:
                left_out.append(name)
                continue
            agree = answers[0] == answers[1]
            disagreed += not agree
            verdicts[name] = (
                "real" if answers == ["real"] * 2 else "synthetic" if answers == ["synthetic"] * 2 else "tie"
            )
        picked = [letter for letter in letters if letter != "equal"]
        first_chosen = picked.count("A") / len(picked) if picked else None
        return Preferences(
            verdicts, disagreed, first_chosen, counts, self.endpoint.model, sorted(left_out), self.seed
        )

    def _answers(
        self,
        questions: Sequence[list[dict[str, str]]],
        read: Callable[[str], R],
        counts: Counts,
        on_progress: Progress | None,
        should_stop: Callable[[], bool],
    ) -> Iterator[tuple[int, R]]:
        """(position, what was read) of each question with a readable answer, as they come; counts the others.

        ConfigError where the endpoint refuses, or where none of the questions got any answer.
        """
        waiting = iter(enumerate(questions))
        running: dict[Future[tuple[R, bool]], int] = {}
        reason: Unanswered | None = None
        with ThreadPoolExecutor(self.endpoint.concurrency) as pool:
            try:
                while True:
                    while len(running) < self.endpoint.concurrency and not should_stop():
                        entry = next(waiting, None)
                        if entry is None:
                            break
                        counts.asked += 1
                        running[pool.submit(self._one, entry[1], read)] = entry[0]
                    if not running:
                        break
                    for future in wait(running, return_when=FIRST_COMPLETED).done:
                        number = running.pop(future)
                        try:
                            found, repaired = future.result()
                        except Unanswered as error:
                            counts.unanswered += 1
                            reason = error
                        except ValueError:
                            counts.unparsable += 1
                        else:
                            counts.repaired += repaired
                            yield number, found
                        if on_progress:
                            on_progress((counts.asked - len(running)) / len(questions), "asking the judge")
            finally:
                for future in running:
                    future.cancel()
        if reason is not None and counts.unanswered == counts.asked:
            raise ConfigError(
                "an answer of the judge", f"{reason.got} for every question", "check the address"
            )

    def _one(self, question: list[dict[str, str]], read: Callable[[str], R]) -> tuple[R, bool]:
        """(what was read, whether only after the repair question)."""
        answer = self.endpoint.ask(question)
        try:
            return read(answer), False
        except ValueError as problem:
            said = {"role": "assistant", "content": answer}
            again = self.endpoint.ask([*question, said, repair_question(str(problem))])
        return read(again), True


def estimate(values: Sequence[float], seed: int = 0) -> Estimate:
    """Mean and 95 % percentile interval over resamples of the values (n,), at least one."""
    array = np.asarray(values, np.float64)
    draws = np.random.default_rng(seed).integers(0, len(array), (RESAMPLES, len(array)))
    low, high = np.quantile(array[draws].mean(1), [0.025, 0.975])
    return Estimate(float(array.mean()), float(low), float(high), len(array))


def gap(real: Scores, synthetic: Scores, seed: int = 0) -> dict[str, Estimate]:
    """Synthetic minus real, by aspect and overall, with 95 % intervals over resamples of both sides."""
    sides = [[one for one in scores.documents if one is not None] for scores in (synthetic, real)]
    if not all(sides):
        raise DataError("readable scores on both sides", "none on one of them")
    rng = np.random.default_rng(seed)
    result = {}
    for name in sides[0][0]:
        arrays = [np.array([one[name] for one in side], np.float64) for side in sides]
        means = [a[rng.integers(0, len(a), (RESAMPLES, len(a)))].mean(1) for a in arrays]
        low, high = np.quantile(means[0] - means[1], [0.025, 0.975])
        mean = float(arrays[0].mean() - arrays[1].mean())
        result[name] = Estimate(mean, float(low), float(high), min(map(len, arrays)))
    return result
