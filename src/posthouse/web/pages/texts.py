"""What the pages say, in the reader's language. The English text is the key; `LANGUAGE.toml` has the others."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path

ENGLISH = "en"
_FOLDER = Path(__file__).parent / "languages"
_MOST_PREFERENCES = 20


class Texts:
    """The texts of one language; where it has none, English stands."""

    def __init__(self, language: str, translations: Mapping[str, str]) -> None:
        self.language = language
        self._translations = translations

    @property
    def known(self) -> frozenset[str]:
        """What it has a translation of."""
        return frozenset(self._translations)

    def __call__(self, text: str, **values: object) -> str:
        """`{name}` in the text is one of the values."""
        found = self._translations.get(text, text)
        return found.format(**values) if values else found

    def count(self, one: str, many: str, number: int, **values: object) -> str:
        """`{count}` in the text is the number."""
        return self(one if number == 1 else many, count=number, **values)


@cache
def texts() -> Mapping[str, Texts]:
    """By language."""
    files = {file.stem: tomllib.loads(file.read_text("utf-8")) for file in sorted(_FOLDER.glob("*.toml"))}
    return {ENGLISH: Texts(ENGLISH, {})} | {name: Texts(name, translations) for name, translations in files.items()}


def texts_for(accept_language: str) -> Texts:
    """Of the languages that we have, the one that a browser likes best (RFC 9110 12.5.4)."""
    known = texts()
    for tag in _by_preference(accept_language):
        if found := known.get(tag.partition("-")[0]):
            return found
    return known[ENGLISH]


def _by_preference(header: str) -> list[str]:
    """Language tags, the most wanted first; those not wanted (q=0) left out."""
    weighted: list[tuple[float, str]] = []
    for part in header.lower().split(",", _MOST_PREFERENCES)[:_MOST_PREFERENCES]:
        tag, _, weight = part.partition(";q=")
        try:
            weighted.append((float(weight or 1), tag.strip()))
        except ValueError:
            continue
    return [tag for weight, tag in sorted(weighted, key=lambda each: -each[0]) if weight > 0]
