"""Results on standard output: a table for people, JSON for programs."""

from __future__ import annotations

import io
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from itertools import zip_longest
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from rich.table import Table

_UNBOUNDED = 10_000  # columns; where nobody looks at a screen, no cell is cut or wrapped
_PAIR = 2  # columns that stay a table on the narrowest terminal
_GAP = 3  # between two columns


def show_rows(rows: Sequence[Mapping[str, object]], columns: Mapping[str, str], *, as_json: bool) -> None:
    """`rows` as JSON, or those of their keys that `columns` gives a heading as a table."""
    if as_json:
        show_json(rows)
    else:
        show_table(list(columns.values()), ([row.get(key) for key in columns] for row in rows))


def show_json(value: object, *, indent: int | None = 2) -> None:
    show_document(json.dumps(value, indent=indent, ensure_ascii=False, default=str) + "\n")


def show_document(text: str) -> None:
    """JSON and TOML are UTF-8, in whatever encoding this system writes text."""
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(encoding="utf-8")
    sys.stdout.write(text)


def show_table(headings: Sequence[str], rows: Iterable[Iterable[object]]) -> None:
    """A table; where a terminal is too narrow for its words, a line for each value instead."""
    from rich.console import Console

    console = Console(width=None if sys.stdout.isatty() else _UNBOUNDED, highlight=False)
    texts = [[cell(value) for value in row] for row in rows]
    widths = _widths(list(zip(headings, *texts, strict=True)), console.width)
    if widths or len(headings) <= _PAIR:
        console.print(_table(headings, texts, widths))
    else:
        for row in texts:
            console.print(_record(headings, row), "")


def _widths(columns: Sequence[Sequence[str]], available: int) -> list[int]:
    """Each column as wide as its longest word, and wider while there is room, from the left; none if they don't fit."""
    from rich.cells import cell_len

    words = [max(cell_len(word) for text in column for word in (text.split() or [""])) for column in columns]
    room = available - sum(words) - _GAP * len(columns)
    if room < 0:
        return []
    widths: list[int] = []
    for column, word in zip(columns, words, strict=True):
        wider = min(max(map(cell_len, column)) - word, room)
        widths.append(word + wider)
        room -= wider
    return widths


def _table(headings: Sequence[str], rows: Sequence[Sequence[str]], widths: Sequence[int]) -> Table:
    from rich.box import SIMPLE_HEAD
    from rich.table import Table
    from rich.text import Text

    table = Table(box=SIMPLE_HEAD, pad_edge=False)
    for heading, width in zip_longest(headings, widths):
        table.add_column(heading, overflow="fold", width=width)
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def _record(headings: Sequence[str], row: Sequence[str]) -> Table:
    from rich.table import Table
    from rich.text import Text

    record = Table.grid(padding=(0, 2))
    record.add_column(min_width=max(map(len, headings)))
    for heading, text in zip(headings, row, strict=True):
        if text:
            record.add_row(heading, Text(text, overflow="fold"))
    return record


def cell(value: object) -> str:
    """A value as people read it; control characters, which a sender may have put in, are shown and not obeyed."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, Mapping):
        return ", ".join(f"{key} {cell(part)}" for key, part in value.items() if part is not None)
    if isinstance(value, list | tuple):
        return ", ".join(cell(item) for item in value)
    text = f"{value:.15g}" if isinstance(value, float) else str(value)
    return (
        text
        if text.isprintable()
        else "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in text)
    )
