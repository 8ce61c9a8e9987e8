"""What content must keep to, whether it came by DATA or BDAT: the size limit, no bare CR or LF, and no NUL.

Without BINARYMIME there may be no NUL (RFC 2045 2.8). A next hop that drops it would see a dot alone behind it.
"""

from __future__ import annotations

import io
from typing import Final

from posthouse.mail import Reply

ILLEGAL_OCTETS: Final = Reply(
    550, "5.6.11", "Bare CR or LF, or NUL, in the message: lines must end with CRLF (RFC 5321 2.3.8)"
)
TOO_BIG: Final = Reply(552, "5.3.4", "Message size exceeds fixed limit")


class ContentScreen:
    """Lets one message's content pass piece by piece, and nothing more of it once there is a fault.

    A bare CR or LF is a fault, or repaired to CRLF; NUL is a fault, or taken out. `limit` 0 is none.
    """

    __slots__ = ("_held", "_illegal", "_limit", "_repair", "size")

    def __init__(self, limit: int, *, repair: bool) -> None:
        self.size = 0
        self._limit = limit
        self._repair = repair
        self._held = b""
        self._illegal = False

    @property
    def fault(self) -> Reply | None:
        if self._illegal:
            return ILLEGAL_OCTETS
        return TOO_BIG if 0 < self._limit < self.size else None

    def admit(self, piece: bytes) -> bytes:
        """What may go on of a piece. A CR at its end waits for what follows."""
        if self._held:
            piece, self._held = self._held + piece, b""
        if piece.endswith(b"\r"):
            piece, self._held = piece[:-1], b"\r"
        return self._screen(piece)

    def finish(self) -> bytes:
        """What may still go on at the end."""
        piece, self._held = self._held, b""
        return self._screen(piece) if piece else b""

    def _screen(self, piece: bytes) -> bytes:
        if not self._illegal and has_illegal_octets(piece):
            if self._repair:
                piece = repaired(piece)
            else:
                self._illegal = True
        self.size += len(piece)
        return b"" if self.fault else piece


def has_illegal_octets(piece: bytes) -> bool:
    """Whether there is a CR without LF, an LF without CR, or a NUL.

    Python's universal newlines note which kinds they met, in one pass: several times quicker than counting each.
    """
    if b"\0" in piece:
        return True
    newlines = io.IncrementalNewlineDecoder(None, translate=False)
    newlines.decode(piece.decode("latin-1"), final=True)
    return newlines.newlines not in (None, "\r\n")


def repaired(piece: bytes) -> bytes:
    """Every CR, LF and CRLF as one CRLF, and no NUL."""
    return piece.replace(b"\r\n", b"\n").replace(b"\r", b"\n").replace(b"\n", b"\r\n").replace(b"\0", b"")
