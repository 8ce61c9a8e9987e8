"""Many mails over a few connections: how fast a server takes them, what it refuses. Memory doesn't grow with them."""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

from posthouse.analysis import Explanation
from posthouse.mail import Envelope, Reply
from posthouse.probe.dialogue import Dialogue
from posthouse.probe.hosts import Host, SendError, find_hosts
from posthouse.probe.options import SendOptions
from posthouse.probe.send import content_of, envelope_of, explained, new_id
from posthouse.probe.session import Session

_FRUITLESS: Final = 5
"""Connections in a row that brought no mail nearer, after which a worker gives up."""
_PAUSE: Final = 0.1  # seconds, doubled each time
_ERRORS_KEPT: Final = 5
_KINDS_KEPT: Final = 100
_STEPS: Final = 200
"""Latencies are counted in steps of half a per cent."""


@dataclass(frozen=True, slots=True)
class Latency:
    """Seconds from MAIL to the last reply, half a per cent exact. None where nothing was answered."""

    p50: float | None
    p95: float | None
    p99: float | None


@dataclass(frozen=True, slots=True)
class ManyResult:
    """`sent` went to all their recipients, `refused` were refused to at least one by a reply.

    Of `failed` the connection broke; `unfinished` weren't tried, or were under way when it was ended. `replies` counts
    each recipient's by its codes; `refusals` and `errors` are the first ones of each kind.
    """

    count: int
    sent: int
    refused: int
    failed: int
    seconds: float
    latency: Latency
    replies: dict[str, int]
    refusals: tuple[str, ...]
    errors: tuple[str, ...]
    tls: str
    explanations: tuple[Explanation, ...]

    @property
    def unfinished(self) -> int:
        return self.count - self.sent - self.refused - self.failed

    @property
    def accepted(self) -> bool:
        return self.sent == self.count

    @property
    def rate(self) -> float:
        """Messages sent a second."""
        return self.sent / self.seconds if self.seconds else 0.0

    def to_json(self) -> dict[str, Any]:
        return {
            "accepted": self.accepted,
            **asdict(self),
            "unfinished": self.unfinished,
            "messages_per_second": round(self.rate, 3),
            "explanations": [explanation.to_json() for explanation in self.explanations],
        }


class Tally:
    """What came of the mails so far. `progress` hears after each how many are done."""

    def __init__(self, count: int, progress: Callable[[int], None] = lambda done: None) -> None:
        """Raises ValueError for less than one."""
        if count < 1:
            raise ValueError(f"count {count}: it should be at least 1")
        self.count = count
        self.left = count
        self.sent = self.refused = self.failed = 0
        self.tls = ""
        self._progress = progress
        self._latencies: Counter[int] = Counter()
        self._replies: Counter[str] = Counter()
        self._refusals: dict[str, Reply] = {}
        self._errors: dict[str, None] = {}
        self._started = time.monotonic()

    @property
    def done(self) -> int:
        return self.sent + self.refused + self.failed

    def answered(self, replies: Sequence[Reply], seconds: float) -> None:
        refusals = [reply for reply in replies if not reply.is_positive]
        if refusals:
            self.refused += 1
        else:
            self.sent += 1
        for reply in refusals[: _ERRORS_KEPT - len(self._refusals)]:
            self._refusals.setdefault(_kind(reply), reply)
        for reply in replies:
            kind = _kind(reply)
            self._replies[kind if kind in self._replies or len(self._replies) < _KINDS_KEPT else "other"] += 1
        self._latencies[math.floor(math.log(max(seconds, 1e-6)) * _STEPS)] += 1
        self._progress(self.done)

    def broken(self, error: SendError) -> None:
        """The mail under way is lost, or arrived without our hearing of it."""
        self.failed += 1
        self.trouble(error)
        self._progress(self.done)

    def trouble(self, error: SendError) -> None:
        if len(self._errors) < _ERRORS_KEPT:
            self._errors[str(error)] = None

    def result(self) -> ManyResult:
        return ManyResult(
            count=self.count,
            sent=self.sent,
            refused=self.refused,
            failed=self.failed,
            seconds=round(time.monotonic() - self._started, 3),
            latency=Latency(self._percentile(50), self._percentile(95), self._percentile(99)),
            replies=dict(self._replies.most_common()),
            refusals=tuple(str(reply) for reply in self._refusals.values()),
            errors=tuple(self._errors),
            tls=self.tls,
            explanations=explained(self._refusals.values()),
        )

    def _percentile(self, per_cent: int) -> float | None:
        """The nearest rank."""
        rank = math.ceil(self._latencies.total() * per_cent / 100)
        for step in sorted(self._latencies):
            rank -= self._latencies[step]
            if rank <= 0:
                return round(math.exp((step + 0.5) / _STEPS), 6)
        return None


async def send_many(options: SendOptions, tally: Tally, concurrency: int = 1) -> None:
    """Send as many as the tally counts over so many connections at once, which are used again and again.

    An error costs one mail, or none, and never stops the others. Who ends this early has what was done in the tally.
    """
    job = _Job(options, tally)
    try:
        hosts = await find_hosts(options, job.dialogue())
    except SendError as error:
        tally.trouble(error)
        return
    async with asyncio.TaskGroup() as group:
        for _ in range(min(concurrency, tally.count)):
            group.create_task(job.work(hosts))


class _Job:
    """The mails differ in nothing but their Message-ID, and a whole message in nothing at all."""

    def __init__(self, options: SendOptions, tally: Tally) -> None:
        self._options = options
        self._tally = tally
        self._placeholder = new_id()
        self._content = content_of(options, self._placeholder)
        self._envelope: Envelope = envelope_of(options, self._content)

    def dialogue(self) -> Dialogue:
        return Dialogue(secret=self._options.password, keep=False)

    async def work(self, hosts: Sequence[Host]) -> None:
        """One connection after the other, as long as they are of use."""
        fruitless = 0
        while self._tally.left and fruitless < _FRUITLESS:
            if fruitless:
                await asyncio.sleep(_PAUSE * 2 ** (fruitless - 1))
            session = Session(self._options, self.dialogue())
            try:
                await session.open(hosts)
                self._tally.tls = self._tally.tls or session.tls
                fruitless = 0 if await self._use(session) else fruitless + 1
            except SendError as error:
                self._tally.trouble(error)
                fruitless += 1
            finally:
                await session.close()

    async def _use(self, session: Session) -> int:
        """Send while there is mail and the server takes it. Returns how many were answered."""
        tally, answered = self._tally, 0
        while session.is_usable and tally.left:
            tally.left -= 1
            started = time.perf_counter()
            try:
                replies = await session.transact(self._envelope, self._next())
            except SendError as error:
                if answered and session.is_unanswered:  # some servers end a session after so many mails
                    tally.left += 1
                else:
                    tally.broken(error)
                break
            tally.answered(replies, time.perf_counter() - started)
            answered += 1
        return answered

    def _next(self) -> bytes:
        if self._options.raw is not None:
            return self._content
        return self._content.replace(self._placeholder.encode(), new_id().encode(), 1)


def _kind(reply: Reply) -> str:
    return f"{reply.code} {reply.enhanced}".strip()
