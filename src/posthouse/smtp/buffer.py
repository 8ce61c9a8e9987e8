"""What has come in and is not used yet: lines or octets are taken from its front."""

from __future__ import annotations

from typing import Final

from posthouse.mail import Refused, Reply

LINE_TOO_LONG: Final = Reply(500, "5.5.2", "Line too long")

_CRLF: Final = b"\r\n"


class ReceiveBuffer:
    """Bounded by its user: no line can make it grow, and everything else is taken as it comes."""

    __slots__ = ("_at", "_data", "_swallowing")

    def __init__(self) -> None:
        self._data = b""
        self._at = 0
        self._swallowing = False

    def __len__(self) -> int:
        return len(self._data) - self._at

    def append(self, data: bytes) -> None:
        self._data = self._data[self._at :] + data if self else data
        self._at = 0

    def clear(self) -> None:
        self._data = b""
        self._at = 0
        self._swallowing = False

    def peek(self, count: int) -> bytes:
        return self._data[self._at : self._at + count]

    def take(self, count: int | None = None) -> bytes:
        """Up to `count` octets, or all there are."""
        stop = len(self._data) if count is None else min(self._at + count, len(self._data))
        taken = self._data[self._at : stop]
        self._at = stop
        return taken

    def next_line(self, limit: int) -> bytes | None:
        """The next line without its CRLF, None when it is not all there.

        Raises `Refused`, once, for a line that is longer than `limit` with its CRLF; the rest of it is swallowed.
        """
        start = self._at
        end = self._data.find(_CRLF, start)
        if self._swallowing:
            self._swallow(end)
            return None if end < 0 else self.next_line(limit)
        if 0 <= end <= start + limit - len(_CRLF):
            self._at = end + len(_CRLF)
            return self._data[start:end]
        if end < 0 and len(self) < limit:
            return None
        self._swallowing = True
        self._swallow(end)
        raise Refused(LINE_TOO_LONG)

    def _swallow(self, end: int) -> None:
        """Drop the line up to `end`, or all there is but a CR that may be the first half of its end."""
        if end >= 0:
            self._at = end + len(_CRLF)
            self._swallowing = False
        else:
            self._at = len(self._data) - self._data.endswith(b"\r", self._at)
