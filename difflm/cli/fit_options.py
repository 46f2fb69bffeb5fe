"""What `difflm fit` was asked to do: read from arguments, kept in the run's config, read back to resume."""

from __future__ import annotations

import argparse
import json
import shlex
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from difflm.cli.parser import Parser
from difflm.columns import Kind
from difflm.config import PRESETS, Config, settings
from difflm.errors import ConfigError, RunError
from difflm.runs import OnExisting, Run

IN_PLACE_OF = {
    "target": "target",
    "time_limit": "time_limit",
    "seed": "seed",
    "injection": "injection.kind",
    "beta": "beta.schedule",
}
"""Options that are a setting under another name."""


@dataclass(frozen=True, kw_only=True)
class FitRequest:
    """One training: the data, where the run is kept, and the settings."""

    data: str
    run: str
    validation: str | None
    config: Config
    command: str
    on_existing: OnExisting = "error"
    kinds: Mapping[str, str] = field(default_factory=dict)
    """Kinds of columns that are not left to inference."""

    def stored(self) -> dict[str, Any]:
        """The run's config.json: all settings, and beside them how the run was started."""
        values = json.loads(self.config.model_dump_json())
        return {
            **values,
            "command": self.command,
            "data": self.data,
            "validation": self.validation,
            "kinds": dict(self.kinds),
        }

    def overrides(self) -> dict[str, Any]:
        """Settings that differ from their preset, by dotted key."""
        own, preset = leaves(self.config), leaves(Config.from_preset(self.config.preset))
        return {key: value for key, value in own.items() if value != preset[key] and key != "preset"}

    @classmethod
    def of_run(cls, run: Run) -> FitRequest:
        """The request that a run keeps; a run of the Python facade has its data but no command."""
        values = run.config
        config = Config.load({key: value for key, value in values.items() if key in Config.model_fields})
        data = values.get("data")
        if data is None:
            if not (run.path / "data" / "schema.json").exists():
                raise RunError(f"the data of the run {run.name}", "none", "start it again with `difflm fit`")
            data = str(run.path / "data" / "train.parquet")
        return cls(
            data=str(data),
            run=str(run.path),
            validation=values.get("validation"),
            kinds=dict(values.get("kinds") or {}),
            config=config,
            command=str(values.get("command", "")),
        )


def add_options(parser: argparse.ArgumentParser) -> None:
    """The arguments of `difflm fit`."""
    add = parser.add_argument
    add(
        "data",
        nargs="?",
        metavar="DATA",
        help="CSV, TSV, Parquet (or a folder of it), JSON, JSONL, Excel, a folder or zip of source, or a built-in name",
    )
    add("--run", required=True, metavar="DIR", help="folder that keeps everything about this training")
    add("--target", metavar="COL", help="column that evaluation predicts")
    add("--val", metavar="DATA", help="validation rows of your own (default: a tenth of DATA)")
    add(
        "--kind", action="append", default=[], metavar="COL=KIND", help="kind of a column: " + ", ".join(Kind)
    )
    add("--format", default="auto", help="kind of record: auto, table, code, tool (JSON), text")
    add(
        "--column",
        metavar="COL",
        help="column or field that holds the documents (default: found by its cells)",
    )
    add("--preset", default="standard", help=", ".join(PRESETS))
    add(
        "--decoder",
        metavar="NAME_OR_PATH",
        help="compact, or a causal LM of transformers (frozen unless decoder.training=joint)",
    )
    add("--encoder", metavar="NAME_OR_PATH", help="compact, or an encoder of transformers")
    add(
        "--injection",
        metavar="KIND",
        help="how the latent enters the decoder: soft_prompt, prefix_soft_prompt, kv_memory, input_embed",
    )
    add("--beta", help="schedule of the KL weight: constant, linear, cyclical, decreasing")
    add("--time-limit", metavar="MINUTES", help="minutes for all of it, from reading to the first rows")
    add("--seed", metavar="N", help="seed of split, weights, batches and samples")
    add("--set", action="append", default=[], metavar="key=value", help="any setting, e.g. vae.lr=1e-3")
    add("--on-existing", choices=["error", "reset"], default="error", help="what to do with a finished run")
    add("--background", action="store_true", help="train in a process of its own and return at once")
    add("--from-run", action="store_true", help="take data and settings from the run (used by resume)")


def parse_fit(arguments: Sequence[str]) -> FitRequest:
    """The request in the arguments that follow `difflm fit`."""
    parser = Parser(prog="difflm fit")
    add_options(parser)
    return request_of(parser.parse_args(list(arguments)), list(arguments))


def request_of(options: argparse.Namespace, arguments: Sequence[str]) -> FitRequest:
    """The request in parsed options; ConfigError before anything is written."""
    if options.data is None:
        raise ConfigError("DATA after `difflm fit`", "nothing", "name a file or a built-in table")
    changes: dict[str, Any] = {} if options.format == "auto" else {"format.kind": options.format}
    if options.column is not None:
        changes["format.column"] = options.column
    for part in ("decoder", "encoder"):
        changes |= _model(part, getattr(options, part))
    given = {key: getattr(options, name) for name, key in IN_PLACE_OF.items()}
    changes |= {key: value for key, value in given.items() if value is not None}
    changes |= pairs(options.set)
    return FitRequest(
        data=options.data,
        run=options.run,
        validation=options.val,
        kinds=_kinds(options.kind),
        config=Config.from_preset(options.preset, changes),
        command=shlex.join(["difflm", "fit", *(a for a in arguments if a != "--background")]),
        on_existing=options.on_existing,
    )


def pairs(texts: Sequence[str]) -> dict[str, Any]:
    """Settings given as key=value."""
    found = {}
    for text in texts:
        key, sign, value = text.partition("=")
        if not sign:
            raise ConfigError("key=value after --set", repr(text), "for example --set vae.lr=1e-3")
        found[key.strip()] = value.strip()
    return found


def _kinds(texts: Sequence[str]) -> dict[str, str]:
    found = {}
    for text in texts:
        name, sign, kind = text.rpartition("=")
        if not sign or kind not in list(Kind):
            raise ConfigError(
                f"COL=KIND with a kind out of {', '.join(Kind)}", repr(text), "for example zip=category"
            )
        found[name] = kind
    return found


def _model(part: str, name: str | None) -> dict[str, str]:
    if name is None:
        return {}
    if name == "compact":
        return {f"{part}.kind": "compact"}
    kind = "causal_lm" if part == "decoder" else "transformers"
    return {f"{part}.kind": kind, f"{part}.path": name}


def leaves(config: Config) -> dict[str, Any]:
    """Every setting of `config` by dotted key."""
    values = config.model_dump()
    found = {}
    for setting in settings():
        value: Any = values
        for part in setting.key.split("."):
            value = value[part]
        found[setting.key] = value
    return found
