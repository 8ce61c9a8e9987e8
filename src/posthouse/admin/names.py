"""What administrators and tokens may be called, and which names can be told."""

from __future__ import annotations

import re

from posthouse.admin.errors import AdminError

_is_name = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}").fullmatch

_is_variable = re.compile(r"[A-Z_][A-Z0-9_]*").fullmatch


def told_variable(name: str) -> str:
    """What is no usual name of a variable may be the secret itself, put where the variable's name belongs."""
    return name if _is_variable(name) else "variable of that name"


def checked_name(name: str) -> str:
    """In lower case, so that no two differ by case only. Raises `AdminError`."""
    lowered = name.strip().lower()
    if not _is_name(lowered):
        raise AdminError(
            f'"{name[:64].encode(errors="replace").decode()}" is no name; take up to 64 letters, digits, and . _ @ -'
        )
    return lowered
