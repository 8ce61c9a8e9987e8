"""A script's text, and where in it something stands."""

from __future__ import annotations

from bisect import bisect_right
from typing import NoReturn

from posthouse.cmdlets.errors import IncompleteScript, Place, ScriptRefused


class Source:
    """The text of a script; offsets are in characters. `base` is where this text begins in the `whole` script."""

    __slots__ = ("_starts", "base", "file", "text", "whole")

    def __init__(self, text: str, file: str, whole: Source | None = None, base: int = 0) -> None:
        self.text = text
        self.file = file
        self.whole = whole or self
        self.base = base
        self._starts = [0, *(at + 1 for at, char in enumerate(text) if char == "\n")] if whole is None else []

    def part(self, start: int, end: int) -> Source:
        """A stretch of the text, to be read as a script of its own."""
        return Source(self.text[start:end], self.file, self.whole, self.base + start)

    def place(self, start: int, end: int) -> Place:
        """Where a stretch stands, for an error: what it says of later lines is left out."""
        whole, offset = self.whole, self.base + start
        number = bisect_right(whole._starts, offset)
        first = whole._starts[number - 1]
        line = (
            whole.text[first:].split("\n", 1)[0]
            if number == len(whole._starts)
            else whole.text[first : whole._starts[number] - 1]
        )
        length = max(1, min(end - start, len(line) - (offset - first)))
        return Place(self.file, number, offset - first + 1, line.rstrip("\r"), length)

    def refuse(self, start: int, sentence: str, *, incomplete: bool = False) -> NoReturn:
        """Raise `ScriptRefused`, or `IncompleteScript`, with one line."""
        place = self.place(start, start + 1)
        refused = IncompleteScript if incomplete else ScriptRefused
        raise refused(" ".join(sentence.split()), self.file, place.line, place.column)
