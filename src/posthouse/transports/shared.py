"""Several credentials share the mail of one connector."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from posthouse.mail import Delivery, Outcome
from posthouse.transports.connection import SessionFailed
from posthouse.transports.sign_in import SignInFailed
from posthouse.transports.smtp import SmtpTransport


class SharedTransport:
    """One way for each credential, all to the same place. They take turns; one that is refused is passed over, unless
    limits chose it."""

    def __init__(self, ways: Sequence[SmtpTransport]) -> None:
        self._ways = ways
        self._turn = 0

    def destination(self, forward_path: str) -> str:
        return self._ways[0].destination(forward_path)

    async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
        """Try once. Where nobody can sign in, the first refusal is told."""
        refusals: list[SignInFailed] = []
        for way in self._in_turn(delivery.credential):
            try:
                return await way.attempt(delivery)
            except SignInFailed as failure:
                refusals.append(failure)
            except SessionFailed as failure:
                return way.failed(delivery, failure)
        return self._ways[0].failed(delivery, refusals[0])

    async def end_idle(self) -> None:
        await asyncio.gather(*(way.end_idle() for way in self._ways))

    async def close(self) -> None:
        await asyncio.gather(*(way.close() for way in self._ways))

    def _in_turn(self, credential: str) -> Sequence[SmtpTransport]:
        chosen = [way for way in self._ways if way.credential == credential]
        first, self._turn = self._turn, (self._turn + 1) % len(self._ways)
        return chosen or (*self._ways[first:], *self._ways[:first])
