"""Delivery by Microsoft Graph: https://learn.microsoft.com/graph/api/user-sendmail"""

from __future__ import annotations

import asyncio
import ssl
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final
from urllib.parse import urlsplit

from posthouse.mail import Content, Delivery, DsnDuty, HeadReplaced, Outcome, Reply, headers
from posthouse.organization import Credential, OutboundConnector, Rewriter, Rewriting
from posthouse.organization.connectors import ANY
from posthouse.transports.base import status_of
from posthouse.transports.connection import SessionFailed
from posthouse.transports.graph.client import PATIENCE, GraphMailbox, http_client, throttled
from posthouse.transports.graph.draft import mime_request, send_as_draft
from posthouse.transports.graph.errors import GraphFailed
from posthouse.transports.graph.recipients import addressed
from posthouse.transports.graph.sent_items import Sought, has_gone
from posthouse.transports.sign_in import Tokens

MIME_LIMIT: Final = 1_500_000
"""Bytes of MIME in one request: 2 MB in base64. From 2,240 KB on they have been seen to vanish with a 2xx:
https://github.com/microsoftgraph/microsoft-graph-docs/issues/13979"""
RECIPIENTS: Final = 500
"""Of one message, unless the mailbox's own limit is another:
https://learn.microsoft.com/office365/servicedescriptions/exchange-online-service-description/exchange-online-limits"""
_FOR_SOME: Final = ("5.1.3", "5.5.3")
"""Refusals for one recipient, or for their number, that fewer of them may not meet."""
_FOR_EXCHANGE: Final = (b"Sender:",)
"""Written by it, going by what the mailbox may do; another's would be refused:
https://learn.microsoft.com/graph/outlook-send-mail-from-other-user"""
_LARGE_AT_ONCE: Final = 2


class GraphTransport:
    """Sends for one outbound connector as the users of its credentials, who share the mail.

    Graph knows no envelope: the reverse-path is lost, the header names exactly the recipients, and requests for DSNs
    are answered by us. A repeated attempt first looks whether the mail is in Sent Items already.
    """

    def __init__(
        self,
        connector: OutboundConnector,
        credentials: Sequence[Credential],
        *,
        tokens: Tokens,
        hostname: str,
        context: ssl.SSLContext,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._client = http_client(context)
        self._mailboxes = [GraphMailbox(each, connector.endpoint, tokens, self._client) for each in credentials]
        self._host = urlsplit(connector.endpoint).hostname or ""
        self._hostname = hostname
        self._clock = clock
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)
        self._under_way = 0
        self._is_closed = False

    def destination(self, forward_path: str) -> str:
        """One for all: mail for whomever goes to the same endpoint."""
        return self._host

    async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
        """Try once. Only cancelling raises."""
        self._under_way += 1
        try:
            return [
                outcome for batch in _batches(delivery.recipients) for outcome in await self._deliver(delivery, batch)
            ]
        finally:
            self._under_way -= 1
            await self._close_when_idle()

    async def end_idle(self) -> None:
        """Graph counts requests, not connections."""

    async def close(self) -> None:
        self._is_closed = True
        await self._close_when_idle()

    async def _close_when_idle(self) -> None:
        if self._is_closed and not self._under_way:
            await self._client.aclose()

    async def _deliver(self, delivery: Delivery, recipients: Sequence[int]) -> Sequence[Outcome]:
        paths = [delivery.message.envelope.recipients[index].forward_path for index in recipients]
        reply, remote = await self._reply(delivery, paths)
        if reply.enhanced in _FOR_SOME and len(paths) > 1 and delivery.message.content.size <= MIME_LIMIT:
            half = len(recipients) // 2
            return [
                outcome
                for part in (recipients[:half], recipients[half:])
                for outcome in await self._deliver(delivery, part)
            ]
        now = self._clock()
        return [Outcome(index, status_of(reply), reply, remote, now, DsnDuty.RELAYED) for index in recipients]

    async def _reply(self, delivery: Delivery, paths: Sequence[str]) -> tuple[Reply, str]:
        """With who said it. Where nobody can sign in, the first refusal is told."""
        refusals: list[Reply] = []
        for mailbox in self._in_turn(delivery.credential):
            if mailbox.pause > PATIENCE:
                refusals.append(throttled(mailbox.user, mailbox.pause))
                continue
            try:
                await self._send(mailbox, delivery, paths)
            except SessionFailed as failure:
                refusals.append(failure.reply)
            except GraphFailed as failure:
                return failure.reply, self._host if failure.status or failure.is_doubtful else ""
            else:
                return Reply(250, "2.0.0", f"Microsoft Graph sends it as {mailbox.user}"), self._host
        return refusals[0], ""

    def _in_turn(self, credential: str) -> Sequence[GraphMailbox]:
        """The one that limits chose; else all, the idlest first."""
        chosen = [mailbox for mailbox in self._mailboxes if mailbox.name == credential]
        return chosen or sorted(self._mailboxes, key=lambda mailbox: (mailbox.pause, mailbox.waiting))

    async def _send(self, mailbox: GraphMailbox, delivery: Delivery, paths: Sequence[str]) -> None:
        """A bounce would be refused for its From, so it gets the mailbox's. Raises `GraphFailed`, `SignInFailed`."""
        message = delivery.message
        content = message.content
        block = headers.block(content) if content.in_memory else await asyncio.to_thread(headers.block, content)
        facts = headers.survey(block, self._hostname)
        message_id = facts.message_id or f"<{message.id}@{self._hostname}>"
        sought = Sought(message_id, paths, message.received_at)
        if not delivery.is_first and await has_gone(self._mailboxes, sought):
            return
        head = headers.remove(addressed(block, paths), _FOR_EXCHANGE)
        if not message.envelope.reverse_path:
            head = Rewriter([Rewriting(ANY, mailbox.user)]).header(head)
        if not facts.message_id:
            head = f"Message-ID: {message_id}\r\n".encode() + head
        try:
            await self._send_content(mailbox, HeadReplaced(content, len(block), head))
        except GraphFailed as failure:
            if not failure.is_doubtful or not await has_gone(self._mailboxes, sought):
                raise

    async def _send_content(self, mailbox: GraphMailbox, content: Content) -> None:
        if content.size > MIME_LIMIT:
            async with self._large:
                await send_as_draft(mailbox, content, MIME_LIMIT)
            return
        mime = _whole(content) if content.in_memory else await asyncio.to_thread(_whole, content)
        await mailbox.call(mime_request("/sendMail", mime, 202, sends=True))


def _batches(recipients: Sequence[int]) -> Iterator[Sequence[int]]:
    for first in range(0, len(recipients), RECIPIENTS):
        yield recipients[first : first + RECIPIENTS]


def _whole(content: Content) -> bytes:
    return b"".join(content.chunks())
