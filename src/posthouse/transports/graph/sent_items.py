"""Whether a message has gone although nobody saw the answer: it is looked for in the mailboxes that send."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import quote

from posthouse.transports.connection import SessionFailed
from posthouse.transports.graph.client import GraphMailbox, Request
from posthouse.transports.graph.draft import delete_draft
from posthouse.transports.graph.errors import GraphFailed
from posthouse.transports.graph.recipients import is_addressed

_SKEW: Final = 60.0
"""Seconds that our clock and Exchange's may differ."""
_NOT_TO_BE_KNOWN: Final = frozenset(range(400, 500)) - {HTTPStatus.TOO_MANY_REQUESTS}


@dataclass(frozen=True, slots=True)
class Sought:
    """A message by what is known of it. Devices give one Message-ID to many messages, and so does mail that is split
    by recipient; hence `paths`, all of which it has, and the time since when it can have gone."""

    message_id: str
    paths: Sequence[str]
    since: float

    def is_of(self, resource: dict[str, Any]) -> bool:
        return is_addressed(_recipients(resource), self.paths) and _sent_at(resource) >= self.since - _SKEW


async def has_gone(mailboxes: Sequence[GraphMailbox], sought: Sought) -> bool:
    """Whether one of them has sent it. A draft of it that was left behind is removed.

    Where nobody may look, or the Message-ID is none that can be looked for, that isn't known: better twice than never.
    Raises `GraphFailed` where it can be known later.
    """
    for mailbox in mailboxes:
        try:
            answer = await mailbox.call(_look_up(sought.message_id))
        except SessionFailed:  # it is the present sender's, which says so by itself, or another's
            continue
        except GraphFailed as failure:
            if failure.status in _NOT_TO_BE_KNOWN:
                continue
            raise
        found = [resource for resource in answer.get("value", ()) if sought.is_of(resource)]
        if any(not one.get("isDraft") for one in found):
            return True
        for draft in found:
            await delete_draft(mailbox, f"/messages/{quote(str(draft.get('id')), safe='')}")
    return False


def _look_up(message_id: str) -> Request:
    """https://learn.microsoft.com/graph/filter-query-parameter (a quote in a string is written twice)"""
    quoted = message_id.replace("'", "''")
    wanted = quote(f"internetMessageId eq '{quoted}'", safe="")
    fields = "id,isDraft,sentDateTime,toRecipients,ccRecipients,bccRecipients"
    return Request("GET", f"/messages?$filter={wanted}&$select={fields}", HTTPStatus.OK)


def _recipients(resource: dict[str, Any]) -> Iterator[str]:
    for name in ("toRecipients", "ccRecipients", "bccRecipients"):
        for recipient in resource.get(name) or ():
            yield str(recipient.get("emailAddress", {}).get("address", ""))


def _sent_at(resource: dict[str, Any]) -> float:
    """Of a draft, when it was made. What says nothing may be of now."""
    with suppress(ValueError):
        return datetime.fromisoformat(str(resource.get("sentDateTime"))).timestamp()
    return float("inf")
