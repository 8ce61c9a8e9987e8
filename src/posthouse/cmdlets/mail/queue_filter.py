"""-Filter of the queue cmdlets: `FromAddress -like '*@contoso.com' -and Size -gt 1MB`.

https://learn.microsoft.com/exchange/mail-flow/queues/queues-and-messages-in-powershell
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from posthouse.cmdlets.conversion import DATE, ConversionError, number
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import Context
from posthouse.cmdlets.values import PSObject, Value

_CRITERION: Final = re.compile(
    r"\s*(\w+)\s+(-(?:eq|ne|gt|ge|lt|le|like|notlike))\s+(?:'([^']*)'|\"([^\"]*)\"|([^\s'\"]+))\s*", re.IGNORECASE
)
_AND: Final = re.compile(r"-and\b", re.IGNORECASE)
_LONGEST: Final = 2000


@dataclass(frozen=True, slots=True)
class _Criterion:
    name: str
    operator: str
    value: str


def parsed(text: str, context: Context) -> Callable[[PSObject], bool]:
    """Whether an object meets all criteria. Raises `PSError` for what can't be read."""
    criteria = list(_criteria(text))

    def meets(item: PSObject) -> bool:
        return all(_meets(item, criterion, context) for criterion in criteria)

    return meets


def _criteria(text: str) -> Iterator[_Criterion]:
    at = 0
    while True:
        found = _CRITERION.match(text, at) if len(text) <= _LONGEST else None
        if not found:
            raise _unreadable(text)
        value = next(part for part in found.groups()[2:] if part is not None)
        yield _Criterion(found[1], found[2].lower(), value)
        if found.end() == len(text):
            return
        joined = _AND.match(text, found.end())
        if not joined:
            raise _unreadable(text)
        at = joined.end()


def _unreadable(text: str) -> PSError:
    return PSError(
        f"The filter \"{text[:100]}\" can't be read; write it like \"FromAddress -like '*@contoso.com' -and Size -gt "
        '1MB", with -and between several.',
        category="InvalidArgument",
        error_id="InvalidFilter",
    )


def _meets(item: PSObject, criterion: _Criterion, context: Context) -> bool:
    if criterion.name not in item.properties:
        raise PSError(
            f"'{criterion.name}' is no property to filter by; there are {', '.join(item.properties)}.",
            category="InvalidArgument",
            error_id="InvalidFilter",
        )
    held = item.properties[criterion.name]
    return bool(context.operate(criterion.operator, held, _like(held, criterion.value)))


def _like(held: Value, text: str) -> Value:
    """The criterion's text as what the property holds."""
    if isinstance(held, int):
        found = number(text)
        return text if found is None else found
    if isinstance(held, datetime):
        try:
            date = DATE.convert(text)
            return date if date.tzinfo else date.replace(tzinfo=UTC)
        except ConversionError as error:
            raise PSError(str(error), category="InvalidArgument", error_id="InvalidFilter") from None
    return text
