"""What is known about replies: the entries of knowledge.toml, and which of them fits a reply best."""

from __future__ import annotations

import tomllib
from dataclasses import dataclass
from functools import cache, lru_cache
from importlib import resources
from typing import Any

from posthouse.mail import Reply

_ANY = "x"
_TELLS_NOTHING = ("", ".0.0")
_ONE_CODE = 6  # how exact a pattern is that has no x
_ALTERNATIVE = "|"


@dataclass(frozen=True, slots=True)
class Entry:
    """One thing that replies say. What a reply must have stands in `codes`, `enhanced` and `says`, where given.

    A code is like `550` or `5xx`, an enhanced code like `5.7.64`, `5.7.606-649` or `x.7.x`. Of `says`, phrases in
    lower case, each must occur, or one of its alternatives. `wraps`: such a reply quotes another one, which says more.
    """

    title: str
    causes: tuple[str, ...]
    remedies: tuple[str, ...]
    sources: tuple[str, ...]
    examples: tuple[str, ...]
    codes: tuple[str, ...] = ()
    enhanced: tuple[str, ...] = ()
    says: tuple[tuple[str, ...], ...] = ()
    wraps: bool = False

    @property
    def is_generic(self) -> bool:
        """It explains what a code means whoever says it."""
        return not self.says and all(_ANY in pattern for pattern in self.enhanced)

    @property
    def _is_broad(self) -> bool:
        return any(_ANY in pattern for pattern in self.enhanced)

    def said(self, text: str) -> int:
        """How many letters of a text in lower case are this entry's words; 0 where one of the phrases is missing."""
        words = [_longest(alternatives, text) for alternatives in self.says]
        return sum(words) if all(words) else 0

    def fit(self, reply: Reply, text: str) -> tuple[int, ...]:
        """How well it fits a reply, whose text comes in lower case: more is better, empty is not at all.

        The very enhanced code counts most, then the words: the longest are the most special. Only together with words
        a code may be missing in the reply; it is then rather one that many servers say.
        """
        exactness = max((_fit_enhanced(pattern, reply.enhanced) for pattern in self.enhanced), default=0)
        if self.enhanced and not exactness and (reply.enhanced[1:] not in _TELLS_NOTHING or not self.says):
            return ()
        code = max((_fit_code(pattern, reply.code) for pattern in self.codes), default=0)
        if self.codes and not code and (reply.code or not self.says):
            return ()
        said = self.said(text)
        if self.says and not said:
            return ()
        return int(exactness >= _ONE_CODE), said, exactness or self._is_broad, code


@lru_cache(maxsize=128)
def best(reply: Reply) -> Entry:
    """The entry that fits best; there is one for whatever a reply says."""
    text = " ".join(reply.text.lower().split())
    return max(entries(), key=lambda entry: entry.fit(reply, text))


@cache
def entries() -> tuple[Entry, ...]:
    """All there is, read once. The file is a part of this package, not input: so this room stays pure."""
    file = resources.files("posthouse.analysis").joinpath("knowledge.toml")
    document = tomllib.loads(file.read_text("utf-8"))
    return tuple(_entry(table, document["sources"]) for table in document["entry"])


def _entry(table: dict[str, Any], sources: dict[str, str]) -> Entry:
    return Entry(
        title=table["title"],
        causes=tuple(table["causes"]),
        remedies=tuple(table["remedies"]),
        sources=tuple(sources[name] for name in table["sources"]),
        examples=tuple(table["examples"]),
        codes=tuple(table.get("codes", ())),
        enhanced=tuple(table.get("enhanced", ())),
        says=tuple(tuple(phrase.lower().split(_ALTERNATIVE)) for phrase in table.get("says", ())),
        wraps=table.get("wraps", False),
    )


def _longest(alternatives: tuple[str, ...], text: str) -> int:
    return max((len(phrase) for phrase in alternatives if phrase in text), default=0)


def _fit_code(pattern: str, code: int) -> int:
    """2 for the very code, 1 for its class, 0 for another."""
    if pattern == str(code):
        return 2
    return int(pattern[1:] == "xx" and pattern[0] == str(code)[0])


@lru_cache(maxsize=2048)
def _fit_enhanced(pattern: str, enhanced: str) -> int:
    """How many parts of the pattern are told exactly, and 1; 0 where it doesn't fit."""
    exactness = 1
    for wanted, part in zip(pattern.split("."), enhanced.split("."), strict=False):
        first, _, last = wanted.partition("-")
        if wanted == part:
            exactness += 2
        elif last and part.isdecimal() and len(part) <= len(last) and int(first) <= int(part) <= int(last):
            exactness += 1
        elif wanted != _ANY:
            return 0
    return exactness if enhanced else 0
