"""The encodings that -Encoding and [System.Text.Encoding] name, as the charsets that mail names them by."""

from __future__ import annotations

from typing import Final

from posthouse.cmdlets.conversion import PSType, enumeration
from posthouse.cmdlets.values import PSObject, Value

_NAME: Final = "System.Text.Encoding"
CHARSETS: Final = {
    "ASCII": "us-ascii",
    "UTF8": "utf-8",
    "UTF7": "utf-7",
    "UTF32": "utf-32",
    "Unicode": "utf-16",
    "BigEndianUnicode": "utf-16be",
    "Default": "windows-1252",
    "OEM": "cp437",
}
_NAMES: Final = enumeration(_NAME, *CHARSETS)


def encoding(charset: str) -> PSObject:
    return PSObject.of(_NAME, {"WebName": charset}, charset)


def _to_charset(value: Value) -> str:
    if isinstance(value, PSObject) and value.type_name == _NAME:
        return str(value.properties["WebName"])
    return CHARSETS[_NAMES.convert(value)]


CHARSET: Final = PSType(_NAME, _to_charset, _NAMES.values)
"""An encoding or its name, as its charset."""
