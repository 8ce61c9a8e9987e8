"""The grammar of a `Received` value: RFC 5321 4.4, as far as those who write it keep to it."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field

NAMES = frozenset({"from", "by", "via", "with", "id", "for", "tls", "envelope-from"})
"""`tls` is registered by RFC 8314 7.4; Haraka writes `envelope-from` like a clause."""

_TOKEN = re.compile(r'(?:[^\s()"]|"[^"]*")+|[()"]')


@dataclass(slots=True)
class Clause:
    words: list[str] = field(default_factory=list[str])
    comments: list[str] = field(default_factory=list[str])

    @property
    def first(self) -> str:
        return self.words[0] if self.words else ""


Clauses = defaultdict[str, Clause]


def parse(trace: str, behind_date: str = "") -> Clauses:
    """Each clause with its words and comments; "" is what belongs to none."""
    clauses: Clauses = defaultdict(Clause)
    for text in (trace, behind_date):
        _read(text, clauses)
    return clauses


def comments(clauses: Clauses) -> list[str]:
    return [comment for clause in clauses.values() for comment in clause.comments]


def _read(text: str, clauses: Clauses) -> None:
    """A second clause of a name is part of the one it stands in: `with ESMTP with STARTTLS`."""
    current = clauses[""]
    tokens = list(_TOKEN.finditer(text))
    ends = _ends(tokens)
    comment_until = -1
    for place, token in enumerate(tokens):
        word = token[0].rstrip(";,")
        if place <= comment_until:
            continue
        if place in ends:
            comment_until = ends[place]
            current.comments.append(text[token.end() : tokens[comment_until].start()].strip())
        elif word.lower() in NAMES and word.lower() not in clauses:
            current = clauses[word.lower()]
        elif word not in ("", "(", ")", '"'):
            current.words.append(word)


def _ends(tokens: list[re.Match[str]]) -> dict[int, int]:
    """The place of each opening parenthesis that is closed, and that of the one that closes it."""
    ends: dict[int, int] = {}
    opened: list[int] = []
    for place, token in enumerate(tokens):
        if token[0] == "(":
            opened.append(place)
        elif token[0] == ")" and opened:
            ends[opened.pop()] = place
    return ends
