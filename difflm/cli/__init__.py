"""The command line. `main` is what `difflm` and `python -m difflm` call."""

from __future__ import annotations

import sys
import warnings


def main() -> None:
    """Run the command in sys.argv and end the process: exit code 0, or 2 with one line on stderr."""
    from difflm.cli.command import execute

    if not sys.warnoptions:
        warnings.simplefilter("ignore")
    sys.exit(execute(sys.argv[1:]))
