"""A corpus on disk: tokens of all documents in one file that is mapped into memory, an index, and a manifest.

Folder: tokens.bin (uint16), index.safetensors (bounds (n + 1,), kinds (n,), held (n,)), tokenizer.json, manifest.json.
Documents are `bos text eos`; a copy is `what it is told by, bos, text, eos`, as a soft prompt stands before bos later.
"""

from __future__ import annotations

import hashlib
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer

from difflm import disk
from difflm.errors import RunError
from difflm.pretrain.documents import KINDS, Document, digest, seeded
from difflm.pretrain.gathering import Gathered, gather
from difflm.pretrain.packing import Windows, pack
from difflm.pretrain.sizes import Size
from difflm.pretrain.tokenizer import BOS, EOS, PAD, SPECIAL, load_tokenizer, train_tokenizer

FORMAT = 1
"""Version of the corpus: its documents and its folder."""
TOKENIZER_CHARACTERS = 24_000_000
TOKENIZER_SHARES = {"code": 0.4, "tool": 0.2, "text": 0.2, "table": 0.1, "json": 0.1}
"""What the merges are learned from. Copies add nothing that is new."""
ENCODED_AT_ONCE = 2000
FEWEST_KEPT, MOST_KEPT = 0.5, 0.95
"""Share of its own tokens that a "thinned" prefix keeps."""

Say = Callable[[str], None]


class Corpus:
    """An open corpus; nothing is read before it is asked for."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest = disk.read_json(folder / "manifest.json")
        if self.manifest.get("format") != FORMAT:
            raise RunError(f"a corpus of format {FORMAT} in {folder}", "another one", "delete it")
        index = load_file(folder / "index.safetensors")
        self.bounds: NDArray[np.int64] = index["bounds"].numpy()
        self.kinds: NDArray[np.uint8] = index["kinds"].numpy()
        self.held: NDArray[np.bool_] = index["held"].numpy().astype(bool)
        self.tokens: NDArray[np.uint16] = np.memmap(folder / "tokens.bin", np.uint16, "r")

    @property
    def tokenizer(self) -> Tokenizer:
        """The tokenizer that wrote it."""
        return load_tokenizer(str(self.folder / "tokenizer.json"))

    def special(self, name: str) -> int:
        """Id of one of the tokenizer's special tokens."""
        return int(self.manifest["special"][name])

    def training(self, length: int, seed: int) -> Windows:
        """All documents that are trained on, packed for sequences of `length`."""
        return self._packed(np.flatnonzero(~self.held), length, seed)

    def held_out(self, kind: str, length: int, most: int) -> Windows:
        """About `most` tokens of held-out documents of one kind; the same for every seed of a training."""
        mine = np.flatnonzero(self.held & (self.kinds == KINDS.index(kind)))
        mine = np.random.default_rng(len(mine)).permutation(mine)
        sizes = np.minimum(self.bounds[mine + 1] - self.bounds[mine], most)
        return self._packed(mine[: int(np.searchsorted(np.cumsum(sizes), most)) + 1], length, 0)

    def _packed(self, chosen: NDArray[np.intp], length: int, seed: int) -> Windows:
        starts = self.bounds[chosen]
        return pack(self.tokens, starts, self.bounds[chosen + 1] - starts, length, self.special(PAD), seed)


def open_or_build(
    folder: Path, size: Size, seed: int, workers: int, say: Say, resume: bool = False
) -> Corpus:
    """The corpus in `folder` where it is that of this size and seed, else a new one in its place.

    With `resume` it must be there: a training goes on with the tokens that it began with."""
    if (folder / "manifest.json").exists():
        corpus = Corpus(folder)
        if corpus.manifest["settings"] == _settings(size, seed):
            return corpus
    if resume:
        raise RunError(f"the corpus that the training began with in {folder}", "none", "start it anew")
    return build(folder, size, seed, workers, say)


def build(folder: Path, size: Size, seed: int, workers: int, say: Say) -> Corpus:
    """Gather documents, learn the tokenizer, write the tokens; `folder` appears when all of it is there."""
    began = time.monotonic()
    gathered = gather(size, seed, workers, say)
    tokenizer = train_tokenizer(_sample(gathered, size, seed), size.vocabulary)
    say(f"learned a tokenizer of {tokenizer.get_vocab_size()} tokens")
    disk.make_folder(folder.parent)
    temporary = folder.with_name(f".{folder.name}.tmp")
    shutil.rmtree(temporary, ignore_errors=True)
    try:
        disk.make_folder(temporary)
        tokenizer.save(str(temporary / "tokenizer.json"))
        counts, dropped = _write(temporary, gathered, tokenizer, size)
        manifest = {
            "format": FORMAT,
            "settings": _settings(size, seed),
            "special": {name: number for number, name in enumerate(SPECIAL)},
            "kinds": counts,
            "duplicates": gathered.duplicates,
            "too_long_to_copy": dropped,
            "sources": _sources(gathered),
            "refused": [refused._asdict() for refused in gathered.refused],
            "sha256": {name: _sha256(temporary / name) for name in ("tokens.bin", "tokenizer.json")},
            "seconds": round(time.monotonic() - began, 1),
        }
        disk.write_json(temporary / "manifest.json", manifest)
        shutil.rmtree(folder, ignore_errors=True)
        temporary.rename(folder)
    except OSError as error:
        raise disk.explained(error, folder) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)
    say(f"wrote {sum(count['tokens'] for count in counts.values())} tokens to {folder}")
    return Corpus(folder)


def _settings(size: Size, seed: int) -> dict[str, Any]:
    wanted = ("name", "vocabulary", "length", "characters")
    return {"seed": seed, **{key: value for key, value in asdict(size).items() if key in wanted}}


def _sample(gathered: Gathered, size: Size, seed: int) -> Iterator[str]:
    """Texts for the tokenizer, none of them held out."""
    whole = min(TOKENIZER_CHARACTERS, size.characters)
    for kind, share in TOKENIZER_SHARES.items():
        wanted = [document for document in gathered.documents[kind] if not document.held_out]
        seeded(seed, "tokenizer", kind).shuffle(wanted)
        left = share * whole
        for document in wanted:
            if left <= 0:
                break
            left -= len(document.text)
            yield document.text


def _write(
    folder: Path, gathered: Gathered, tokenizer: Tokenizer, size: Size
) -> tuple[dict[str, dict[str, int]], int]:
    """tokens.bin and index.safetensors; what there is of each kind, and how many copies were too long."""
    bounds, kinds, held = [0], [], []
    counts = {kind: Counter[str]() for kind in KINDS}
    dropped = 0
    ends = (SPECIAL.index(BOS), SPECIAL.index(EOS))
    with (folder / "tokens.bin").open("wb") as file:
        for number, kind in enumerate(KINDS):
            every = gathered.documents[kind]
            for first in range(0, len(every), ENCODED_AT_ONCE):
                documents = every[first : first + ENCODED_AT_ONCE]
                for document, ids in zip(documents, _encode(tokenizer, documents, ends), strict=True):
                    if kind in ("pair", "copy") and len(ids) > size.length + 1:
                        dropped += 1
                        continue
                    file.write(np.array(ids, dtype=np.uint16).tobytes())
                    bounds.append(bounds[-1] + len(ids))
                    kinds.append(number)
                    held.append(document.held_out)
                    told = counts[kind]
                    told.update(documents=1, characters=len(document.text), tokens=len(ids))
                    told.update(held_documents=held[-1], held_tokens=held[-1] * len(ids))
    index = {
        "bounds": torch.tensor(bounds, dtype=torch.int64),
        "kinds": torch.tensor(kinds, dtype=torch.uint8),
        "held": torch.tensor(held, dtype=torch.uint8),
    }
    save_file(index, folder / "index.safetensors")
    return {kind: dict(count) for kind, count in counts.items()}, dropped


def _encode(
    tokenizer: Tokenizer, documents: Sequence[Document], ends: tuple[int, int]
) -> Iterator[list[int]]:
    """Token ids of documents, with special tokens."""
    bos, eos = ends
    texts = [d.text for d in documents] + [d.before for d in documents if d.prefix == "other"]
    encoded = [one.ids for one in tokenizer.encode_batch_fast(texts, add_special_tokens=False)]
    others = iter(encoded[len(documents) :])
    for document, ids in zip(documents, encoded, strict=False):
        yield [*_prefix(document, ids, others), bos, *ids, eos]


def _prefix(document: Document, ids: list[int], others: Iterator[list[int]]) -> list[int]:
    """What a copy is told by."""
    if document.prefix in ("", "same"):
        return ids if document.prefix else []
    if document.prefix == "other":
        return next(others)
    rng = np.random.default_rng(digest(f"{document.prefix} {document.text}"))
    if document.prefix == "shuffled":
        return [ids[i] for i in rng.permutation(len(ids))]
    kept = rng.random(len(ids)) < rng.uniform(FEWEST_KEPT, MOST_KEPT)
    return [token for token, keep in zip(ids, kept, strict=True) if keep]


def _sources(gathered: Gathered) -> list[dict[str, Any]]:
    """Every source that gave something, with its licence and how much it gave."""
    documents, characters = Counter[str](), Counter[str]()
    for kind in KINDS:
        for document in gathered.documents[kind]:
            documents[document.source] += 1
            characters[document.source] += len(document.text)
    known = {s.name: {"version": s.version, "licence": s.licence} for s in gathered.used}
    known["generator"] = {"version": str(FORMAT), "licence": "Apache-2.0"}
    return [
        {"name": name, **told, "documents": documents[name], "characters": characters[name]}
        for name, told in known.items()
        if documents[name]
    ]


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
