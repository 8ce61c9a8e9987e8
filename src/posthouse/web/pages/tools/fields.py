"""What somebody typed, as the API's models take it, and what they say is wrong with it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from posthouse.web.pages.texts import Texts

_PREFIX = "Value error, "


def given(typed: Mapping[str, Any]) -> dict[str, Any]:
    """An empty field is one that isn't given."""
    return {name: value for name, value in typed.items() if value not in ("", [], None)}


def errors_of_fields(error: ValidationError, text: Texts) -> dict[str, list[str]]:
    """By field; never with what was typed, which may be a password."""
    errors: dict[str, list[str]] = {}
    for each in error.errors(include_input=False, include_url=False, include_context=False):
        name = str(each["loc"][0]) if each["loc"] else ""
        said = text("Fill this in.") if each["type"] == "missing" else each["msg"].removeprefix(_PREFIX)
        errors.setdefault(name, []).append(said)
    return errors
