"""Signing in to a server: what the client says in AUTH (RFC 4954)."""

from __future__ import annotations

from base64 import b64encode
from collections import deque
from typing import Final

from posthouse.smtp.replies import ProtocolError

MECHANISMS: Final = ("XOAUTH2", "PLAIN", "LOGIN")


class Exchange:
    """The client's half of one AUTH exchange. `command` opens it, `next_response` answers each 334."""

    __slots__ = ("_responses", "command")

    def __init__(self, mechanism: str, user: str, secret: str) -> None:
        match mechanism:
            case "PLAIN":  # RFC 4616
                initial, responses = f"\0{user}\0{secret}", []
            case "LOGIN":
                initial, responses = None, [user, secret]
            case "XOAUTH2":  # a refusal comes as 334 with JSON and wants an empty line before its 535
                initial, responses = f"user={user}\1auth=Bearer {secret}\1\1", [""]
            case _:
                raise ValueError(f"AUTH {mechanism} is unknown: it should be one of {', '.join(MECHANISMS)}")
        self.command = f"AUTH {mechanism}" + (f" {_base64(initial)}" if initial is not None else "")
        self._responses = deque([*map(_base64, responses), "*"])

    def next_response(self) -> str:
        """The line for a 334; `*`, which cancels (RFC 4954 4), when the server asks for more than there is.

        Raises `ProtocolError` when it asks on.
        """
        if not self._responses:
            raise ProtocolError("another 334 after AUTH was cancelled")
        return self._responses.popleft()


def _base64(text: str) -> str:
    return b64encode(text.encode()).decode("ascii")
