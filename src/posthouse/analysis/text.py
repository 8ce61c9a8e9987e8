"""Text out of whatever an administrator has copied: any charset, any line ends, quoted in a reply, spaced out.

What comes out has LF as line end, no blank at the end of a line, and no character that could take over the terminal
that shows it. The header of a message as it is on disk means the same as before.
"""

from __future__ import annotations

import codecs
import re

_BOMS = (
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_CONTROLS = {*range(0x20), *range(0x7F, 0xA0), 0x2028, 0x2029} - set(b"\t\r\n")
_SPACES = {0xA0, 0x1680, *range(0x2000, 0x200B), 0x202F, 0x205F, 0x3000}
_INVISIBLE = {0xAD, 0x200B, 0x200E, 0x200F, 0x2060, 0xFEFF, *range(0x202A, 0x202F), *range(0x2066, 0x206A)}
_CP1252 = bytes(range(0x80, 0x100)).decode("cp1252", "replace").translate({0xFFFD: " ", 0xA0: " ", 0xAD: "-"})
_CLEAN: dict[int, str] = (
    dict.fromkeys(_CONTROLS | _SPACES, " ")
    | dict.fromkeys(_INVISIBLE, "")
    | {0xDC80 + place: character for place, character in enumerate(_CP1252)}
)
_LINE_END = re.compile(r"\r{0,2}\n|\r")  # CR CR LF is what CRLF becomes when it is translated twice
_EMPTY_FOLD = re.compile(r"(?<![^\n])[ \t]++\n(?=[ \t]|[!-9;-~]+:)")
"""A line of white space alone belongs to the field above it (RFC 5322 4.2) where anything of a header follows."""

_TRAILING = re.compile(r"(?<![ \t])[ \t]++$", re.MULTILINE)
_QUOTE = re.compile(r"^(?:> ?)+", re.MULTILINE)
_TWO_LINES = re.compile(r"[^\n]\n[^\n]")
_SPACED_OUT_LINES = 4


def clean(raw: bytes) -> str:
    text = _LINE_END.sub("\n", _decoded(raw))
    if ">" in text:
        text = _QUOTE.sub("", text)
    text = _EMPTY_FOLD.sub("", text).translate(_CLEAN)
    text = _TRAILING.sub("", text).strip("\n")
    if text.count("\n\n") >= _SPACED_OUT_LINES and not _TWO_LINES.search(text):
        text = text.replace("\n\n", "\n")
    return text


def _decoded(raw: bytes) -> str:
    """UTF-8, with each byte that isn't taken as Windows-1252; UTF-16 as Windows' editors write it."""
    for bom, charset in _BOMS:
        if raw.startswith(bom):
            return raw.decode(charset, "replace")
    if raw[:1] and raw[1:2] == b"\0":
        return raw.decode("utf-16-le", "replace")
    return raw.decode("utf-8", "surrogateescape")
