"""The replies that the server engine gives by itself."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Final

from posthouse.mail import Reply
from posthouse.smtp.events import Extensions

OK: Final = Reply(250, "2.0.0", "OK")

UNKNOWN_COMMAND: Final = Reply(500, "5.5.1", "Unknown command")
BAD_CHUNK: Final = Reply(
    501, "5.5.4", "Syntax: BDAT octets [LAST]; closing, for where the next command begins is unknown"
)

STARTTLS_NOT_OFFERED: Final = Reply(503, "5.5.1", "STARTTLS is not offered")
STARTTLS_INJECTION: Final = Reply(554, "5.5.1", "Refused: something was pipelined after STARTTLS (RFC 3207 4)")
CHUNKING_NOT_OFFERED: Final = Reply(503, "5.5.1", "CHUNKING is not offered")
AUTH_NOT_OFFERED: Final = Reply(503, "5.5.1", "AUTH is not offered")
ENCRYPTION_REQUIRED: Final = Reply(538, "5.7.11", "Encryption required")
ALREADY_AUTHENTICATED: Final = Reply(503, "5.5.1", "Already authenticated")

TOO_MANY_RECIPIENTS: Final = Reply(452, "4.5.3", "Too many recipients")


_HELP: Final = Reply(
    214, "2.0.0", "Commands: HELO EHLO STARTTLS AUTH MAIL RCPT DATA BDAT RSET NOOP VRFY HELP QUIT (RFC 5321)"
)
_CANNOT_VERIFY: Final = Reply(252, "2.5.2", "Cannot VRFY user, but will accept message and attempt delivery")
_NO_EXPN: Final = Reply(502, "5.5.1", "EXPN is not implemented")


def syntax(form: str) -> Reply:
    return Reply(501, "5.5.4", f"Syntax: {form}")


STATELESS: Final[Mapping[str, Callable[[str], Reply]]] = {
    "NOOP": lambda argument: OK,
    "HELP": lambda argument: _HELP,
    "VRFY": lambda argument: _CANNOT_VERIFY if argument else syntax("VRFY mailbox"),
    "EXPN": lambda argument: _NO_EXPN,
}
"""Commands whose answer hangs on nothing but their argument."""


def chunk_received(octets: int) -> Reply:
    return Reply(250, "2.0.0", f"{octets} octets received")


def farewell(hostname: str) -> Reply:
    return Reply(221, "2.0.0", f"{hostname} closing the connection")


@lru_cache(maxsize=256)
def hello(hostname: str, offered: Extensions | None) -> Reply:
    """HELO's answer, or with extensions EHLO's (RFC 5321 4.1.1.1)."""
    if offered is None:
        return Reply(250, "", hostname)
    lines = [
        hostname,
        "PIPELINING",
        f"SIZE {offered.size}" if offered.size else "SIZE",
        "8BITMIME",
        "ENHANCEDSTATUSCODES",
        *(["STARTTLS"] if offered.starttls else []),
        *([f"AUTH {' '.join(offered.auth)}"] if offered.auth else []),
        *(["DSN"] if offered.dsn else []),
        *(["CHUNKING"] if offered.chunking else []),
        *(["SMTPUTF8"] if offered.smtputf8 else []),
    ]
    return Reply(250, "", "\n".join(lines))
