"""Header fields out of whatever an administrator has: a message, a mailbox file, or text copied from a mail program."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterable
from dataclasses import dataclass

LIMIT = 1 << 20
"""Bytes that are looked at."""

FIELD_LIMIT = 10_000
"""Fields that are looked at."""

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029]")
_LINE_END = re.compile(r"\r\n|\r|\n")
_NAME = re.compile(r"([A-Za-z][\w.-]*)[ \t]*:(?=[ \t]|$|[^\s:])")
_HEXTET = re.compile(r"[0-9A-Fa-f]{1,4}:\S")
"""How a line begins that an IPv6 address begins: a field's name would look the same."""


@dataclass(frozen=True, slots=True)
class Field:
    """A field, its value unfolded. `index` is its place from the top."""

    index: int
    name: str
    value: str


def fields(raw: bytes) -> tuple[Field, ...]:
    """The fields down to the first blank line.

    Blank lines and anything else before the first field are skipped. A line that can't begin a field goes on with the
    one before, even if the white space that folding leaves has been lost.
    """
    found: list[tuple[str, list[str]]] = []
    for line in _LINE_END.split(_text(raw[:LIMIT])):
        if not line.strip():
            if found:
                break
            continue
        begins = None if line[0] in " \t" and found else _begin(line.lstrip())
        if begins is not None:
            if len(found) == FIELD_LIMIT:
                break
            found.append(begins)
        elif found:
            found[-1][1].append(line.strip())
    return tuple(Field(index, name, " ".join(parts).strip()) for index, (name, parts) in enumerate(found))


def by_name(header: Iterable[Field]) -> dict[str, list[str]]:
    """The values of each name, in lower case, from the top."""
    values: dict[str, list[str]] = {}
    for field in header:
        values.setdefault(field.name.lower(), []).append(field.value)
    return values


def _begin(line: str) -> tuple[str, list[str]] | None:
    match = _NAME.match(line)
    if match is None or _HEXTET.match(line):
        return None
    return match[1], [line[match.end() :].strip()]


def _text(raw: bytes) -> str:
    """Without control characters, which could take over the terminal that shows it."""
    return _CONTROL.sub(" ", _decoded(raw))


def _decoded(raw: bytes) -> str:
    """UTF-8, with Latin-1 for what isn't; UTF-16 where a byte order mark says so, as Windows' editors write it."""
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return raw.decode("utf-16", "replace")
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return raw.decode("latin-1")
