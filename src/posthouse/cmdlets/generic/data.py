"""JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator
from datetime import datetime
from math import isfinite
from typing import Any

from posthouse.cmdlets.conversion import INT, STRING, SWITCH
from posthouse.cmdlets.dates import format_date
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.generic.content import ENCODING, PATH, text_of
from posthouse.cmdlets.generic.objects import INPUT, pipeline
from posthouse.cmdlets.generic.properties import properties_of
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Parameter
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import CUSTOM_OBJECT, Hashtable, PSObject, Value, items

_DEEPEST = 100
_NODE = 16  # what a value costs that JSON holds, in characters


def convert_to_json(context: Context, bound: Bound) -> Iterator[Value]:
    """One text for the whole pipeline: an object alone is itself, several are an array."""
    depth = bound.get("Depth", 2)
    if not 1 <= depth <= _DEEPEST:
        raise PSError(f"The depth must be from 1 to {_DEEPEST}.", category="InvalidArgument", error_id="Depth")
    values = list(pipeline(bound))
    data = [_plain(context, value, depth) for value in values]
    whole: Any = data[0] if len(data) == 1 and not bound.get("AsArray") else data
    if "InputObject" in bound and isinstance(bound["InputObject"], list):
        whole = data
    compact = bool(bound.get("Compress"))
    text = json.dumps(
        whole, ensure_ascii=False, indent=None if compact else 2, separators=(",", ":") if compact else (",", ": ")
    )
    context.charge(len(text))
    yield text


def _plain(context: Context, value: Value, depth: int) -> Any:
    """A value as JSON's own. What is deeper than `depth` is text."""
    context.charge(4 * _NODE)
    if isinstance(value, float) and not isfinite(value):
        return to_text(value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, datetime):
        return format_date(value, "yyyy-MM-ddTHH:mm:ss.FFFFFFFK")
    if depth < 0:
        return to_text(value)
    if isinstance(value, list | bytes):
        return [_plain(context, part, depth - 1) for part in value]
    if isinstance(value, Hashtable | PSObject):
        return {to_text(name): _plain(context, part, depth - 1) for name, part in properties_of(value).items()}
    return to_text(value)


def convert_from_json(context: Context, bound: Bound) -> Iterator[Value]:
    text = "\n".join(to_text(part) for part in pipeline(bound))
    context.charge(_NODE * len(text))
    try:
        found = _object(context, json.loads(text))
    except (ValueError, RecursionError) as error:
        why = str(error) if isinstance(error, ValueError) else "it is nested too deeply"
        raise PSError(f"Conversion from JSON failed with error: {why}", error_id="JsonError") from None
    yield from items(found)


def _object(context: Context, value: Any) -> Value:
    context.charge(1)
    if isinstance(value, dict):
        return PSObject.of(CUSTOM_OBJECT, {name: _object(context, part) for name, part in value.items()})
    return [_object(context, part) for part in value] if isinstance(value, list) else value


def convert_to_csv(context: Context, bound: Bound) -> Iterator[Value]:
    yield from _csv(context, bound, header=not bound.get("NoHeader"))


def _csv(context: Context, bound: Bound, *, header: bool = True) -> list[str]:
    """A record each. Every field in quotes but $null, the columns those of the first object."""
    delimiter = bound.get("Delimiter", ",")
    if len(delimiter) != 1:
        raise PSError("The delimiter must be one character.", category="InvalidArgument", error_id="Delimiter")
    lines: list[str] = []
    names: list[Value] = []
    for item in pipeline(bound):
        properties = properties_of(item) or Hashtable({"Length": len(to_text(item))})
        if not names:
            names = list(properties)
            lines += [delimiter.join(map(_field, names))] if header else []
        lines.append(delimiter.join(_field(properties.get(name)) for name in names))
        context.charge(len(lines[-1]))
    return lines


def _field(value: Value) -> str:
    """A list is its type's name in PowerShell, which helps nobody: here its elements, as -join ' ' gives them."""
    if value is None:
        return ""
    text = format_date(value) if isinstance(value, datetime) else to_text(value)
    return '"' + text.replace('"', '""') + '"'


def export_csv(context: Context, bound: Bound) -> Iterator[Value]:
    path = bound["Path"]
    append = bool(bound.get("Append"))
    lines = _csv(context, bound, header=not (append and context.services.files.size(path)))
    if context.should_process(path):
        context.services.files.write(path, "".join(line + "\n" for line in lines).encode(), append=append)
    yield from ()


def convert_from_csv(context: Context, bound: Bound) -> Iterator[Value]:
    text = "\n".join(to_text(part) for part in pipeline(bound))
    context.charge(len(text))
    yield from _rows(text, bound.get("Delimiter", ","))


def import_csv(context: Context, bound: Bound) -> Iterator[Value]:
    yield from _rows(text_of(context, bound["Path"]), bound.get("Delimiter", ","))


def _rows(text: str, delimiter: str) -> Iterable[Value]:
    try:
        for row in csv.DictReader(io.StringIO(text), delimiter=delimiter, strict=True):
            yield PSObject.of(CUSTOM_OBJECT, {name: value for name, value in row.items() if name is not None})
    except (csv.Error, TypeError) as error:
        raise PSError(f"The text is not CSV: {error}.", category="InvalidData", error_id="Csv") from None


_INPUT_FIRST = Parameter(name="InputObject", position=0, from_pipeline=True, allow_empty=True)
_DELIMITER = Parameter(name="Delimiter", type=STRING)
_TYPE = Parameter(name="NoTypeInformation", type=SWITCH, aliases=("NTI",), help="Taken: it is never written.")
DATA = (
    Cmdlet(
        "ConvertTo-Json",
        (
            _INPUT_FIRST,
            Parameter(name="Depth", type=INT),
            Parameter(name="Compress", type=SWITCH),
            Parameter(name="AsArray", type=SWITCH),
        ),
        convert_to_json,
        synopsis="Gives objects as JSON.",
        whole=True,
    ),
    Cmdlet(
        "ConvertFrom-Json",
        (_INPUT_FIRST,),
        convert_from_json,
        synopsis="Makes objects of JSON.",
        whole=True,
    ),
    Cmdlet(
        "ConvertTo-Csv",
        (INPUT, _DELIMITER, _TYPE, Parameter(name="NoHeader", type=SWITCH)),
        convert_to_csv,
        synopsis="Gives objects as CSV.",
        whole=True,
    ),
    Cmdlet(
        "ConvertFrom-Csv",
        (_INPUT_FIRST, _DELIMITER),
        convert_from_csv,
        synopsis="Makes objects of CSV.",
        whole=True,
    ),
    Cmdlet(
        "Export-Csv",
        (
            PATH,
            INPUT,
            _DELIMITER,
            _TYPE,
            ENCODING,
            Parameter(name="Append", type=SWITCH),
            Parameter(name="Force", type=SWITCH, help="Taken: a file that is allowed is overwritten."),
        ),
        export_csv,
        synopsis="Writes objects as CSV to a file that was allowed.",
        whole=True,
        should_process=True,
    ),
    Cmdlet("Import-Csv", (PATH, _DELIMITER, ENCODING), import_csv, synopsis="Reads a CSV file that was allowed."),
)
