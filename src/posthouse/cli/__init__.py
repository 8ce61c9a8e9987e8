"""The commands. Thin: each reads its options, calls what does the work, and prints the result.

Modules of this package import nothing heavy at the top, so that `posthouse --help` answers at once.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typer.exceptions import TyperException

DONE, FAILED, MISUSED = 0, 1, 2


def main() -> None:
    _open_closed_streams()
    if isinstance(sys.stdout, io.TextIOWrapper):  # to a file, Windows writes in an encoding that knows few characters
        sys.stdout.reconfigure(errors="backslashreplace")
    status = run(sys.argv[1:])
    _drop_what_cannot_be_written()
    sys.exit(status)


def run(arguments: Sequence[str]) -> int:
    """Run one command line. Returns its exit status; what went wrong is on standard error."""
    from typer.exceptions import TyperException

    from posthouse.cli.app import app

    try:
        status = app(arguments, prog_name="posthouse", standalone_mode=False)
        sys.stdout.flush()
    except TyperException as error:
        _complain(_usage_problem(error))
        return error.exit_code
    except BrokenPipeError:  # whoever read it has seen enough
        return FAILED
    except Exception as error:
        from posthouse.cli.errors import lines_for_user

        lines = lines_for_user(error)
        if not lines:
            raise
        _complain(*lines)
        return FAILED
    return status if isinstance(status, int) else DONE


def _open_closed_streams() -> None:
    """After `2>&-` a stream is None, and the next file opened, the store perhaps, would be in its place."""
    if None not in (sys.stdin, sys.stdout, sys.stderr):
        return
    while (descriptor := os.open(os.devnull, os.O_RDWR)) <= 2:
        continue
    os.close(descriptor)
    sys.stdin = sys.stdin or os.fdopen(0)
    sys.stdout = sys.stdout or os.fdopen(1, "w")
    sys.stderr = sys.stderr or os.fdopen(2, "w")


def _drop_what_cannot_be_written() -> None:
    """Else Python tries once more when it ends, and complains in many lines."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage_problem(error: TyperException) -> str:
    """One line, with the command whose --help says more."""
    context = getattr(error, "ctx", None)
    place = context.command_path if context else "posthouse"
    text = error.format_message().replace("Value error, ", "").removesuffix(".")
    return f"{text}; see {place} --help"


def _complain(*lines: str) -> None:
    for line in lines:
        sys.stderr.write(f"posthouse: {line}\n")
