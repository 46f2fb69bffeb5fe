"""The corpus of the base models: what is gathered, its tokens, and how it lies on disk."""

from __future__ import annotations

import ast
import dataclasses
from collections import Counter
from multiprocessing.pool import ThreadPool
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from difflm.errors import RunError
from difflm.pretrain import corpus, documents, gathering, generator, licences, sources
from difflm.pretrain.corpus import Corpus
from difflm.pretrain.documents import HELD_OUT, KINDS, Document
from difflm.pretrain.packing import pack
from difflm.pretrain.sizes import SHARES, SIZES
from difflm.pretrain.tokenizer import SPECIAL, for_transformers, train_tokenizer

SMALL = dataclasses.replace(SIZES["tiny"], vocabulary=600, length=96, characters=300_000)


@pytest.fixture(scope="module")
def opened() -> list[Path]:
    """Files that were read while documents were gathered."""
    return []


@pytest.fixture(scope="module")
def secret(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of benchmark data."""
    folder = tmp_path_factory.mktemp("data")
    (folder / "secret.py").write_text("def secret():\n    return 'adult'\n" * 10)
    return folder


@pytest.fixture(scope="module")
def gathered(opened: list[Path], secret: Path) -> gathering.Gathered:
    read_bytes = Path.read_bytes

    def noted(path: Path) -> bytes:
        opened.append(path)
        return read_bytes(path)

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("DIFFLM_DATA", str(secret))
        patch.setattr(Path, "read_bytes", noted)
        return gathering.gather(SMALL, seed=0)


def test_benchmark_data_are_never_read(
    gathered: gathering.Gathered, opened: list[Path], secret: Path
) -> None:
    """Neither by name in the code, nor by a path that is opened while documents are gathered."""
    for path in Path(sources.__file__).parent.glob("*.py"):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        texts = [n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str)]
        told = ast.get_docstring(tree, clean=False)
        assert not any("DIFFLM_DATA" in text for text in texts if text != told), path.name
        imported = {n.module for n in ast.walk(tree) if isinstance(n, ast.ImportFrom)}
        readers = {"difflm.data", "difflm.data.paper", "difflm.data.builtin", "difflm.data.readers"}
        assert not imported & readers, path.name
    listed = {path for source in gathered.used for path in source.files.values()}
    assert opened and set(opened) <= listed
    assert not any(path.is_relative_to(secret) for path in [*listed, *opened])


def test_workers_make_little_that_nobody_takes() -> None:
    made: list[int] = []
    with ThreadPool(2) as pool:
        results = gathering._ahead(pool, lambda n: made.append(n) or n, range(1000), 4)
        assert [next(results) for _ in range(10)] == list(range(10))
    assert len(made) <= 14
    with ThreadPool(2) as pool:
        assert list(gathering._ahead(pool, str, range(7), 4)) == list("0123456")


def test_every_kind_is_gathered_up_to_its_share(gathered: gathering.Gathered) -> None:
    for kind in KINDS:
        documents = gathered.documents[kind]
        amount = sum(len(d.text) + len(d.before) for d in documents)
        longest = max(len(d.text) + len(d.before) for d in documents)
        assert 0.5 * SMALL.share(kind) < amount <= SMALL.share(kind) + longest, kind
        assert all(document.kind == kind for document in documents)
    assert sum(SHARES.values()) == pytest.approx(1)
    both = {document.source for document in gathered.documents["copy"]}
    assert generator.SOURCE in both and "python" in both


def test_the_same_seed_gathers_the_same_documents(
    gathered: gathering.Gathered, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "standard_library", lambda: gathered.used[0])
    monkeypatch.setattr(sources, "installed", lambda: (gathered.used[1:], gathered.refused))
    assert gathering.gather(SMALL, seed=0).documents == gathered.documents
    assert gathering.gather(SMALL, seed=1).documents["table"] != gathered.documents["table"]


def test_documents_of_one_origin_are_held_out_together() -> None:
    origins = [Document("code", str(i), "python", f"file {i // 3}") for i in range(30_000)]
    by_origin: dict[str, set[bool]] = {}
    for document in origins:
        by_origin.setdefault(document.origin, set()).add(document.held_out)
    assert all(len(sides) == 1 for sides in by_origin.values())
    assert sum(map(any, by_origin.values())) == pytest.approx(len(by_origin) / HELD_OUT, rel=0.3)


@pytest.fixture(scope="module")
def tokenizer(gathered: gathering.Gathered):  # type: ignore[no-untyped-def]
    return train_tokenizer((d.text for d in gathered.documents["code"]), 500)


@given(text=st.text(max_size=60))
def test_any_text_comes_back_exactly(tokenizer, text: str) -> None:  # type: ignore[no-untyped-def]
    text = text.encode("utf-8", "ignore").decode()
    ids = tokenizer.encode(text, add_special_tokens=False).ids
    assert tokenizer.decode(ids, skip_special_tokens=False) == text
    assert not set(ids) & set(range(len(SPECIAL))), "special tokens in a text are plain text"


def test_digits_stand_alone_and_no_space_is_added(tokenizer, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    digits = {tokenizer.token_to_id(str(digit)) for digit in range(10)}
    ids = tokenizer.encode('{"a": 1234, "b": -56.70}').ids
    assert sum(token in digits for token in ids) == 8
    pieces = tokenizer.get_vocab()
    assert all(sum(c.isdigit() for c in piece) <= 1 for piece in pieces) and len(pieces) == 500
    value = [tokenizer.encode(text).ids for text in ("clerk", '"clerk"', ",clerk,")]
    assert all(str(value[0])[1:-1] in str(one) for one in value), (
        "a value has the same tokens in every format"
    )
    assert tokenizer.encode("<|eos|> <|bos|>").ids[0] >= len(SPECIAL)

    from transformers import AutoTokenizer

    for_transformers(tokenizer, 256).save_pretrained(tmp_path)
    loaded = AutoTokenizer.from_pretrained(tmp_path)
    assert (loaded.bos_token_id, loaded.eos_token_id, loaded.pad_token_id) == (0, 1, 2)
    text = " def f(x):\n\treturn 'naïve' + x[12]\n"
    assert loaded(text)["input_ids"] == tokenizer.encode(text).ids
    assert loaded.decode(loaded(text)["input_ids"]) == text


@given(
    sizes=st.lists(st.integers(2, 40), min_size=1, max_size=40),
    length=st.integers(4, 16),
    seed=st.integers(0, 3),
)
def test_packing_predicts_every_token_once(sizes: list[int], length: int, seed: int) -> None:
    bounds = np.concatenate([[0], np.cumsum(sizes)])
    tokens = np.arange(1, bounds[-1] + 1, dtype=np.uint16)
    windows = pack(tokens, bounds[:-1], np.array(sizes), length, 0, seed)
    predicted: Counter[int] = Counter()
    for window in windows.pieces:
        assert 0 < sum(size for _, size in window) <= length + 1
        for start, size in window:
            predicted.update(range(start + 1, start + size))
    firsts = set(bounds[:-1].tolist())
    assert predicted == Counter(i for i in range(len(tokens)) if i not in firsts)
    whole = {piece for window in windows.pieces for piece in window}
    wanted = zip(bounds[:-1].tolist(), sizes, strict=True)
    assert all((start, size) in whole for start, size in wanted if size <= length + 1)
    again = pack(tokens, bounds[:-1], np.array(sizes), length, 0, seed)
    assert again.pieces == windows.pieces


@pytest.fixture(scope="module")
def built(gathered: gathering.Gathered, tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(corpus, "gather", lambda *rest: gathered)
        patch.setattr(documents, "HELD_OUT", 20)
        folder = tmp_path_factory.mktemp("work") / "corpus"
        return corpus.open_or_build(folder, SMALL, 0, 1, lambda text: None)


def test_the_corpus_on_disk_holds_every_document(built: Corpus, gathered: gathering.Gathered) -> None:
    tokenizer, kinds = built.tokenizer, built.manifest["kinds"]
    assert sum(told["tokens"] for told in kinds.values()) == len(built.tokens) == built.bounds[-1]
    for number, kind in enumerate(KINDS):
        places = np.flatnonzero(built.kinds == number)
        assert kinds[kind]["documents"] == len(places)
        kept = [tuple(built.tokens[built.bounds[i] : built.bounds[i + 1]].tolist()) for i in places[:20]]
        if kind in ("code", "tool", "text", "table", "json"):
            for ids, document in zip(kept, gathered.documents[kind], strict=False):
                assert ids[0] == built.special("<|bos|>") and ids[-1] == built.special("<|eos|>")
                assert tokenizer.decode(list(ids[1:-1]), skip_special_tokens=False) == document.text
    assert 0.01 < built.held.mean() < 0.2
    told = {source["name"]: source for source in built.manifest["sources"]}
    assert told["python"]["licence"] == "PSF-2.0" and told["generator"]["documents"] > 0
    assert all(licences.accepted(source["licence"]) for source in told.values())


def test_a_copy_stands_behind_what_it_is_told_by(built: Corpus, gathered: gathering.Gathered) -> None:
    bos, tokenizer = built.special("<|bos|>"), built.tokenizer
    by_text = {d.text: d for d in gathered.documents["copy"]}
    seen = Counter[str]()
    for i in np.flatnonzero(built.kinds == KINDS.index("copy")):
        ids = built.tokens[built.bounds[i] : built.bounds[i + 1]].tolist()
        assert len(ids) <= SMALL.length + 1 and ids.count(bos) == 1
        before, after = ids[: ids.index(bos)], ids[ids.index(bos) + 1 : -1]
        document = by_text.get(tokenizer.decode(after, skip_special_tokens=False))
        if document is None:
            continue
        seen[document.prefix] += 1
        if document.prefix == "same":
            assert before == after
        elif document.prefix == "shuffled":
            assert sorted(before) == sorted(after)
        elif document.prefix == "thinned":
            assert not Counter(before) - Counter(after)
    assert set(seen) == {"other", "same", "shuffled", "thinned"}


def test_training_and_held_out_windows_do_not_meet(built: Corpus) -> None:
    def covered(windows) -> set[int]:  # type: ignore[no-untyped-def]
        return {i for w in windows.pieces for start, size in w for i in range(start, start + size)}

    training = covered(built.training(96, 0))
    held = set().union(*(covered(built.held_out(kind, 96, 10**6)) for kind in KINDS))
    assert not training & held
    assert len(training) + len(held) >= 0.999 * len(built.tokens)
    few = built.held_out("table", 96, 300)
    assert 0 < sum(size for w in few.pieces for _, size in w) <= 300 + 2000


def test_an_existing_corpus_is_used_again_only_for_its_own_settings(
    built: Corpus, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus, "build", lambda *rest: "built anew")
    found = corpus.open_or_build(built.folder, SMALL, 0, 1, lambda text: None)
    assert found.manifest == built.manifest
    assert corpus.open_or_build(built.folder, SMALL, 1, 1, lambda text: None) == "built anew"
    with pytest.raises(RunError, match="the corpus that the training began with"):
        corpus.open_or_build(built.folder, SMALL, 1, 1, lambda text: None, resume=True)
    monkeypatch.setattr(corpus, "FORMAT", corpus.FORMAT + 1)
    with pytest.raises(RunError, match="a corpus of format"):
        Corpus(built.folder)
