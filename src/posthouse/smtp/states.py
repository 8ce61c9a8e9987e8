"""What is legal when (RFC 5321 4.1.4), in tables.

state        entered by                        what the client may say, besides what it always may
GREETING     connecting                        nothing: what it says waits for the banner
REFUSED      a banner of 5yz                   QUIT alone
START        a banner of 220, or the handshake HELO, EHLO
READY        HELO or EHLO, the end of          MAIL, AUTH, STARTTLS
             a transaction
MAIL         MAIL                              RCPT
RECIPIENTS   RCPT                              RCPT, DATA, BDAT
CHUNKS       BDAT                              BDAT
HANDSHAKE    STARTTLS                          nothing: what comes is TLS

After QUIT or a 421 nothing is read any more, whatever the state.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from posthouse.mail import Reply


class State(enum.IntEnum):
    GREETING = enum.auto()
    REFUSED = enum.auto()
    START = enum.auto()
    READY = enum.auto()
    MAIL = enum.auto()
    RECIPIENTS = enum.auto()
    CHUNKS = enum.auto()
    HANDSHAKE = enum.auto()

    @property
    def in_transaction(self) -> bool:
        return self in _TRANSACTION


_TRANSACTION: Final = frozenset({State.MAIL, State.RECIPIENTS, State.CHUNKS})


@dataclass(slots=True)
class Transaction:
    """What is known of the one that is going on. `refusal` answers all further chunks of refused content."""

    smtputf8: bool = False
    recipients: int = 0
    refusal: Reply | None = None


_ALWAYS: Final = frozenset({"HELO", "EHLO", "RSET", "NOOP", "HELP", "VRFY", "EXPN", "QUIT"})

LEGAL: Final[Mapping[State, frozenset[str]]] = {
    State.REFUSED: frozenset({"QUIT"}),
    State.START: _ALWAYS,
    State.READY: _ALWAYS | {"MAIL", "AUTH", "STARTTLS"},
    State.MAIL: _ALWAYS | {"RCPT"},
    State.RECIPIENTS: _ALWAYS | {"RCPT", "DATA", "BDAT"},
    State.CHUNKS: _ALWAYS | {"BDAT"},
}

_NO_SERVICE: Final = Reply(503, "5.5.1", "No service here: only QUIT is accepted")  # RFC 5321 3.1
_NO_HELLO: Final = Reply(503, "5.5.1", "Send EHLO or HELO first")
_NO_RECIPIENTS: Final = Reply(554, "5.5.1", "No valid recipients")  # RFC 5321 3.3
_IN_TRANSACTION: Final = Reply(503, "5.5.1", "Not within a transaction: end it or send RSET first")
_CHUNKS_BEGUN: Final = Reply(503, "5.5.1", "Only BDAT may follow BDAT: finish with LAST or send RSET")  # RFC 3030 2
_NO_MAIL: Final = Reply(503, "5.5.1", "Send MAIL first")


def out_of_order(state: State, verb: str) -> Reply | None:
    """The reply to a command that is not legal now, None for one that is."""
    if verb in LEGAL[state]:
        return None
    if state is State.REFUSED:
        return _NO_SERVICE
    if state is State.START:
        return _NO_HELLO
    if state is State.CHUNKS:
        return _CHUNKS_BEGUN
    if verb in ("DATA", "BDAT") and state is State.MAIL:
        return _NO_RECIPIENTS
    return _IN_TRANSACTION if state.in_transaction else _NO_MAIL
