"""Who a message is from and for, as MAIL and RCPT said it (RFC 5321 2.3.1) with the DSN parameters (RFC 3461)."""

from __future__ import annotations

import enum
from dataclasses import dataclass


class Notify(enum.Flag):
    """NOTIFY= of RCPT (RFC 3461 4.1). No flag at all: the parameter was absent."""

    ABSENT = 0
    NEVER = enum.auto()
    SUCCESS = enum.auto()
    FAILURE = enum.auto()
    DELAY = enum.auto()

    @property
    def parameter(self) -> str:
        """`SUCCESS,FAILURE` as on the wire; empty when absent."""
        return ",".join(flag.name for flag in self if flag.name)

    @classmethod
    def parse(cls, text: str) -> Notify:
        """The inverse of `parameter`. Raises `ValueError` for an unknown word, or NEVER beside another."""
        flags = cls.ABSENT
        for word in text.upper().split(",") if text else ():
            if word not in _NOTIFY_WORDS:
                raise ValueError(f"NOTIFY={text}: {word or 'an empty word'} is not NEVER, SUCCESS, FAILURE or DELAY")
            flags |= cls[word]
        if cls.NEVER in flags and flags != cls.NEVER:
            raise ValueError(f"NOTIFY={text}: NEVER stands alone (RFC 3461 4.1)")
        return flags


_NOTIFY_WORDS = frozenset({"NEVER", "SUCCESS", "FAILURE", "DELAY"})


class Ret(enum.StrEnum):
    """RET= of MAIL (RFC 3461 4.3): how much of the message a failure DSN returns."""

    FULL = "FULL"
    HDRS = "HDRS"


class Body(enum.StrEnum):
    """BODY= of MAIL (RFC 6152)."""

    SEVEN_BIT = "7BIT"
    EIGHT_BIT = "8BITMIME"


@dataclass(frozen=True, slots=True)
class Recipient:
    """One forward-path. `orcpt` is as on the wire: `rfc822;user+40example.com` (xtext), or None."""

    forward_path: str
    notify: Notify = Notify.ABSENT
    orcpt: str | None = None


@dataclass(frozen=True, slots=True)
class Envelope:
    """`reverse_path` is MAIL FROM, `""` the null one. Recipients keep their places: an index names one for good.

    `envid` is as on the wire (xtext).
    """

    reverse_path: str
    recipients: tuple[Recipient, ...]
    ret: Ret | None = None
    envid: str | None = None
    smtputf8: bool = False
    body: Body = Body.SEVEN_BIT
