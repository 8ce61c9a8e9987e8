"""Format-Table, Format-List, Out-String: objects as text."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from posthouse.cmdlets.conversion import INT, SWITCH
from posthouse.cmdlets.display import (
    FORMATTED,
    Column,
    Display,
    default_columns,
    hashtable_text,
    listing,
    table,
    table_columns,
)
from posthouse.cmdlets.generic.objects import INPUT, PROPERTY, pipeline
from posthouse.cmdlets.generic.properties import Selector, expanded, selectors
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Parameter
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Hashtable, PSObject, Value


def format_table(context: Context, bound: Bound) -> Iterator[Value]:
    rows = _rows(context, bound)
    chosen = selectors(bound.get("Property"))
    width = context.services.host.width
    if not rows:
        return
    if isinstance(rows[0], Hashtable) and not chosen:
        yield _formatted(hashtable_text(rows, width))
        return
    columns = [_column(name, one) for name, one in expanded(chosen, rows[0])]
    columns = columns or table_columns(rows[0], context.registry)
    if not columns:
        yield from rows
        return
    grouped = _grouped(rows, bound.get("GroupBy"))
    for title, group in grouped:
        text = table(columns, group, width, wrap=bool(bound.get("Wrap")), header=not bound.get("HideTableHeaders"))
        yield _formatted(title + text)


def format_list(context: Context, bound: Bound) -> Iterator[Value]:
    rows = _rows(context, bound)
    chosen = selectors(bound.get("Property"))

    def columns_of(row: Value) -> list[Column]:
        if chosen:
            return [_column(name, one) for name, one in expanded(chosen, row)]
        view = context.registry.view(row.type_name) if isinstance(row, PSObject) else None
        if view and view.as_list:
            return default_columns(row, context.registry)[0]
        return [_column(name, one) for name, one in expanded(selectors("*"), row)]

    plain = not chosen and not any(isinstance(row, PSObject | Hashtable) for row in rows)
    if plain:
        yield from rows
        return
    width = context.services.host.width
    if rows and isinstance(rows[0], Hashtable) and not chosen:
        rows = [PSObject.of("", {"Name": key, "Value": value}) for row in rows for key, value in row.items()]
    for title, group in _grouped(rows, bound.get("GroupBy")):
        yield _formatted(title + listing(columns_of, group, width))


def _rows(context: Context, bound: Bound) -> list[Value]:
    """What was formatted already stays as it is, and $null isn't shown."""
    rows = [row for row in pipeline(bound) if row is not None]
    context.charge(len(rows))
    return rows


def _grouped(rows: list[Value], by: Value) -> list[tuple[str, list[Value]]]:
    """Rows that follow each other and have the same property, with a title."""
    if by is None:
        return [("", rows)] if rows else []
    chosen = selectors(by)[0]
    groups: list[tuple[str, list[Value]]] = []
    for row in rows:
        title = f"\n   {chosen.name}: {to_text(chosen.get(row))}\n"
        if not groups or groups[-1][0] != title:
            groups.append((title, []))
        groups[-1][1].append(row)
    return groups


def _column(name: str, selector: Selector) -> Column:
    options = selector.options
    side = to_text(options.get("alignment")).lower()
    right = None if not side else side == "right"
    return Column(name, selector.get, int(options.get("width") or 0), to_text(options.get("formatstring")), right)


def _formatted(text: str) -> PSObject:
    return PSObject.of(FORMATTED, {}, text)


def out_string(context: Context, bound: Bound) -> Iterator[Value]:
    text = shown(context, pipeline(bound), bound.get("Width"))
    yield from text.splitlines() if bound.get("Stream") else [text]


def shown(context: Context, values: Iterable[Value], width: int | None) -> str:
    """What a screen of that width would show."""
    parts: list[str] = []

    def write(text: str) -> None:
        context.charge(len(text))
        parts.append(text)

    display = Display(context.registry, width or context.services.host.width, write, context.charge)
    for value in values:
        display.feed(value)
    display.flush()
    return "".join(parts)


def out_null(_context: Context, bound: Bound) -> Iterator[Value]:
    for _ in pipeline(bound):
        pass
    yield from ()


def out_host(_context: Context, bound: Bound) -> Iterator[Value]:
    yield from pipeline(bound)


_GROUP_BY = Parameter(name="GroupBy")
FORMATS = (
    Cmdlet(
        "Format-Table",
        (
            PROPERTY,
            _GROUP_BY,
            Parameter(name="AutoSize", type=SWITCH, help="Taken: a table is always as wide as it needs."),
            Parameter(name="Wrap", type=SWITCH),
            Parameter(name="HideTableHeaders", type=SWITCH),
            INPUT,
        ),
        format_table,
        aliases=("ft",),
        synopsis="Shows objects as a table.",
        whole=True,
    ),
    Cmdlet(
        "Format-List",
        (PROPERTY, _GROUP_BY, INPUT),
        format_list,
        aliases=("fl",),
        synopsis="Shows objects as a list of their properties.",
        whole=True,
    ),
    Cmdlet(
        "Out-String",
        (Parameter(name="Width", type=INT), Parameter(name="Stream", type=SWITCH), INPUT),
        out_string,
        synopsis="Gives what would be shown as a text.",
        whole=True,
    ),
    Cmdlet("Out-Null", (INPUT,), out_null, synopsis="Shows nothing.", whole=True),
    Cmdlet("Out-Host", (INPUT,), out_host, aliases=("oh", "Out-Default"), synopsis="Shows objects.", whole=True),
)
