"""What PowerShell's exports hold: objects as properties with texts, numbers, truths and lists.

https://learn.microsoft.com/powershell/module/microsoft.powershell.utility/convertto-json
https://learn.microsoft.com/powershell/module/microsoft.powershell.utility/export-csv
https://learn.microsoft.com/openspecs/windows_protocols/ms-psrp/ (CLIXML: section 2.2.5)
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, cast

from posthouse.admin.errors import AdminError
from posthouse.admin.migration.xml import Element, XmlError, parse

Record = Mapping[str, Any]

_NUMBERS = {"I16", "I32", "I64", "U16", "U32", "U64", "By", "SB"}
_LISTS = {"LST", "IE", "QUE", "STK"}
_ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")
_LONGEST_CELL = 1 << 20


def from_json(text: str) -> list[Record]:
    """One object, or an array of them. Raises `AdminError`."""
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise AdminError(f"not JSON: {error}; write it with ConvertTo-Json -Depth 5") from None
    return list(_objects(_unwrapped(found)))


def from_csv(text: str) -> list[Record]:
    """With or without the line `#TYPE` that Windows PowerShell writes first. Raises `AdminError`."""
    if text.startswith("#TYPE"):
        text = text.partition("\n")[2]
    csv.field_size_limit(_LONGEST_CELL)
    heading = text.partition("\n")[0]
    delimiter = max(",;\t", key=heading.count)
    try:
        rows = list(csv.DictReader(io.StringIO(text, newline=""), delimiter=delimiter))
    except csv.Error as error:
        raise AdminError(f"not CSV: {error}; write it with Export-Csv") from None
    return [{key: value for key, value in row.items() if isinstance(key, str)} for row in rows]


def from_clixml(text: str) -> list[Record]:
    """Raises `AdminError`."""
    try:
        root = parse(text)
    except XmlError as error:
        raise AdminError(f"not CLIXML: {error}; write it with Export-Clixml") from None
    known = {element.attributes["RefId"]: element for element in root.iter() if _is_defined(element)}
    return [_record(child, known) for child in root.children if child.tag == "Obj"]


def _is_defined(element: Element) -> bool:
    return element.tag == "Obj" and "RefId" in element.attributes


def _record(element: Element, known: Mapping[str, Element]) -> Record:
    """References are followed from here only: one that leads to others would multiply what it leads to."""
    return {
        child.attributes.get("N", ""): _value(known.get(child.attributes.get("RefId", ""), child))
        if child.tag == "Ref"
        else _value(child)
        for child in _properties(element)
    }


def _value(element: Element) -> Any:
    if element.tag in ("Nil", "Ref"):
        return None
    if element.tag == "B":
        return element.text.strip().lower() == "true"
    if element.tag in _NUMBERS:
        return _number(element.text)
    if element.tag == "Obj":
        return _object(element)
    return _ESCAPED.sub(lambda escape: chr(int(escape[1], 16)), element.text)


def _object(element: Element) -> Any:
    """A list; a table; or, as an enumeration's value and types of Exchange's own are written, a text."""
    by_tag = {child.tag: child for child in element.children}
    if (values := next((by_tag[tag] for tag in _LISTS if tag in by_tag), None)) is not None:
        return [_value(child) for child in values.children]
    if (shown := by_tag.get("ToString")) is not None:
        return shown.text
    return {child.attributes.get("N", ""): _value(child) for child in _properties(element)}


def _properties(element: Element) -> list[Element]:
    return [child for bag in element.children if bag.tag in ("Props", "MS") for child in bag.children]


def _number(text: str) -> int | str:
    try:
        return int(text)
    except ValueError:
        return text


def _unwrapped(value: Any) -> Any:
    """Windows PowerShell writes some arrays as an object with `value` and `Count`; the REST service as `value`."""
    if isinstance(value, Mapping):
        table = cast("Mapping[str, Any]", value)
        inner = table.get("value")
        return inner if isinstance(inner, list) and ("Count" in table or "@odata.context" in table) else table
    return value


def _objects(value: Any) -> Iterator[Record]:
    values: Iterable[Any] = value if isinstance(value, list) else [value]
    for one in values:
        if isinstance(one, Mapping):
            yield {str(key): _unwrapped(part) for key, part in cast("Mapping[Any, Any]", one).items()}
