"""What administrators and tokens may be called."""

from __future__ import annotations

import re

from posthouse.admin.errors import AdminError

_is_name = re.compile(r"[a-z0-9][a-z0-9._@-]{0,63}").fullmatch


def checked_name(name: str) -> str:
    """In lower case, so that no two differ by case only. Raises `AdminError`."""
    lowered = name.strip().lower()
    if not _is_name(lowered):
        raise AdminError(
            f'"{name[:64].encode(errors="replace").decode()}" is no name; take up to 64 letters, digits, and . _ @ -'
        )
    return lowered
