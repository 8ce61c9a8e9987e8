"""The server's half of AUTH (RFC 4954): what the client says is turned into a user and a password.

A mechanism is a generator: it yields challenges, is sent responses, and returns the user and the password.
"""

from __future__ import annotations

import binascii
from collections.abc import Callable, Generator, Mapping
from typing import Final

from posthouse.mail import Refused, Reply
from posthouse.smtp.events import Credentials

UNKNOWN_MECHANISM: Final = Reply(504, "5.5.4", "Unrecognized authentication type")  # RFC 4954 4
CANCELLED: Final = Reply(501, "5.7.0", "Authentication cancelled")
BAD_BASE64: Final = Reply(501, "5.5.2", "The response is not valid base64")
BAD_RESPONSE: Final = Reply(501, "5.5.2", "The response is not what the mechanism asks for")
OTHER_IDENTITY: Final = Reply(535, "5.7.3", "Authentication unsuccessful")

Mechanism = Generator[bytes, bytes, tuple[str, str]]


class Exchange:
    """One AUTH, from its first line on. `step` takes the client's lines and ends with `Credentials`."""

    __slots__ = ("_mechanism", "_name")

    def __init__(self, argument: str, offered: tuple[str, ...]) -> None:
        """`argument` is what stands behind AUTH: the mechanism, and perhaps its initial response."""
        name, _, initial = argument.partition(" ")
        self._name = name.upper()
        if self._name not in offered or self._name not in _MECHANISMS:
            raise Refused(UNKNOWN_MECHANISM)
        self._mechanism = _MECHANISMS[self._name](_decode_initial(initial.strip(" ")))

    def step(self, line: str | None) -> bytes | Credentials:
        """What to send, or what it came to. The first step has no line. Raises `Refused`."""
        try:
            challenge = next(self._mechanism) if line is None else self._mechanism.send(_decode(line))
        except StopIteration as finished:
            return Credentials(self._name, *finished.value)
        return b"334 " + binascii.b2a_base64(challenge, newline=False) + b"\r\n"


def _decode(line: str) -> bytes:
    """A response as it stands on the wire: base64, or `*` to cancel (RFC 4954 4)."""
    if line == "*":
        raise Refused(CANCELLED)
    try:
        return binascii.a2b_base64(line, strict_mode=True)
    except ValueError:
        raise Refused(BAD_BASE64) from None


def _decode_initial(text: str) -> bytes | None:
    """An initial response: `=` is an empty one, nothing is none (RFC 4954 4)."""
    if not text:
        return None
    return b"" if text == "=" else _decode(text)


def _plain(initial: bytes | None) -> Mechanism:
    """RFC 4616: `[authzid] NUL authcid NUL passwd`. Nobody may act for another, so authzid is empty or the same."""
    response = (yield b"") if initial is None else initial
    fields = _text(response).split("\0")
    if len(fields) != 3 or not fields[1]:
        raise Refused(BAD_RESPONSE)
    authorized, user, password = fields
    if authorized not in ("", user):
        raise Refused(OTHER_IDENTITY)
    return user, password


def _login(initial: bytes | None) -> Mechanism:
    """draft-murchison-sasl-login; the user may come as an initial response."""
    user = _text((yield b"Username:") if initial is None else initial)
    password = _text((yield b"Password:"))
    if not user:
        raise Refused(BAD_RESPONSE)
    return user, password


def _text(response: bytes) -> str:
    try:
        return response.decode("utf-8")
    except UnicodeDecodeError:
        raise Refused(BAD_RESPONSE) from None


_MECHANISMS: Final[Mapping[str, Callable[[bytes | None], Mechanism]]] = {"PLAIN": _plain, "LOGIN": _login}
