"""An argparse parser whose errors have the project's form: expected, got, what to do."""

from __future__ import annotations

import argparse
import difflib
import re
from typing import Any, NoReturn

from difflm.errors import ConfigError


class Parser(argparse.ArgumentParser):
    """Raises ConfigError in place of printing a usage text and leaving."""

    def __init__(self, *args: object, **settings: object) -> None:
        super().__init__(*args, **{"allow_abbrev": False, **settings})  # type: ignore[arg-type]

    def parse_known_args(self, args: Any = None, namespace: Any = None) -> Any:
        """Refuse unknown options here, where the command's own options are known."""
        found, unknown = super().parse_known_args(args, namespace)
        if unknown:
            self.error(f"unrecognized arguments: {unknown[0]}")
        return found, unknown

    def error(self, message: str) -> NoReturn:
        """Turn argparse's message into a ConfigError."""
        help_text = f"see `{self.prog} --help`"
        if found := re.match(r"the following arguments are required: (.*)", message, re.DOTALL):
            raise ConfigError(f"{found[1]} after `{self.prog}`", "nothing", help_text)
        if found := re.match(r"unrecognized arguments: (\S+)", message):
            raise ConfigError(f"an option of `{self.prog}`", found[1], self._nearest(found[1]) or help_text)
        if found := re.match(
            r"argument (.*?): invalid choice: (.*?) \(choose from (.*)\)", message, re.DOTALL
        ):
            choices = found[3].replace("'", "")
            raise ConfigError(f"{found[1]} to be one of {choices}", found[2], help_text)
        if found := re.match(r"argument (.*?): invalid (\w+) value: (.*)", message, re.DOTALL):
            kind = {"int": "a whole number", "float": "a number"}.get(found[2], found[2])
            raise ConfigError(f"{kind} for {found[1]}", found[3], help_text)
        if found := re.match(r"argument (.*?): (.*)", message, re.DOTALL):
            raise ConfigError(f"a value for {found[1]}", found[2].replace("expected ", ""), help_text)
        raise ConfigError(f"arguments of `{self.prog}`", message, help_text)

    def _nearest(self, option: str) -> str:
        near = difflib.get_close_matches(option.partition("=")[0], self._option_string_actions, n=2)
        return f"did you mean {' or '.join(near)}?" if near else ""


def add_log_clip(parser: argparse.ArgumentParser) -> None:
    """The option of all commands that score."""
    parser.add_argument(
        "--log-clip",
        action="store_true",
        help="score a numeric target as log(clip(y, 1, 20000)), as that of paper/beijing is anyway",
    )
