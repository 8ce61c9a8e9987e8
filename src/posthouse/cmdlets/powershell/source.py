"""A script's text, and where in it something stands."""

from __future__ import annotations

import re
from bisect import bisect_right
from typing import NoReturn

from posthouse.cmdlets.errors import IncompleteScript, Place, ScriptRefused
from posthouse.cmdlets.powershell.tokens import DOUBLE_QUOTES, SINGLE_QUOTES

_SECRET = re.compile(r"pass|pwd|secret|token|credential|securestring|plaintext", re.IGNORECASE)
"""A line that names a secret, or is beside one that does, is not quoted if it has a literal in it."""
_LITERAL = re.compile(
    rf"[{SINGLE_QUOTES}{DOUBLE_QUOTES}]|securestring"
    r"|(?:pass|pwd|secret|token|credential)\w{0,40}[\s:]{1,40}[^\s:$(@=|-]",
    re.IGNORECASE,
)


class Source:
    """The text of a script; offsets are in characters. `base` is where this text begins in the `whole` script."""

    __slots__ = ("_quoted", "_starts", "base", "file", "text", "whole")

    def __init__(self, text: str, file: str, whole: Source | None = None, base: int = 0) -> None:
        self.text = text
        self.file = file
        self.whole = whole or self
        self.base = base
        self._starts = [0, *(at + 1 for at, char in enumerate(text) if char == "\n")] if whole is None else []
        self._quoted: dict[int, str] = {}

    def part(self, start: int, end: int) -> Source:
        """A stretch of the text, to be read as a script of its own."""
        return Source(self.text[start:end], self.file, self.whole, self.base + start)

    def place(self, start: int, end: int) -> Place:
        """Where a stretch stands, for an error: of a stretch of several lines only the first is quoted."""
        whole, offset = self.whole, self.base + start
        number = bisect_right(whole._starts, offset)
        first = whole._starts[number - 1]
        length = max(1, min(end - start, whole._end(number) - offset))
        if number not in whole._quoted:
            whole._quoted[number] = whole._quote(number)
        return Place(self.file, number, offset - first + 1, whole._quoted[number], length)

    def _quote(self, number: int) -> str:
        line = self._line(number)
        around = "\n".join(self._line(near) for near in (number - 1, number, number + 1))
        return "" if _SECRET.search(around) and _LITERAL.search(line) else line.rstrip("\r")

    def _line(self, number: int) -> str:
        """Counted from 1; empty where there is none."""
        if not 1 <= number <= len(self._starts):
            return ""
        return self.text[self._starts[number - 1] : self._end(number)]

    def _end(self, number: int) -> int:
        return self._starts[number] - 1 if number < len(self._starts) else len(self.text)

    def refuse(self, start: int, sentence: str, *, incomplete: bool = False) -> NoReturn:
        """Raise `ScriptRefused`, or `IncompleteScript`, with one line."""
        place = self.place(start, start + 1)
        refused = IncompleteScript if incomplete else ScriptRefused
        raise refused(" ".join(sentence.split()), self.file, place.line, place.column)
