"""What a server offers in its reply to EHLO, and whether that is enough for a message."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

from posthouse.mail import Body, Envelope, Reply


@dataclass(frozen=True, slots=True)
class PeerExtensions:
    """The extensions of a server. All absent for one that only knows HELO.

    `size` is None without the SIZE extension, 0 where the server names no limit (RFC 1870 4).
    """

    pipelining: bool = False
    size: int | None = None
    eight_bit_mime: bool = False
    smtputf8: bool = False
    dsn: bool = False
    chunking: bool = False
    starttls: bool = False
    auth: frozenset[str] = frozenset()

    @classmethod
    def parse(cls, text: str) -> PeerExtensions:
        """Read the text of an EHLO reply: its first line greets, each other one is a keyword with parameters."""
        return _parse(text)

    def shortfall(self, envelope: Envelope, size: int) -> Reply | None:
        """Why a message can't go to this server as it is, or None. We convert nothing, so this is final."""
        if envelope.smtputf8 and not self.smtputf8:
            return _NO_SMTPUTF8
        if envelope.body is Body.EIGHT_BIT and not self.eight_bit_mime:
            return _NO_EIGHT_BIT
        if self.size and size > self.size:
            return Reply(
                552, "5.3.4", f"Message of {size} bytes is larger than the {self.size} that the next hop takes"
            )
        return None


_NO_SMTPUTF8 = Reply(550, "5.6.7", "The next hop does not offer SMTPUTF8, which this message needs")
_NO_EIGHT_BIT = Reply(550, "5.6.3", "The next hop does not offer 8BITMIME, which this message needs")


@lru_cache(maxsize=256)
def _parse(text: str) -> PeerExtensions:
    offered = {words[0].upper(): words[1:] for line in text.split("\n")[1:] if (words := line.split())}
    return PeerExtensions(
        pipelining="PIPELINING" in offered,
        size=_size(offered["SIZE"]) if "SIZE" in offered else None,
        eight_bit_mime="8BITMIME" in offered,
        smtputf8="SMTPUTF8" in offered,
        dsn="DSN" in offered,
        chunking="CHUNKING" in offered,
        starttls="STARTTLS" in offered,
        auth=frozenset(word.upper() for word in offered.get("AUTH", ())),
    )


def _size(parameters: list[str]) -> int:
    return int(parameters[0]) if parameters and parameters[0].isdecimal() and len(parameters[0]) <= 20 else 0
