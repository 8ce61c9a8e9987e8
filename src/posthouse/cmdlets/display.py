"""Objects as PowerShell shows them where a script doesn't say how: tables, lists, and plain lines.

https://learn.microsoft.com/powershell/scripting/samples/using-format-commands-to-change-output-view
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from posthouse.cmdlets.members import entries
from posthouse.cmdlets.numbers import format_value
from posthouse.cmdlets.registry import Registry
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Hashtable, PSObject, Value, items, type_name

FORMATTED = "Microsoft.PowerShell.Commands.Internal.Format.FormatEntryData"
_MOST_ITEMS = 4  # of an array that are shown ($FormatEnumerationLimit)
_MOST_IN_TABLE = 4  # properties; more are a list
_MOST_COLUMNS = 10  # of a table for which nobody named columns
_NAME_WIDTH = 30  # of the names in a hashtable's table
_NARROWEST = 4
_LONGEST_WRAPPED = 10_000
_LIST = 100  # what a list costs, in elements: lists in lists may be many and empty
_ELLIPSIS = "…"


@dataclass(frozen=True, slots=True)
class Column:
    """What a table or a list shows of each object."""

    label: str
    pick: Callable[[Value], Value]
    width: int = 0
    pattern: str = ""
    right: bool | None = None


def cell(value: Value, pattern: str = "") -> str:
    """A value in a table or list, on one line unless it has several."""
    if isinstance(value, list | bytes):
        shown = ", ".join(to_text(part) if isinstance(part, list) else cell(part) for part in value[:_MOST_ITEMS])
        return "{" + shown + (_ELLIPSIS if len(value) > _MOST_ITEMS else "") + "}"
    if isinstance(value, Hashtable):
        return cell([f"[{to_text(key)}, {to_text(part)}]" for key, part in value.items()])
    if pattern or isinstance(value, datetime):
        return format_value(value, pattern)
    return to_text(value)


def property_column(name: str) -> Column:
    return Column(name, lambda item: item.properties.get(name) if isinstance(item, PSObject) else None)


# Tables


def table(
    columns: Sequence[Column], rows: Sequence[Value], width: int, *, wrap: bool = False, header: bool = True
) -> str:
    """A table no wider than `width`: what doesn't fit is cut, or with `wrap` goes on in the next line."""
    texts = [[cell(column.pick(row), column.pattern) for column in columns] for row in rows]
    right = [_is_right(column, rows) for column in columns]
    widths = _fitted(
        [
            column.width or max(len(column.label), *(_width(row[i], wrap=wrap) for row in texts), 0)
            for i, column in enumerate(columns)
        ],
        width,
    )
    lines = [""]
    if header:
        labels = [column.label for column in columns]
        lines += _row_lines(labels, widths, right, wrap=False)
        lines += _row_lines(["-" * min(len(label), w) for label, w in zip(labels, widths, strict=True)], widths, right)
    for row in texts:
        lines += _row_lines(row, widths, right, wrap=wrap)
    return "\n".join([*lines, "", ""])


def _width(text: str, *, wrap: bool) -> int:
    first, broken, _ = text.partition("\n")
    return max(map(len, text.split("\n"))) if wrap else len(first) + len(_ELLIPSIS if broken else "")


def _is_right(column: Column, rows: Sequence[Value]) -> bool:
    """Numbers and booleans stand right, as the first row has them."""
    if column.right is not None:
        return column.right
    return isinstance(column.pick(rows[0]), bool | int | float) if rows else False


def _fitted(widths: list[int], available: int) -> list[int]:
    """The widest columns give way until all fit."""
    excess = sum(widths) + len(widths) - 1 - available
    while excess > 0 and max(widths) > _NARROWEST:
        widest = max(range(len(widths)), key=widths.__getitem__)
        others = sorted((w for i, w in enumerate(widths) if i != widest), reverse=True)
        less = min(excess, max(1, widths[widest] - max(others[0] if others else 0, _NARROWEST)))
        widths[widest] -= less
        excess -= less
    return widths


def _row_lines(texts: Sequence[str], widths: Sequence[int], right: Sequence[bool], *, wrap: bool = False) -> list[str]:
    cells = [_cell_lines(text, width, wrap=wrap) for text, width in zip(texts, widths, strict=True)]
    height = max(map(len, cells), default=0)
    lines: list[str] = []
    for number in range(height):
        parts = [lines_of[number] if number < len(lines_of) else "" for lines_of in cells]
        padded = [
            part.rjust(width) if side else part.ljust(width)
            for part, width, side in zip(parts, widths, right, strict=True)
        ]
        lines.append(" ".join(padded).rstrip())
    return lines


def _cell_lines(text: str, width: int, *, wrap: bool) -> list[str]:
    if wrap:
        return [part for line in text.split("\n") for part in _wrapped(line, max(1, width))]
    line, broken, _ = text.partition("\n")
    return [line[: max(0, width - 1)] + _ELLIPSIS if len(line) > width or broken else line]


def _wrapped(line: str, width: int) -> list[str]:
    """At spaces; `textwrap` takes quadratic time where a long line has none."""
    if len(line) > _LONGEST_WRAPPED:
        return [line[at : at + width] for at in range(0, len(line), width)]
    return textwrap.wrap(line, width) or [""]


# Lists


def listing(columns_of: Callable[[Value], Sequence[Column]], rows: Sequence[Value], width: int) -> str:
    """Each object as a paragraph, a line for each property."""
    paragraphs: list[str] = []
    for row in rows:
        columns = columns_of(row)
        label_width = max((len(column.label) for column in columns), default=0)
        lines = [
            line
            for column in columns
            for line in _property_lines(column.label.ljust(label_width), cell(column.pick(row), column.pattern), width)
        ]
        paragraphs.append("\n".join(lines) + "\n")
    return "\n" + "\n".join(paragraphs) + "\n"


def _property_lines(label: str, text: str, width: int) -> list[str]:
    room = max(1, width - len(label) - 3)
    parts = [line[at : at + room] for line in text.split("\n") for at in range(0, max(1, len(line)), room)]
    indent = " " * (len(label) + 3)
    return [f"{label} : {parts[0]}".rstrip(), *((indent + part).rstrip() for part in parts[1:])]


# What nobody formatted


class Display:
    """Gathers what comes until its kind changes, then shows it with `write`. `charge` counts what it walks through."""

    def __init__(
        self, registry: Registry, width: int, write: Callable[[str], None], charge: Callable[[int], None]
    ) -> None:
        self._registry = registry
        self._width = width
        self._write = write
        self._charge = charge
        self._kind: tuple[object, ...] = ()
        self._group: list[Value] = []

    def feed(self, value: Value) -> None:
        if isinstance(value, list | bytes):
            self._charge(_LIST + len(value))
            for part in items(value):
                self.feed(part)
        elif isinstance(value, PSObject | Hashtable) and not (isinstance(value, PSObject) and _is_line(value)):
            kind = _kind(value)
            if kind != self._kind:
                self.flush()
            self._kind = kind
            self._group.append(value)
        elif value is not None:
            self.flush()
            self._write(_line(value))

    def flush(self) -> None:
        """Show what was gathered."""
        group, self._group, self._kind = self._group, [], ()
        if group:
            self._write(self._shown(group))

    def _shown(self, group: list[Value]) -> str:
        if isinstance(group[0], Hashtable):
            return hashtable_text(group, self._width)
        columns, as_list = default_columns(group[0], self._registry)
        if as_list:
            return listing(lambda _: columns, group, self._width)
        return table(columns, group, self._width)


def _kind(value: Value) -> tuple[object, ...]:
    """What must be the same for two objects to share a table."""
    return (type_name(value), *(value.properties if isinstance(value, PSObject) else ()))


def _is_line(value: PSObject) -> bool:
    return value.type_name == FORMATTED or not value.properties


def _line(value: Value) -> str:
    if isinstance(value, PSObject) and value.type_name == FORMATTED:
        return value.text or ""
    if isinstance(value, datetime):
        return "\n" + format_value(value, "F") + "\n\n"
    return to_text(value) + "\n"


def hashtable_text(tables: Sequence[Value], width: int) -> str:
    rows = [entry for one in tables for entry in entries(one)]
    name = property_column("Name")
    longest = max((len(to_text(row.properties["Name"])) for row in rows), default=0)
    first = Column("Name", name.pick, max(_NAME_WIDTH, longest), right=False)
    value = property_column("Value")
    return table([first, Column("Value", value.pick, right=False)], rows, width)


def default_columns(value: PSObject, registry: Registry) -> tuple[list[Column], bool]:
    """What is shown of an object by itself, and whether as a list."""
    view = registry.view(value.type_name)
    names = [to_text(name) for name in (view.properties if view else value.properties)]
    as_list = view.as_list if view else len(names) > _MOST_IN_TABLE
    return [property_column(name) for name in names], as_list


def table_columns(value: Value, registry: Registry) -> list[Column]:
    """What Format-Table shows if nobody names columns."""
    if not isinstance(value, PSObject):
        return []
    return default_columns(value, registry)[0][:_MOST_COLUMNS]
