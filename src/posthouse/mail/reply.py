"""One value for every answer of an SMTP server, ours or a remote one's."""

from __future__ import annotations

from dataclasses import dataclass


class _Encoded:
    """Room for the bytes of a reply, since most are constants that are sent again and again."""

    __slots__ = ("_wire",)
    _wire: bytes


@dataclass(frozen=True, slots=True)
class Reply(_Encoded):
    """An SMTP reply (RFC 5321 4.2) with its enhanced status code (RFC 3463).

    `enhanced` is like `5.7.64`, or empty where RFC 2034 4 wants none (banner, HELO, EHLO, 354).
    A line break in `text` makes a multi-line reply.
    """

    code: int
    enhanced: str
    text: str

    @property
    def is_positive(self) -> bool:
        """2yz and 3yz."""
        return self.code < 400

    @property
    def is_transient(self) -> bool:
        """4yz: the same command may succeed later."""
        return 400 <= self.code < 500

    @property
    def is_permanent(self) -> bool:
        """5yz: the same command will be refused again."""
        return self.code >= 500

    def encode(self) -> bytes:
        """The bytes for the wire. Each line of a multi-line reply carries the enhanced code (RFC 2034 4)."""
        try:
            return self._wire
        except AttributeError:
            object.__setattr__(self, "_wire", _encode(self))
            return self._wire

    def __str__(self) -> str:
        return " ".join(part for part in (str(self.code), self.enhanced, self.text) if part)


def _encode(reply: Reply) -> bytes:
    prefix = f"{reply.enhanced} " if reply.enhanced else ""
    lines = reply.text.split("\n")
    text = "".join(f"{reply.code}-{prefix}{line}\r\n" for line in lines[:-1])
    return f"{text}{reply.code} {prefix}{lines[-1]}\r\n".encode("utf-8", "replace")


class Refused(Exception):
    """Something was refused, and `reply` is what the peer is told."""

    def __init__(self, reply: Reply) -> None:
        super().__init__(str(reply))
        self.reply = reply
