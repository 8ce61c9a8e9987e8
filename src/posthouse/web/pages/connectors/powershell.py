"""The cmdlet that makes a connector as it is, for `posthouse run`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from posthouse.admin import cmdlet_spelling
from posthouse.admin.migration.script import quoted


def new_connector(cmdlet: str, name: str, values: Mapping[str, Any]) -> str:
    """Of values as `Items` takes them. Defaults are left out, and so are passwords."""
    given = {key: value for key, value in values.items() if value not in (None, False, "")}
    if values["enabled"]:
        del given["enabled"]
    else:
        given["enabled"] = False
    lines = [f"{cmdlet} -Name {quoted(name)}"]
    lines += (f"-{cmdlet_spelling(key)} {_literal(value)}" for key, value in given.items())
    return " `\n    ".join(lines)


def _literal(value: Any) -> str:
    match value:
        case bool():
            return f"${str(value).lower()}"
        case int():
            return str(value)
        case list():
            return ", ".join(map(_literal, value))
        case {"user": user}:
            return f"@{{User={quoted(user)}; Password='…'}}"
        case {"thumbprint": thumbprint}:
            return quoted(thumbprint)
        case Mapping():
            return f"@{{{'; '.join(f'{cmdlet_spelling(key)}={_literal(part)}' for key, part in value.items())}}}"
        case _:
            return quoted(str(value))
