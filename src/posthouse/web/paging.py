"""Pages of a collection that is in memory: filtered by name, sorted, and gone on with from a cursor."""

from __future__ import annotations

import base64
import binascii
import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any

from fastapi import Depends, Query

from posthouse.web.problems import Refusal

Row = Mapping[str, Any]

Limit = Annotated[int, Query(ge=1, le=1000, description="How many at most.")]
Cursor = Annotated[
    str | None,
    Query(max_length=1000, description="`next` of the page before; without it the first page.", pattern=r"^[\w.~=-]+$"),
]
Pattern = Annotated[
    str, Query(max_length=320, pattern=r"^[^\x00-\x1f\x7f]*$", description="With `*` as wildcard at either end.")
]


class Listing:
    """How a collection is asked for. It must have names that differ, under `key`."""

    def __init__(self, limit: int, cursor: str | None, sort: str, name: str) -> None:
        self._limit = limit
        self._cursor = cursor
        self._sort = sort
        self._name = name

    def page(self, rows: Sequence[Row], key: str) -> dict[str, Any]:
        """`value` with the rows, `next` with what continues them."""
        field = self._sort.removeprefix("-") or key
        if rows and field not in rows[0]:
            raise Refusal(
                HTTPStatus.UNPROCESSABLE_ENTITY, f"sort: there is no {field}; take one of {', '.join(rows[0])}"
            )
        keyed = sorted(((_sortable(row[field]), row[key]), row) for row in rows if _matches(str(row[key]), self._name))
        if self._sort.startswith("-"):
            keyed.reverse()
        if self._cursor is not None:
            last = _parsed(self._cursor)
            keyed = [(at, row) for at, row in keyed if (at < last if self._sort.startswith("-") else at > last)]
        more = len(keyed) > self._limit
        keyed = keyed[: self._limit]
        return {"value": [row for _, row in keyed], "next": _written(keyed[-1][0]) if more else None}


def _listing(
    limit: Limit = 100,
    cursor: Cursor = None,
    sort: Annotated[
        str, Query(max_length=64, pattern=r"^-?\w*$", description="A field to sort by; `-` before it turns it around.")
    ] = "",
    name: Pattern = "",
) -> Listing:
    return Listing(limit, cursor, sort, name)


Listed = Annotated[Listing, Depends(_listing)]


def _sortable(value: object) -> str:
    """Texts without regard to case, numbers by their size, nothing first; anything else as JSON writes it."""
    match value:
        case str():
            return value.casefold()
        case bool():
            return str(int(value))
        case int():
            return f"{value:020}"
        case None:
            return ""
    return json.dumps(value)


def _matches(name: str, pattern: str) -> bool:
    name, core = name.casefold(), pattern.casefold().removeprefix("*").removesuffix("*")
    match pattern[:1] == "*", pattern[-1:] == "*":
        case True, True:
            return core in name
        case True, False:
            return name.endswith(core)
        case False, True:
            return name.startswith(core)
    return not pattern or name == core


def _written(at: tuple[str, str]) -> str:
    return base64.urlsafe_b64encode(json.dumps(at).encode()).decode()


def _parsed(cursor: str) -> tuple[str, str]:
    try:
        value, name = json.loads(base64.urlsafe_b64decode(cursor))
    except (binascii.Error, ValueError, TypeError):
        value = name = None
    if not isinstance(value, str) or not isinstance(name, str):
        raise Refusal(
            HTTPStatus.UNPROCESSABLE_ENTITY, f'"{cursor}" is no cursor; give back the one that came with a page'
        )
    return value, name
