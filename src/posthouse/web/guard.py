"""What every request passes before anything else looks at it: the Host it names, its size, and its time.

A page of another site can have a browser ask us, under a name of its own that it points at our address (DNS
rebinding); an IP address, `localhost` and our own host name are the only ones that it can't take for that.
"""

from __future__ import annotations

import asyncio
import ipaddress
from contextlib import nullcontext
from email.utils import formatdate
from http import HTTPStatus

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from posthouse.web.problems import Refusal, problem

BODY_LIMIT = 1 << 20
_LIMITS = {"/api/v1/headers": 8 << 20, "/api/v1/explain": 8 << 20, "/api/v1/send": 16 << 20}
_LARGE_AT_ONCE = 4
"""Requests that may be larger than others, and are held in memory before anybody has signed in."""
_BODY_SECONDS = 30.0
_HEADERS = {
    "Cache-Control": "no-store",
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


class Guard:
    """ASGI middleware. `hostname` is what this relay is called."""

    def __init__(self, app: ASGIApp, hostname: str) -> None:
        self._app = app
        self._names = {"localhost", hostname.lower()}
        self._large = asyncio.Semaphore(_LARGE_AT_ONCE)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, send = Headers(scope=scope), _with_headers(send)
        limit = _LIMITS.get(scope["path"], BODY_LIMIT)
        async with self._large if limit > BODY_LIMIT else nullcontext():
            try:
                self._check_host(headers.get("host", ""))
                body = await _body(headers.get("content-length", ""), receive, limit)
            except Refusal as refusal:
                answer = problem(refusal.status, refusal.detail, headers={"Connection": "close"})
                await answer(scope, receive, send)
                return
            await self._app(scope, _replay(body, receive), send)

    def _check_host(self, host: str) -> None:
        name = host.rpartition(":")[0] if not host.endswith("]") and ":" in host else host
        if name.lower().rstrip(".") not in self._names and not _is_address(name.strip("[]")):
            raise Refusal(
                HTTPStatus.MISDIRECTED_REQUEST,
                "this is not the host that you asked for; use its IP address, localhost, or its hostname setting",
            )


async def _body(length: str, receive: Receive, limit: int) -> bytes:
    """All of it, within the limits: a request that trickles in keeps no thread waiting."""
    too_large = Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"the request is too large; the limit is {limit} bytes")
    if length.isdecimal() and int(length[:20]) > limit:
        raise too_large
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            while (message := await receive())["type"] == "http.request":
                parts.append(message.get("body", b""))
                size += len(parts[-1])
                if size > limit:
                    raise too_large
                if not message.get("more_body"):
                    break
    except TimeoutError:
        raise Refusal(HTTPStatus.REQUEST_TIMEOUT, "the request took too long to come in; send it again") from None
    return b"".join(parts)


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
