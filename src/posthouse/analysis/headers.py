"""Header fields out of whatever an administrator has: a message, a mailbox file, or text copied from a mail program.

A message as it is on disk is read as RFC 5322 says. What has been copied may have lost its folding, have other text
above it, or blank lines inside; there the rules are those that get most out of it:

- A line that can't begin a field goes on with the one before.
- The header is the first block of lines that has a Received field, unless the text begins with a complete header.
- A blank line ends it, unless what stands before it is the trace alone, with nothing of what an author writes, or each
  field so far stood alone.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import islice
from textwrap import dedent

from posthouse.analysis.text import clean

LIMIT = 1 << 20
"""Bytes that are looked at."""

FIELD_LIMIT = 10_000
"""Fields that are looked at."""

_NAME = r"[A-Za-z][A-Za-z0-9!#$%&'*+\-./^_`|~]*"
"""RFC 5322 2.2 allows more, which no field has ever been called, but with which a value may go on."""

_FIELD = re.compile(rf"^[ \t]*({_NAME})[ \t]*:(?!//)", re.MULTILINE)
_FOLDED = re.compile(r"\n[ \t]")
_TRACE = re.compile(r"^[ \t]*Received[ \t]*:[ \t]*(?:$|from\b|by\b|\()", re.MULTILINE | re.IGNORECASE)
_IP_ADDRESS = re.compile(r"[0-9A-Fa-f]{1,4}:[0-9A-Fa-f]{0,4}:")
_TAGGED = re.compile(r"-Signature$|^ARC-|Antispam", re.IGNORECASE)
"""Fields whose values have words with a colon and no space behind it: the names that a signature covers, `SCL:1`."""

_GMAILS_TABLE_END = re.compile(r"^(?:Download Original ?)?Copy to clipboard\n", re.MULTILINE)
_AUTHORS_FIELDS = frozenset({"from", "date", "to", "subject", "message-id", "mime-version", "content-type"})
_TEXT_FIELDS = frozenset({"subject", "thread-topic", "comments"})
_TYPOGRAPHY = str.maketrans("\u201c\u201d\u201e\u2018\u2019\u2010\u2011\u2012\u2013\u2014\u2212", '"""\'\'------')


@dataclass(frozen=True, slots=True)
class Field:
    """A field, its value unfolded. `index` is its place from the top."""

    index: int
    name: str
    value: str


def fields(raw: bytes) -> tuple[Field, ...]:
    blocks = re.split(r"\n\n+", clean(raw[:LIMIT]))
    header = _Header()
    for block in islice(blocks, _first(blocks), None):
        if not header.take(dedent(block)):
            break
    return tuple(Field(index, name, _value(name, lines)) for index, (name, lines) in enumerate(header.found))


def by_name(header: Iterable[Field]) -> dict[str, list[str]]:
    """The values of each name, in lower case, from the top."""
    values: dict[str, list[str]] = {}
    for one in header:
        values.setdefault(one.name.lower(), []).append(one.value)
    return values


@dataclass(slots=True)
class _Header:
    """The fields found so far, each with the lines of its value."""

    found: list[tuple[str, list[str]]] = field(default_factory=list[tuple[str, list[str]]])
    beyond_trace: bool = False
    each_alone: bool = True

    def take(self, block: str) -> bool:
        """Read the block if the header goes on with it; tell whether it may go on with another."""
        block = block[max((match.end() for match in _GMAILS_TABLE_END.finditer(block)), default=0) :]
        if self.found and not _FIELD.match(block):
            return False
        before = len(self.found)
        folded = _FOLDED.search(block) is not None
        for line in block.split("\n"):
            self._take_line(line, folded)
            if len(self.found) == FIELD_LIMIT:
                return False
        self.each_alone = self.each_alone and len(self.found) - before <= 1
        return self.each_alone or not self.beyond_trace

    def _take_line(self, line: str, folded: bool) -> None:
        begun = self._begun(line, folded)
        if begun:
            self.found.append((begun[1], [line[begun.end() :].strip()]))
            self.beyond_trace |= begun[1].lower() in _AUTHORS_FIELDS
        elif self.found:
            self.found[-1][1].append(line.strip())

    def _begun(self, line: str, folded: bool) -> re.Match[str] | None:
        """The name with which the line begins a field. Where folding has been lost it may only look like one."""
        match = None if self.found and line[:1] in (" ", "\t") else _FIELD.match(line)
        if match is None or _IP_ADDRESS.match(line):
            return None
        spaced = line[match.end() : match.end() + 1] in ("", " ", "\t")
        if not folded and not spaced and self.found and _TAGGED.search(self.found[-1][0]):
            return None
        return match


def _first(blocks: list[str]) -> int:
    """The place of the block with which the header begins."""
    if _is_complete(blocks[0]):
        return 0
    place = next((place for place, block in enumerate(blocks) if _TRACE.search(block)), 0)
    while place and _is_alone(blocks[place]) and _is_alone(blocks[place - 1]):
        place -= 1
    return place


def _is_complete(block: str) -> bool:
    names = {match[1].lower() for match in _FIELD.finditer(block)}
    return {"from", "date"} <= names and not names.isdisjoint({"message-id", "mime-version"})


def _is_alone(block: str) -> bool:
    """Whether the block is one field."""
    begun = (match for match in _FIELD.finditer(dedent(block)) if match.start() == match.start(1))
    return _FIELD.match(block) is not None and len(list(islice(begun, 2))) == 1


def _value(name: str, lines: list[str]) -> str:
    value = " ".join(line for line in lines if line)
    return value if name.lower() in _TEXT_FIELDS else value.translate(_TYPOGRAPHY)
