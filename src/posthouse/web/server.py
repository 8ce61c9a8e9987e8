"""The process behind the admin address."""

from __future__ import annotations

import asyncio
import os
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from types import FrameType

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from posthouse import observe
from posthouse.admin import Administration, Face, local_actor
from posthouse.settings import Settings
from posthouse.spool import Store, open_store
from posthouse.web.app import create_app

_HEADER_SECONDS = 10.0
_IDLE_SECONDS = 30
_STALL_SECONDS = 60.0
_CONNECTIONS = 200
_HEADER_BYTES = 32 << 10
_END_SECONDS = 3

log = observe.logger


def serve(settings: Settings, config: Path | None, *, attached: bool) -> int:
    """Answer until told to stop; `attached`, also until standard input ends, as that of a child does with its parent.

    Returns the exit status.
    """
    with closing(open_store(settings.store_url, settings.data_dir)) as store:
        host, _, port = settings.admin.address.rpartition(":")
        server = _Server(
            uvicorn.Config(
                create_app(settings, store, config),
                host=host.strip("[]"),
                port=int(port),
                http=_Protocol,
                ws="none",
                log_config=None,
                access_log=False,
                proxy_headers=bool(settings.admin.proxies),
                forwarded_allow_ips=list(settings.admin.proxies),
                server_header=False,
                date_header=False,
                limit_concurrency=_CONNECTIONS,
                timeout_keep_alive=_IDLE_SECONDS,
                timeout_graceful_shutdown=_END_SECONDS,
                h11_max_incomplete_event_size=_HEADER_BYTES,
            ),
            lambda: _announce(settings, store),
        )
        if attached:
            threading.Thread(target=_end_with_input, args=(server,), daemon=True).start()
        server.run()
    return 0 if server.started else 1


def _announce(settings: Settings, store: Store) -> None:
    """With the set-up link while there is no administrator; that isn't in the log, being a secret for a day."""
    log.info("admin address", url=f"http://{settings.admin.address}/")
    admin = Administration(store, actor=local_actor(Face.WEB))
    if not admin.administrators.list():
        link = admin.administrators.setup_link(f"http://{settings.admin.address}")
        sys.stderr.write(
            "posthouse: there is no administrator yet; make the first one with posthouse admin new, or in a browser "
            f"by this link, good for a day: {link}\n"
        )


def _end_with_input(server: _Server) -> None:
    """A process whose parent was killed hears of it only so."""
    while os.read(sys.stdin.fileno(), 1024):
        pass
    server.end()


class _Server(uvicorn.Server):
    """Sleeps while nobody asks, where uvicorn's own wakes up ten times a second."""

    def __init__(self, config: uvicorn.Config, announce: Callable[[], None]) -> None:
        """`announce` is called, in a thread, once it listens."""
        super().__init__(config)
        self._announce = announce
        self._loop: asyncio.AbstractEventLoop | None = None
        self._end = asyncio.Event()

    async def main_loop(self) -> None:
        self._loop = asyncio.get_running_loop()
        await asyncio.to_thread(self._announce)
        if not self.should_exit:
            await self._end.wait()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        super().handle_exit(sig, frame)
        self.end()

    def end(self) -> None:
        """From whatever thread."""
        self.should_exit = True
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._end.set)


class _Protocol(H11Protocol):
    """Hangs up on a client that takes too long to say what it wants, sends nothing at all, or reads no answer.

    Without waiting for what it has still to be sent: it doesn't read that either.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._await_request()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._await_request()

    def _await_request(self) -> None:
        """Within the time for a header; between two requests the client may be idle for a while first."""
        seconds = _HEADER_SECONDS if self.cycle is None else _IDLE_SECONDS + _HEADER_SECONDS
        self.loop.call_later(seconds, self._hang_up_after, self.cycle)

    def _hang_up_after(self, cycle: RequestResponseCycle | None) -> None:
        if self.cycle is cycle and (cycle is None or cycle.response_complete):
            self.transport.abort()

    def pause_writing(self) -> None:
        super().pause_writing()
        self._stalled = self.loop.call_later(_STALL_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        super().resume_writing()
        self._stalled.cancel()
