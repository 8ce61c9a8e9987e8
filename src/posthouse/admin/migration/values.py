"""Values of a cmdlet's properties, in whatever form an export wrote them."""

from __future__ import annotations

import re
from typing import Any

_SEPARATORS = re.compile(r"[,\s|]+|;(?!\d+(?:$|[,\s|;]))")


def is_nothing(value: Any) -> bool:
    return value is None or value in ("", []) or value == {}


def truth(value: Any) -> bool | None:
    if isinstance(value, bool):
        return value
    return {"true": True, "false": False}.get(str(value).strip().casefold())


def texts(value: Any) -> list[str]:
    """A list, or the text that a list was joined to. `smtp:contoso.com;1` stays whole."""
    if is_nothing(value):
        return []
    if isinstance(value, list):
        return [text for one in value if (text := str(one).strip())]
    return [text for text in _SEPARATORS.split(str(value)) if text]
