"""What is within quotation marks: escapes, variables and sub-expressions.

See about_Quoting_Rules and about_Special_Characters.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from posthouse.cmdlets.powershell import syntax as s
from posthouse.cmdlets.powershell.scanner import end_of_subexpression
from posthouse.cmdlets.powershell.source import Source
from posthouse.cmdlets.powershell.tokens import DOUBLE_QUOTES, SINGLE_QUOTES, Kind, Token

ReadBlock = Callable[[Source], s.Block]

_ESCAPES = {
    "0": "\0",
    "a": "\a",
    "b": "\b",
    "e": "\x1b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
}
_PIECE = re.compile(
    rf"`u\{{(?P<code>[0-9a-fA-F]{{1,6}})\}}|`(?P<escape>.)|\$(?P<name>\w+:\w+|\w+|[?])|\$\{{(?P<braced>[^}}]+)\}}"
    rf"|(?P<sub>\$\()|(?P<doubled>[{DOUBLE_QUOTES}]{{2}})|(?P<plain>[^`${DOUBLE_QUOTES}]+|.)",
    re.DOTALL,
)
_DOUBLED_SINGLE = re.compile(rf"[{SINGLE_QUOTES}]{{2}}")
_MARKS = {Kind.VERBATIM: (1, 1), Kind.EXPANDABLE: (1, 1), Kind.WORD: (0, 0)}
_LAST_CODE_POINT = 0x10FFFF


def read_string(source: Source, token: Token, read_block: ReadBlock) -> s.Constant | s.Expandable:
    """The string, or the bare word, that a token marks."""
    start, end = _content(source, token)
    span = source.base + token.start, source.base + token.end
    if token.kind in (Kind.VERBATIM, Kind.HERE_VERBATIM):
        text = source.text[start:end]
        text = text if token.kind is Kind.HERE_VERBATIM else _DOUBLED_SINGLE.sub(lambda pair: pair[0][0], text)
        return s.Constant(*span, text)
    parts = _parts(source, start, end, token.kind, read_block)
    if all(isinstance(part, str) for part in parts):
        return s.Constant(*span, "".join(part for part in parts if isinstance(part, str)))
    return s.Expandable(*span, parts)


def _content(source: Source, token: Token) -> tuple[int, int]:
    """What is between the marks. A here-string's first and last line break belong to its marks."""
    if token.kind in _MARKS:
        before, after = _MARKS[token.kind]
        return token.start + before, token.end - after
    start = source.text.index("\n", token.start) + 1
    end = source.text.rindex("\n", start - 1, token.end)
    if end > start and source.text[end - 1] == "\r":
        end -= 1
    return start, max(start, end)


def _parts(source: Source, start: int, end: int, kind: Kind, read_block: ReadBlock) -> tuple[str | s.Expression, ...]:
    parts: list[str | s.Expression] = []
    at = start
    while at < end:
        piece = _PIECE.match(source.text, at, end)
        assert piece
        at = piece.end()
        if piece["sub"]:
            at = end_of_subexpression(source, piece.start())
            parts.append(_sub_expression(source, piece.start(), at, read_block))
        elif name := piece["name"] or piece["braced"]:
            parts.append(s.Variable(source.base + piece.start(), source.base + at, name))
        elif piece["doubled"] and kind is Kind.EXPANDABLE:
            parts.append(piece["doubled"][0])
        else:
            parts.append(_text(source, piece))
    return tuple(parts)


def _text(source: Source, piece: re.Match[str]) -> str:
    if piece["code"]:
        code = int(piece["code"], 16)
        if code > _LAST_CODE_POINT:
            source.refuse(piece.start(), "The Unicode escape sequence is not valid; its greatest value is 10FFFF.")
        return chr(code)
    if piece["escape"]:
        return _ESCAPES.get(piece["escape"], piece["escape"])
    return piece["plain"] or piece[0]


def _sub_expression(source: Source, start: int, end: int, read_block: ReadBlock) -> s.SubExpression:
    body = read_block(source.part(start + 2, end - 1))
    return s.SubExpression(source.base + start, source.base + end, body)
