"""A message: envelope and content, with the id that every log line and trace carries."""

from __future__ import annotations

from dataclasses import dataclass

from posthouse.mail.content import Content
from posthouse.mail.envelope import Envelope

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32: sorts as ASCII, no i, l, o, u
_PAIRS = [first + second for first in _ALPHABET for second in _ALPHABET]
_RANDOM_BITS = 77
_ID_LENGTH = 25
_SHIFTS = range(5 * (_ID_LENGTH - 3), -1, -10)


@dataclass(frozen=True, slots=True)
class Client:
    """Who handed us the message. `login` is the user that AUTH proved, `certificate` the verified subject or names."""

    ip: str
    helo: str = ""
    protocol: str = "ESMTP"
    tls: str = ""
    certificate: str = ""
    login: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """`received_at` is Unix time in seconds. `connector` is the inbound connector's Name, None where none matched."""

    id: str
    received_at: float
    envelope: Envelope
    content: Content
    connector: str | None
    client: Client

    @property
    def size(self) -> int:
        return self.content.size


def message_id(milliseconds: int, randomness: int) -> str:
    """A message id of 25 characters: 48 bits of time, then 77 of randomness, as UUIDv7 has them (RFC 9562 5.7).

    Sorts by time. `randomness` is any integer; its low 77 bits are used.
    """
    value = (milliseconds & ((1 << 48) - 1)) << _RANDOM_BITS | randomness & ((1 << _RANDOM_BITS) - 1)
    pairs = [_PAIRS[value >> shift & 1023] for shift in _SHIFTS]
    return _ALPHABET[value >> 5 * (_ID_LENGTH - 1)] + "".join(pairs)


def received_time(message_id: str) -> float:
    """The Unix time in seconds that a message id begins with. Raises `ValueError` for what is no message id."""
    if len(message_id) != _ID_LENGTH or not set(message_id) <= set(_ALPHABET):
        raise ValueError(f"{message_id!r} is no message id: it has 25 characters out of {_ALPHABET}")
    value = 0
    for character in message_id:
        value = value << 5 | _ALPHABET.index(character)
    return (value >> _RANDOM_BITS) / 1000
