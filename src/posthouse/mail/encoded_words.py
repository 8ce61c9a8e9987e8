"""RFC 2047 encoded words: reading them out of a header value, and writing a phrase with them."""

from __future__ import annotations

import binascii
import encodings.aliases
import itertools
import re
from collections.abc import Iterator

from posthouse.mail.text import one_line

_WORD = re.compile(r"=\?([^?\s]+)\?([bBqQ])\?([^?]*)\?=")
_Q_ESCAPE = re.compile(rb"=([0-9A-Fa-f]{2})")
_NOT_IN_NAME = re.compile(r"[^a-z0-9]")
_CHARSETS = frozenset(encodings.aliases.aliases) | frozenset(encodings.aliases.aliases.values()) | {"koi8_u", "cp874"}
"""Those looked up at all: Python's look-up imports modules by name and remembers each unknown name for good."""

_OCTETS_PER_WORD = 45  # 60 characters of base 64, so that a word stays below 75 (RFC 2047 2)


def decode(value: str) -> str:
    """The text with its encoded words decoded; what is no valid word, or of an unknown charset, stays as it is.

    A control character that was encoded becomes a space: it could break the line that the text is put into.
    """
    if "=?" not in value:
        return value
    return "".join(_joined(group) for group in itertools.groupby(_pieces(value), key=lambda piece: piece[0]))


def encode(text: str) -> str:
    """ASCII text as it is, other text as encoded words in UTF-8, one space between them."""
    if text.isascii():
        return text
    return " ".join(
        f"=?utf-8?B?{binascii.b2a_base64(part.encode(), newline=False).decode('ascii')}?=" for part in _parts(text)
    )


def _pieces(value: str) -> Iterator[tuple[str, bytes | str]]:
    """(charset, octets) for an encoded word, ("", text) for what stands between two.

    White space between two words is dropped (RFC 2047 6.2).
    """
    end, before = 0, ""
    for word in _WORD.finditer(value):
        charset, content = _octets(word)
        between = value[end : word.start()]
        if between.strip() or not (before and charset):
            yield "", between
        yield charset, content
        end, before = word.end(), charset
    yield "", value[end:]


def _octets(word: re.Match[str]) -> tuple[str, bytes | str]:
    charset, encoding, text = word.groups()
    charset = _NOT_IN_NAME.sub("_", charset.partition("*")[0].lower())  # a language may follow (RFC 2231 5)
    if charset not in _CHARSETS:
        return "", word[0]
    try:
        octets = text.encode("ascii")
        if encoding in "bB":
            return charset, binascii.a2b_base64(octets + b"=" * (-len(octets) % 4))
        return charset, _Q_ESCAPE.sub(lambda escape: bytes.fromhex(escape[1].decode()), octets.replace(b"_", b" "))
    except ValueError:
        return "", word[0]


def _joined(group: tuple[str, Iterator[tuple[str, bytes | str]]]) -> str:
    """Neighbours of one charset are decoded together: many senders split a character over two words."""
    charset, pieces = group
    contents = [content for _, content in pieces]
    octets = [content for content in contents if isinstance(content, bytes)]
    if octets:
        return _decoded(b"".join(octets), charset)
    return "".join(content for content in contents if isinstance(content, str))


def _decoded(octets: bytes, charset: str) -> str:
    """Never a lone surrogate either (UTF-7 can spell one): such text could not be written anywhere."""
    try:
        text = octets.decode(charset, "replace").encode("utf-8", "replace").decode()
    except (LookupError, ValueError):  # a codec that is no text encoding, or one that knows no "replace"
        text = octets.decode("ascii", "replace")
    return one_line(text)


def _parts(text: str) -> Iterator[str]:
    """Pieces of at most `_OCTETS_PER_WORD` octets in UTF-8, never cutting a character (RFC 2047 5)."""
    start = size = 0
    for place, character in enumerate(text):
        width = len(character.encode())
        if size + width > _OCTETS_PER_WORD:
            yield text[start:place]
            start, size = place, 0
        size += width
    yield text[start:]
