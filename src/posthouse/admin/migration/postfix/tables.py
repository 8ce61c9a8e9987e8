"""Lookup tables: https://www.postfix.org/DATABASE_README.html. The text that an indexed table is made from is read."""

from __future__ import annotations

from collections.abc import Iterator

from posthouse.admin.migration.files import Beside
from posthouse.admin.migration.findings import Findings
from posthouse.admin.migration.postfix.parameters import logical_lines, split

_INDEXED = {"hash", "btree", "dbm", "lmdb", "cdb", "sdbm", "texthash", "cidr"}
_MOST = 100_000

Pairs = list[tuple[str, str]]


class Tables:
    """Those that main.cf names, as pairs of key and value."""

    def __init__(self, beside: Beside, findings: Findings) -> None:
        self._beside = beside
        self._findings = findings

    def pairs(self, setting: str, words: list[str]) -> Pairs:
        """Of all the tables of a parameter; the first one that has a key answers."""
        found: dict[str, str] = {}
        for word in words:
            for key, value in self._table(setting, word):
                found.setdefault(key, value)
        return list(found.items())

    def listed(self, setting: str, words: list[str]) -> list[str]:
        """A list of patterns, in which tables stand for their keys and files for their words. `!` is an exception."""
        found: list[str] = []
        for word in words:
            if word.startswith("/"):
                found += (one for line in self._lines(setting, word) for one in split(line))
            elif is_table(word):
                found += (key for key, _ in self._table(setting, word))
            else:
                found.append(word)
        return found[:_MOST]

    def _table(self, setting: str, word: str) -> Pairs:
        kind, _, name = word.removeprefix("proxy:").partition(":")
        if kind == "inline":
            return [_pair(one.strip("{}").strip(), "=") for one in split(name.strip().strip("{}"))]
        if kind == "static":
            return [("*", name)]
        if kind not in _INDEXED:
            reason = f"a table of type {kind} can't be read; write its entries to a hash: table beside main.cf"
            self._findings.leave(setting, "" if "password" in setting else word, reason)
            return []
        return [_pair(line, None) for line in self._lines(setting, name, word)][:_MOST]

    def _lines(self, setting: str, name: str, word: str = "") -> Iterator[str]:
        text = self._beside.text(name)
        if text is None:
            reason = "it is not beside main.cf, or can't be read; copy the text file into that folder"
            self._findings.leave(setting, word or name, reason)
            return iter(())
        return logical_lines(text)


def is_table(word: str) -> bool:
    """`hash:/etc/postfix/x`, and no IPv6 address."""
    kind, colon, _ = word.removeprefix("proxy:").partition(":")
    return bool(colon) and kind.isalnum() and kind.isascii() and not kind[0].isdigit() and len(kind) > 2


def _pair(text: str, separator: str | None) -> tuple[str, str]:
    """None as separator is white space."""
    key, *rest = text.split(separator, 1) or [""]
    return key.strip(), rest[0].strip() if rest else ""
