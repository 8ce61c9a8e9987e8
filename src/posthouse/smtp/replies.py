"""Reading a server's replies off the wire (RFC 5321 4.2), bounded, whatever the server sends."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final

from posthouse.mail import Reply

MAX_LINE: Final = 4096
"""Longer than RFC 5321 4.5.3.1.5 allows (512), since servers put trace texts into their replies."""

MAX_REPLY: Final = 16 * 1024
"""Bytes in all: each recipient's outcome keeps one."""

_LINE = re.compile(rb"([2-5][0-9][0-9])(?:([ -])(.*))?", re.DOTALL)
_ENHANCED = re.compile(r"([245]\.[0-9]{1,3}\.[0-9]{1,3})(?: |$)")


class ProtocolError(Exception):
    """The server said something that is no SMTP, or not now. Nothing more it says can be relied on."""


class ReplyParser:
    """Bytes in, whole replies out."""

    __slots__ = ("_buffer", "_lines", "_size")

    def __init__(self) -> None:
        self._buffer = b""
        self._lines: list[str] = []
        self._size = 0

    @property
    def is_empty(self) -> bool:
        """No reply has begun."""
        return not self._buffer and not self._lines

    def feed(self, data: bytes) -> None:
        self._buffer = self._buffer + data if self._buffer else data

    def next_reply(self) -> Reply | None:
        """The next reply, or None when it is not all there. Raises `ProtocolError`.

        A reply's code is the one of its last line, should a server break the rule that all are the same.
        """
        while (end := self._buffer.find(b"\n", 0, MAX_LINE)) >= 0:
            line, self._buffer = self._buffer[:end], self._buffer[end + 1 :]
            code, is_last, text = _parse_line(line)
            if is_last and not self._lines:
                return _single(code, text)
            self._lines.append(text)
            self._size += end
            if self._size > MAX_REPLY:
                raise ProtocolError(f"a reply longer than {MAX_REPLY} bytes")
            if is_last:
                lines, self._lines, self._size = self._lines, [], 0
                return _multi_line(code, lines)
        if len(self._buffer) >= MAX_LINE:
            raise ProtocolError(f"a reply line longer than {MAX_LINE} bytes")
        return None


@lru_cache(maxsize=256)
def _parse_line(line: bytes) -> tuple[int, bool, str]:
    """Code, whether it ends the reply, and text with everything unprintable replaced: it goes to logs and DSNs."""
    match = _LINE.fullmatch(line.removesuffix(b"\r"))
    if match is None:
        raise ProtocolError(f"no SMTP reply: {printable(line[:80])!r}")
    code, separator, text = match.groups()
    return int(code), separator != b"-", printable(text or b"")


def printable(raw: bytes) -> str:
    """The text of bytes from a stranger, without control characters."""
    text = raw.decode("utf-8", "replace").strip()
    return text if text.isprintable() else "".join(c if c.isprintable() else "?" for c in text)


def _single(code: int, text: str) -> Reply:
    enhanced = _enhanced(code, text)
    return Reply(code, enhanced, text[len(enhanced) :].lstrip() if enhanced else text)


def _multi_line(code: int, lines: list[str]) -> Reply:
    """The enhanced code is repeated on each line (RFC 2034 4) and stands for all."""
    enhanced = _enhanced(code, lines[-1])
    if enhanced:
        lines = [line.removeprefix(enhanced).lstrip() for line in lines]
    return Reply(code, enhanced, "\n".join(lines))


def _enhanced(code: int, text: str) -> str:
    """The enhanced status code a text begins with; its class must be the code's (RFC 2034 4)."""
    match = _ENHANCED.match(text)
    return match[1] if match and match[1][0] == str(code)[0] else ""
