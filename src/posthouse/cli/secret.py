"""Secrets for a command: from a variable, a file or a hidden prompt, never from the command line, which all can see."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import typer


@dataclass(frozen=True, slots=True)
class SecretSource:
    """Where a secret is said to be; `what` is how a prompt and errors call it."""

    what: str
    variable: str
    file: Path | None

    def given(self) -> str | None:
        """The secret in the variable or the file; None where neither was named."""
        if self.variable and self.file:
            raise typer.BadParameter(f"the {self.what} is in a variable or in a file; name one of them")
        if self.file:
            return _first_line(self.file, self.what)
        if self.variable and self.variable not in os.environ:
            from posthouse.admin.names import told_variable

            raise typer.BadParameter(
                f"the environment has no {told_variable(self.variable)}; set it to the {self.what}"
            )
        return os.environ[self.variable] if self.variable else None

    def asked(self) -> str | None:
        """What is typed at a hidden prompt; None where nobody sits at a terminal."""
        if not sys.stdin.isatty():
            return None
        from getpass import getpass

        return getpass(f"{self.what[0].upper()}{self.what[1:]}: ")


def _first_line(file: Path, what: str) -> str:
    try:
        first, _, _ = file.read_text("utf-8-sig").partition("\n")
    except ValueError:
        raise typer.BadParameter(f"{file}: no UTF-8 text; its first line should be the {what}") from None
    if not first:
        raise typer.BadParameter(f"{file}: its first line should be the {what}, but it is empty")
    return first
