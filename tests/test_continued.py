"""Continued pretraining: what is read lowers the held-out loss of what is like it; all by seed."""

from __future__ import annotations

from pathlib import Path

import pytest
import tiny_lm

from difflm.cli.command import execute
from difflm.continued import CONDITIONS, Settings, continue_pretraining, encoded, summary
from difflm.errors import DataError
from difflm.models.pretrained import load_tokenizer

REAL = [f'{{"name": "get_{i}", "kind": "user"}}' for i in range(24)]
OTHER = [f"def f{i}(x):\n    return x + {i}" for i in range(24)]
HELD = [f'{{"name": "get_{i}", "kind": "user"}}' for i in range(100, 110)]
QUICK = Settings(steps=12, batch_size=8, lr=5e-3, longest=60, seeds=(0, 1))


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> str:
    return str(
        tiny_lm.save_llama(tmp_path_factory.mktemp("lm") / "llama", tiny_lm.byte_level(eos_token="<e>"))
    )


def test_like_documents_help_more_than_others_and_seeds_repeat(path: str) -> None:
    made = continue_pretraining(path, REAL, OTHER, HELD, QUICK)
    rows = {row["condition"]: row for row in summary(made)}
    assert tuple(rows) == CONDITIONS
    assert rows["real"]["loss"] < rows["both"]["loss"] < rows["none"]["loss"]
    assert rows["real"]["loss"] < rows["synthetic"]["loss"]
    assert rows["real"]["seeds"] == 2 and rows["real"]["sd"] > 0 and rows["none"]["sd"] is None
    again = continue_pretraining(path, REAL, OTHER, HELD, QUICK)
    assert again == made


def test_characters_are_those_of_the_tokens_that_are_read(path: str) -> None:
    tokenizer = load_tokenizer(path)
    whole, cut = encoded(tokenizer, ["abc déf 😀"], 100)[0], encoded(tokenizer, ["abc déf 😀"], 3)[0]
    assert whole.characters == len("abc déf 😀") and whole.ids[-1] == tokenizer.eos_token_id
    assert len(cut.ids) == 3 and 0 < cut.characters < whole.characters
    with pytest.raises(DataError, match="synthetic"):
        continue_pretraining(path, REAL, [], HELD, QUICK)


def test_the_command_prints_the_table(path: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = {}
    other = [f'{{"size": {{"x": {i}}}}}' for i in range(12)]
    for name, texts in (("real", REAL), ("synthetic", other), ("holdout", HELD)):
        files[name] = tmp_path / f"{name}.jsonl"
        files[name].write_text("\n".join(texts))
    options = [part for name, file in files.items() for part in (f"--{name}", str(file))]
    common = ["--format", "tool", "--steps", "2", "--seeds", "0", "--json", str(tmp_path / "out.json")]
    assert execute(["continue-pretrain", path, *options, *common]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["read", *CONDITIONS]
    assert (tmp_path / "out.json").exists()
    assert execute(["continue-pretrain", path, "--real", str(files["real"])]) == 2
