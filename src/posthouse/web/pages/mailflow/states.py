"""How recipients' states and what happened to them are called and coloured."""

from __future__ import annotations

from posthouse.mail import Reply
from posthouse.spool import EventKind, State
from posthouse.web.pages.texts import Texts

KINDS = {
    State.WAITING: "warn",
    State.HELD: "info",
    State.DELIVERED: "good",
    State.FAILED: "bad",
    State.DROPPED: "quiet",
}

_WAITS = "waits: "
"""How the reply of mail that waits for a limit begins (relay/settling.py)."""


def awaited_limit(reply: Reply | None) -> str:
    """The limit that mail with this reply waits for, and whose it is; empty where it waits for something else."""
    return reply.text.removeprefix(_WAITS) if reply and reply.text.startswith(_WAITS) else ""


def state_names(text: Texts) -> dict[State, str]:
    return {
        State.DELIVERED: text("Delivered"),
        State.WAITING: text("Waiting"),
        State.FAILED: text("Failed"),
        State.HELD: text("Held"),
        State.DROPPED: text("Dropped"),
    }


def event_names(text: Texts) -> dict[EventKind, str]:
    return {
        EventKind.DEFERRED: text("Put off until the next try"),
        EventKind.WAITS: text("Waits for a limit"),
        EventKind.DSN_SENT: text("The sender was told"),
        EventKind.DSN_SUPPRESSED: text("The sender was not told"),
        EventKind.HELD: text("Held by an administrator"),
        EventKind.RELEASED: text("Released by an administrator"),
        EventKind.RETRIED: text("Tried again for an administrator"),
        EventKind.DROPPED: text("Dropped by an administrator"),
    }
