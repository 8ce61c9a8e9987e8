"""What every request passes before anything else looks at it: the Host it names, its size, and its time.

A page of another site can have a browser ask us, under a name of its own that it points at our address (DNS
rebinding); an IP address, `localhost` and our own names are the only ones that it can't take for that.
"""

from __future__ import annotations

import asyncio
import ipaddress
import re
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from email.utils import formatdate
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posthouse.admin import AdminError
from posthouse.spool import SpoolError
from posthouse.web.problems import Refusal, problem_of

STRANGERS_LIMIT = 64 << 10
"""Bytes of a request that are taken of whoever it is; what is longer must be of somebody who has signed in."""
_LIMIT = 1 << 20
_LIMITS = {
    "/api/v1/explain": 8 << 20,
    "/api/v1/headers": 8 << 20,
    "/api/v1/import": 16 << 20,
    "/api/v1/organization.toml": 8 << 20,
    "/api/v1/send": 16 << 20,
    "/headers": 4 << 20,
    "/headers/json": 4 << 20,
}
_LARGE_AT_ONCE = 4
_BODY_SECONDS = 30.0
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
_host = re.compile(r"(\[[0-9A-Fa-f:.]+\]|[^\[\]:@/\\]+)(?::[0-9]{1,5})?").fullmatch

Check = Callable[[Request], Awaitable[None]]


class BrokenOff(Exception):
    """The client hung up within its request."""


class Guard:
    """ASGI middleware. `names` are what this relay is called; `check_known` raises where it isn't told who asks."""

    def __init__(self, app: ASGIApp, names: Iterable[str], check_known: Check) -> None:
        self._app = app
        self._names = {"localhost", *(name.lower() for name in names)}
        self._check_known = check_known
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        send = _with_headers(send)
        async with AsyncExitStack() as held:
            try:
                self._check_host(Headers(scope=scope).get("host", ""))
                body = await self._body(scope, receive, held)
            except BrokenOff:
                return
            except (Refusal, AdminError, SpoolError) as error:
                await problem_of(error, {"Connection": "close"})(scope, receive, send)
                return
            if scope["method"] == "HEAD":  # RFC 9110 9.3.2: as GET; the server leaves the content out
                scope = {**scope, "method": "GET"}
            await self._app(scope, _replay(body, receive), send)

    def _check_host(self, host: str) -> None:
        found = _host(host)
        name = found[1] if found else ""
        if name.lower().rstrip(".") not in self._names and not _is_address(name.strip("[]")):
            raise Refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                "this is not the host that you asked for; use its IP address, localhost, its hostname setting, or one "
                "of admin.names",
            )

    async def _body(self, scope: Scope, receive: Receive, held: AsyncExitStack) -> bytes:
        """All of it, within the limits: what trickles in keeps no thread waiting, and nothing is done by half."""
        said = Headers(scope=scope).get("content-length", "0")
        length = int(said[:20]) if said.isdecimal() else 0
        allowed, most = STRANGERS_LIMIT, _LIMITS.get(scope["path"], _LIMIT)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(_BODY_SECONDS):
                while True:
                    if max(size, length) > most:
                        text = f"the request is too large; the limit is {most} bytes"
                        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, text)
                    if max(size, length) > allowed:
                        await self._check_known(Request(scope))
                        await held.enter_async_context(self._large)
                        allowed = most
                    message = await receive()
                    if message["type"] != "http.request":
                        raise BrokenOff
                    parts.append(message.get("body", b""))
                    size += len(parts[-1])
                    if not message.get("more_body"):
                        return b"".join(parts)
        except TimeoutError:
            raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "the request took too long to come in; send it again") from None


def _replay(body: bytes, receive: Receive) -> Receive:
    """Gives the body once; what comes then is the end of the connection."""
    waiting: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def replayed() -> Message:
        return waiting.pop() if waiting else await receive()

    return replayed


def _with_headers(send: Send) -> Send:
    async def sending(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            for name, value in {**_HEADERS, "Date": formatdate(usegmt=True)}.items():
                headers.setdefault(name, value)
        await send(message)

    return sending


def _is_address(name: str) -> bool:
    try:
        ipaddress.ip_address(name)
    except ValueError:
        return False
    return True
