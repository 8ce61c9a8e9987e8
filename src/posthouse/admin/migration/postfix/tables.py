"""Lookup tables: https://www.postfix.org/DATABASE_README.html. The text that an indexed table is made from is read."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from posthouse.admin.migration.files import Beside
from posthouse.admin.migration.findings import Findings
from posthouse.admin.migration.postfix.parameters import Line, logical_lines, split

_INDEXED = {"hash", "btree", "dbm", "lmdb", "cdb", "sdbm", "texthash", "cidr"}
_PATTERNS = {"regexp", "pcre"}
_MOST = 100_000


class Entry(NamedTuple):
    """`where` is empty for one that stands in main.cf itself."""

    key: str
    value: str
    where: str = ""


class Tables:
    """Those that main.cf names."""

    def __init__(self, beside: Beside, findings: Findings) -> None:
        self._beside = beside
        self._findings = findings

    def entries(self, setting: str, words: list[str], *, patterns: bool = False) -> list[Entry]:
        """Of all the tables of a parameter; the first one that has a key answers.

        With `patterns` the keys of regular expressions are among them, as they are written.
        """
        kinds = _INDEXED | _PATTERNS if patterns else _INDEXED
        found: dict[str, Entry] = {}
        for word in words:
            for entry in self._table(setting, word, kinds):
                found.setdefault(entry.key, entry)
        return list(found.values())

    def listed(self, setting: str, words: list[str]) -> list[str]:
        """A list of patterns, in which tables stand for their keys and files for their words.

        `!` is an exception; alone, one of which nothing is known.
        """
        found: list[str] = []
        for word in words:
            patterns = list(self._patterns(setting, word.removeprefix("!")))
            found += [f"!{one}" for one in patterns or [""]] if word.startswith("!") else patterns
        return found[:_MOST]

    def _patterns(self, setting: str, word: str) -> Iterable[str]:
        if word.startswith("/"):
            return (one for line in self._lines(setting, word) for one in split(line.text))
        if is_table(word):
            return (entry.key for entry in self._table(setting, word, _INDEXED))
        return (word,)

    def _table(self, setting: str, word: str, kinds: set[str]) -> list[Entry]:
        kind, _, name = word.removeprefix("proxy:").partition(":")
        if kind == "inline":
            return [Entry(*_pair(one.strip("{}").strip(), "=")) for one in split(name.strip().strip("{}"))]
        if kind == "static":
            return [Entry("*", name)]
        if kind not in kinds:
            reason = f"a table of type {kind} can't be read; write its entries to a hash: table beside main.cf"
            self._findings.leave(setting, "" if "password" in setting else word, reason)
            return []
        file = name.rpartition("/")[2]
        lines = self._lines(setting, name, word)
        return [Entry(*_pair(line.text, None), f"{file}:{line.number}") for line in lines][:_MOST]

    def _lines(self, setting: str, name: str, word: str = "") -> Iterator[Line]:
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
