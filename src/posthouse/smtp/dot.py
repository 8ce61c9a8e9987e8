"""End of data and dot-stuffing (RFC 5321 4.5.2), on whole buffers."""

from __future__ import annotations

from typing import Final

_CRLF: Final = b"\r\n"
_DOT_LINE: Final = b"\r\n."
_END: Final = b"\r\n.\r\n"
_BEGUN_ENDS: Final = (b"\r\n.\r", b"\r\n.", b"\r\n", b"\r")


class DotScanner:
    """Finds the end of one DATA's content and takes the stuffed dots out.

    Only CRLF.CRLF is the end, and only CRLF ends a line (RFC 5321 2.3.8, 4.1.1.4): after a bare CR or LF a dot means
    nothing. To admit anything else is how mail is smuggled past a relay that reads it differently.
    """

    __slots__ = ("_held", "_virtual")

    def __init__(self) -> None:
        # The CRLF of the DATA command counts as the one before the first line: content may be just `.CRLF`.
        self._held = _CRLF
        self._virtual = len(_CRLF)

    def feed(self, data: bytes) -> tuple[bytes, bool, bytes]:
        """The content that `data` completes, whether that was the last of it, and the bytes behind the end.

        What may turn out to be the beginning of the end is held back, at most 4 bytes.
        """
        if self._held:
            data = self._held + data
        end, stuffed = _find_end(data)
        if end < 0:
            stop = len(data) - _held_back(data)
            self._held, rest = data[stop:], b""
        else:
            stop = end + len(_CRLF)
            rest = data[end + len(_END) :]
        content = self._cut(data, stop, stuffed)
        return content, end >= 0, rest

    def _cut(self, data: bytes, stop: int, stuffed: bool) -> bytes:
        start = self._virtual
        if stop:
            self._virtual = 0
        if not stuffed:
            return data[start:stop]
        return data[:stop].replace(_DOT_LINE, _CRLF)[start:]


def _find_end(data: bytes) -> tuple[int, bool]:
    """Where CRLF.CRLF begins, or -1; and whether there may be dots to take out before it.

    Looks backwards, which is twice as quick here: the byte that `rfind` compares first is the rare one, CR.
    """
    last = data.rfind(_DOT_LINE)
    if last < 0:
        return -1, False
    if data.rfind(_DOT_LINE, 0, last + len(_CRLF)) >= 0:
        return data.find(_END), True
    return (last, False) if data.startswith(_END, last) else (-1, True)


def _held_back(data: bytes) -> int:
    if not data.endswith(_BEGUN_ENDS):
        return 0
    return next(len(begun) for begun in _BEGUN_ENDS if data.endswith(begun))
