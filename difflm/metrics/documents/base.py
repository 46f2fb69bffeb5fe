"""What a metric of documents is: a comparison of lists of texts, with a registry of its own."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar, Literal, TypeVar, overload

import numpy as np

from difflm.errors import ConfigError, DataError
from difflm.metrics.base import Figure, Result
from difflm.metrics.documents.shapes import UNREADABLE, Path, find_maps, read_json
from difflm.metrics.documents.syntax import Snippet, lexemes, read_code, words

DocumentKind = Literal["tool", "code", "text"]
KINDS: tuple[DocumentKind, ...] = ("tool", "code", "text")
Valid = Callable[[Any], bool]


class Documents(Sequence[str]):
    """Texts of one kind; what is read from them is read once."""

    def __init__(self, record: DocumentKind, texts: Iterable[str]) -> None:
        self.record = record
        self.texts = tuple(texts)

    @overload
    def __getitem__(self, index: int) -> str: ...
    @overload
    def __getitem__(self, index: slice) -> tuple[str, ...]: ...
    def __getitem__(self, index: int | slice) -> str | tuple[str, ...]:
        return self.texts[index]

    def __len__(self) -> int:
        return len(self.texts)

    @cached_property
    def tokens(self) -> list[list[str]]:
        """Words and signs of each document; of code without its comments."""
        return [lexemes(text) if self.record == "code" else words(text) for text in self.texts]

    @cached_property
    def snippets(self) -> list[Snippet | None]:
        """Code: the parsed snippets; None where one does not parse."""
        return [read_code(text) for text in self.texts]

    @cached_property
    def _read(self) -> list[tuple[Any, str]]:
        return [read_json(text) for text in self.texts]

    @cached_property
    def values(self) -> list[Any]:
        """Tools: the JSON values of the documents that are JSON."""
        return [value for value, _ in self._read if value is not UNREADABLE]

    @cached_property
    def keys(self) -> list[str]:
        """Equal for documents that say the same: layout, comments and the order of JSON keys do not count."""
        if self.record == "code":
            return [
                " ".join(text.split()) if one is None else one.key
                for text, one in zip(self.texts, self.snippets, strict=True)
            ]
        if self.record == "tool":
            return [key for _, key in self._read]
        return [" ".join(text.split()) for text in self.texts]

    @cached_property
    def readable(self) -> list[bool]:
        """Whether each document is what its kind says: parses, is JSON, or has something written in it."""
        if self.record == "code":
            return [one is not None for one in self.snippets]
        if self.record == "tool":
            return [value is not UNREADABLE for value, _ in self._read]
        return [bool(text.strip()) and "\ufffd" not in text and "\0" not in text for text in self.texts]


@dataclass
class DocumentBench:
    """The real side of a comparison: training documents, unseen ones, what makes a document valid, seed."""

    record: DocumentKind
    training: Documents
    holdout: Documents
    valid: Valid | None = None
    """Tools: whether a JSON value fits the schema; None where there is no schema."""
    seed: int = 0
    max_documents: int = 5_000
    """Metrics that compare documents one by one score a seeded subsample of at most this many."""
    cache: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        record: DocumentKind,
        training: Sequence[str],
        holdout: Sequence[str],
        *,
        json_schema: Mapping[str, Any] | Valid | None = None,
        seed: int = 0,
        max_documents: int = 5_000,
    ) -> DocumentBench:
        """From texts; DataError without documents on one side, ConfigError for a kind that is not known."""
        if record not in KINDS:
            raise ConfigError(f"a kind of document among {', '.join(KINDS)}", repr(record))
        for name, texts in (("training", training), ("unseen real", holdout)):
            if not len(texts):
                raise DataError(f"at least one {name} document", "none", "give a list of texts")
        valid = compile_schema(json_schema) if isinstance(json_schema, Mapping) else json_schema
        return cls(
            record, Documents(record, training), Documents(record, holdout), valid, seed, max_documents
        )

    def read(self, texts: Sequence[str]) -> Documents:
        """The texts with what is read from them; the same object where they have it already."""
        return texts if isinstance(texts, Documents) else Documents(self.record, texts)

    def rng(self, purpose: int) -> np.random.Generator:
        """Random numbers of one purpose, which do not change with what else is measured."""
        return np.random.default_rng([self.seed, purpose])

    @cached_property
    def maps(self) -> frozenset[Path]:
        """Tools: paths of objects whose keys are data, by the training documents."""
        return find_maps(self.training.values)

    def halved(self) -> tuple[DocumentBench, Documents]:
        """A bench whose unseen documents are one half of the holdout, and the other half to be scored."""
        order = self.rng(2).permutation(len(self.holdout))
        halves = [
            Documents(self.record, [self.holdout[int(i)] for i in sorted(part)])
            for part in np.array_split(order, 2)
        ]
        bench = DocumentBench(
            self.record, self.training, halves[0], self.valid, self.seed, self.max_documents
        )
        bench.cache |= {name: self.cache[name] for name in ("shingles",) if name in self.cache}
        return bench, halves[1]


def compile_schema(schema: Mapping[str, Any]) -> Valid:
    """Whether a value fits a JSON Schema; DataError for one that is no schema or looks outside itself."""
    from jsonschema.exceptions import SchemaError
    from jsonschema.validators import Draft202012Validator, validator_for

    kind = validator_for(schema, default=Draft202012Validator)
    try:
        kind.check_schema(schema)
    except SchemaError as error:
        raise DataError("a JSON Schema", f"one with {error.message}", "correct it") from error
    stack: list[Any] = [schema]
    while stack:
        item = stack.pop()
        if isinstance(item, Mapping):
            outside = [item.get(k) for k in ("$ref", "$dynamicRef")]
            if any(isinstance(ref, str) and not ref.startswith("#") for ref in outside):
                raise DataError(
                    "a JSON Schema that stands alone", "a $ref to another place", "put what it names into it"
                )
            stack += item.values()
        elif isinstance(item, list):
            stack += item
    return kind(schema).is_valid


class DocumentMetric(ABC):
    """A comparison of generated documents with the real ones of a bench."""

    name: ClassVar[str]
    records: ClassVar[tuple[DocumentKind, ...]] = KINDS
    """Kinds of document that it can score."""
    private: ClassVar[bool] = False
    """Compares training with unseen documents, so that the holdout has to be halved to be scored."""

    @abstractmethod
    def figures(self) -> tuple[Figure, ...]:
        """The numbers that `compute` returns, the main one first; it carries goal, bounds and meaning."""

    @abstractmethod
    def compute(self, bench: DocumentBench, synthetic: Sequence[str]) -> Result:
        """Score `synthetic`; the same bench (with its seed) and texts give the same figures."""

    def unknown(self, reason: str) -> Result:
        """No figure, and why."""
        return Result({figure.name: None for figure in self.figures()}, {}, [reason])


D = TypeVar("D", bound=DocumentMetric)
_REGISTRY: dict[str, type[DocumentMetric]] = {}


def register(metric: type[D]) -> type[D]:
    """Class decorator: makes a metric available under its `name`."""
    _REGISTRY[metric.name] = metric
    return metric


def document_metric_names(record: DocumentKind) -> list[str]:
    """Names of the metrics for a kind of document, in the order in which reports show them."""
    return [name for name, metric in _REGISTRY.items() if record in metric.records]


def resolve(name: str) -> type[DocumentMetric]:
    """The metric class of that name; ConfigError with the valid names otherwise."""
    if name not in _REGISTRY:
        raise ConfigError(f"a metric among {', '.join(_REGISTRY)}", repr(name), "choose one of these names")
    return _REGISTRY[name]
