"""The commands. Thin: each reads its options, calls what does the work, and prints the result.

Modules of this package import nothing heavy at the top, so that `posthouse --help` answers at once.
"""

from __future__ import annotations

import io
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer.exceptions import TyperException

DONE, FAILED, MISUSED = 0, 1, 2


def main() -> None:
    if isinstance(sys.stdout, io.TextIOWrapper):  # to a file, Windows writes in an encoding that knows few characters
        sys.stdout.reconfigure(errors="backslashreplace")
    sys.exit(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command line. Returns its exit status; what went wrong is on standard error."""
    from typer.exceptions import TyperException

    from posthouse.cli.app import app

    try:
        status = app(arguments, prog_name="posthouse", standalone_mode=False)
    except TyperException as error:
        _complain(_usage_problem(error))
        return error.exit_code
    except Exception as error:
        from posthouse.cli.errors import lines_for_user

        lines = lines_for_user(error)
        if not lines:
            raise
        _complain(*lines)
        return FAILED
    return status if isinstance(status, int) else DONE


def _usage_problem(error: TyperException) -> str:
    """One line, with the command whose --help says more."""
    context = getattr(error, "ctx", None)
    place = context.command_path if context else "posthouse"
    text = error.format_message().replace("Value error, ", "").removesuffix(".")
    return f"{text}; see {place} --help"


def _complain(*lines: str) -> None:
    for line in lines:
        sys.stderr.write(f"posthouse: {line}\n")
