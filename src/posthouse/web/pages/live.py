"""What a page shows while it happens: server-sent events whose data is HTML, and long work that goes on meanwhile.

https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Mapping
from contextlib import aclosing, suppress
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Generic, TypeVar

from fastapi import Request
from fastapi.responses import Response, StreamingResponse
from starlette.concurrency import run_in_threadpool

from posthouse import observe
from posthouse.admin import Face
from posthouse.web.access import SESSION_COOKIE, desk_of, origin_of
from posthouse.web.pages.visitor import Visitor

STREAM_SECONDS = 600.0
"""Then a page has to ask again, which the script does when somebody looks at it."""
_CHECK_SECONDS = 5.0
_A_SESSION, _IN_ALL = 4, 24
_RUN_SECONDS = 300.0
_RUNS_KEPT = 50
_BREATH = 0.15
"""Seconds between two events at least, so that a talkative server doesn't flood the page."""

log = observe.logger
Item = TypeVar("Item")


@dataclass(slots=True)
class Run(Generic[Item]):
    """Work that somebody has started, as far as it has come. `fields` are what he typed, without secrets."""

    fields: Mapping[str, Any]
    items: list[Item] = field(default_factory=list)
    result: Any = None
    error: str = ""
    ended_at: float | None = None
    is_cancelled: bool = False
    task: asyncio.Task[None] | None = None
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def is_running(self) -> bool:
        return self.ended_at is None

    def add(self, item: Item) -> None:
        self.items.append(item)
        self._news.set()

    def cancel(self) -> None:
        if self.task is not None and self.is_running:
            self.is_cancelled = True
            self.task.cancel()

    def end(self) -> None:
        self.ended_at = time.time()
        self._news.set()

    async def changes(self) -> AsyncGenerator[None, None]:
        """Once at first, then whenever there is news, until it has ended. For one reader at a time."""
        while True:
            self._news.clear()
            was_running = self.is_running
            yield
            if not was_running:
                return
            await asyncio.sleep(_BREATH)
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), _CHECK_SECONDS)


class Live:
    """Of one process: who listens, and what was started. A new run takes the place of the session's last one."""

    def __init__(self) -> None:
        self._listening: Counter[str] = Counter()
        self._runs: OrderedDict[tuple[str, str], Run[Any]] = OrderedDict()

    def run_of(self, visitor: Visitor, kind: str) -> Run[Any] | None:
        return self._runs.get((visitor.csrf, kind))

    def start(
        self, visitor: Visitor, kind: str, fields: Mapping[str, Any], work: Callable[[Run[Any]], Awaitable[None]]
    ) -> None:
        """In the event loop."""
        if (last := self._runs.pop((visitor.csrf, kind), None)) is not None:
            last.cancel()
        run: Run[Any] = Run(fields)
        self._runs[visitor.csrf, kind] = run
        while len(self._runs) > _RUNS_KEPT:
            self._runs.popitem(last=False)[1].cancel()
        run.task = asyncio.get_running_loop().create_task(_carried_out(run, work))

    def has_room(self, session: str) -> bool:
        return self._listening[session] < _A_SESSION and self._listening.total() < _IN_ALL

    async def events(self, request: Request, fragments: AsyncGenerator[str, None]) -> AsyncIterator[str]:
        """Each fragment that differs from the one before, while the session lasts."""
        session = request.cookies.get(SESSION_COOKIE, "")
        self._listening[session] += 1
        last, checked = "", time.monotonic()
        try:
            async with asyncio.timeout(STREAM_SECONDS), aclosing(fragments) as changing:
                async for html in changing:
                    if time.monotonic() > checked + _CHECK_SECONDS:
                        checked = time.monotonic()
                        if not await run_in_threadpool(_is_signed_in, request, session):
                            break
                    if html != last:
                        yield _event(last := html)
        except TimeoutError:
            pass
        finally:
            self._listening -= Counter([session])
        yield "event: end\ndata:\n\n"


def live_of(request: Request) -> Live:
    return request.app.state.live


def streamed(request: Request, fragments: AsyncGenerator[str, None]) -> Response:
    """204 has a browser not ask again."""
    live = live_of(request)
    if not live.has_room(request.cookies.get(SESSION_COOKIE, "")):
        return Response(status_code=HTTPStatus.NO_CONTENT)
    return StreamingResponse(live.events(request, fragments), media_type="text/event-stream")


async def _carried_out(run: Run[Any], work: Callable[[Run[Any]], Awaitable[None]]) -> None:
    try:
        async with asyncio.timeout(_RUN_SECONDS):
            await work(run)
    except TimeoutError:
        run.error = f"it was ended after {_RUN_SECONDS:.0f} seconds"
    except Exception as error:
        log.error("defect", where="a page's work", error=repr(error), exc_info=error)
        run.error = "this is a mistake in Posthouse; its log says more"
    finally:
        run.end()


def _is_signed_in(request: Request, session: str) -> bool:
    authentication = desk_of(request).authentication
    return authentication.by_session(session, face=Face.WEB, origin=origin_of(request)) is not None


def _event(html: str) -> str:
    return "".join(f"data: {line}\n" for line in html.strip().splitlines()) + "\n"
