"""Senders get other addresses on their way out, whatever the transport behind is."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Sequence
from dataclasses import replace

from posthouse.mail import Content, Delivery, HeadReplaced, Outcome, headers
from posthouse.organization import Rewriter, Rewriting
from posthouse.transports.base import Transport


class RewritingTransport:
    """Has another transport deliver what it has rewritten. A large message is streamed as ever, with a new head."""

    def __init__(self, transport: Transport, rules: Iterable[Rewriting]) -> None:
        self._transport = transport
        self._rewriter = Rewriter(rules)

    def destination(self, forward_path: str) -> str:
        return self._transport.destination(forward_path)

    async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
        message = delivery.message
        envelope = replace(message.envelope, reverse_path=self._rewriter.address(message.envelope.reverse_path))
        if message.content.in_memory:
            content = self._rewritten(message.content)
        else:
            content = await asyncio.to_thread(self._rewritten, message.content)
        rewritten = replace(message, envelope=envelope, content=content)
        return await self._transport.deliver(replace(delivery, message=rewritten))

    async def end_idle(self) -> None:
        await self._transport.end_idle()

    async def close(self) -> None:
        await self._transport.close()

    def _rewritten(self, content: Content) -> Content:
        block = headers.block(content)
        rewritten = self._rewriter.header(block)
        return content if rewritten is block else HeadReplaced(content, len(block), rewritten)
