"""Requests to Microsoft Graph for one mailbox: signed in, few at once, and quiet when it says so.

https://learn.microsoft.com/graph/throttling
"""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import http
import json
import ssl
import time
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx

from posthouse.mail import Reply
from posthouse.organization import Credential
from posthouse.transports.graph.errors import GraphFailed, refusal
from posthouse.transports.sign_in import Tokens

AT_ONCE: Final = 4
"""Requests for one mailbox (https://learn.microsoft.com/graph/throttling-limits, Outlook service limits)."""
PATIENCE: Final = 10.0
"""Seconds that a delivery waits when Graph wants a pause; for a longer one the mail goes back into the queue."""
_TRIES: Final = 3
_PAUSE: Final = 5.0
"""Where Graph wants one, and doesn't say how long."""
_LONGEST_PAUSE: Final = 3600.0
"""Whatever Graph says: then it is asked once more."""
_KEPT: Final = 60.0
_PIECE: Final = 64 << 10
_TIMEOUT: Final = httpx.Timeout(120, connect=30, pool=None)
_THROTTLED: Final = (http.HTTPStatus.TOO_MANY_REQUESTS, http.HTTPStatus.SERVICE_UNAVAILABLE)
_NOT_SENT: Final = (httpx.ConnectError, httpx.ConnectTimeout, httpx.UnsupportedProtocol, httpx.ProxyError)


@dataclass(frozen=True, slots=True)
class Request:
    """`path` is below the mailbox; `url` stands instead of it, and then nobody signs in. `expected` is the status that
    means done. `sends`: if its answer is lost, the mail may be on its way."""

    method: str
    path: str
    expected: int
    content: Sequence[bytes] = ()
    content_type: str = ""
    headers: Mapping[str, str] | None = None
    url: str = ""
    sends: bool = False


def http_client(context: ssl.SSLContext) -> httpx.AsyncClient:
    """Connections are kept for a while. A redirection is not followed: the token would go along."""
    return httpx.AsyncClient(verify=context, timeout=_TIMEOUT, limits=httpx.Limits(keepalive_expiry=_KEPT))


class GraphMailbox:
    """One mailbox that sends, `credential.user`, at one endpoint (national clouds have their own:
    https://learn.microsoft.com/graph/deployments)."""

    def __init__(
        self,
        credential: Credential,
        endpoint: str,
        tokens: Tokens,
        client: httpx.AsyncClient,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = credential.name
        self.user = credential.user
        self._credential = credential
        self._base = f"{endpoint}/v1.0/users/{quote(credential.user, safe='')}"
        self._scope = f"{endpoint}/.default"
        self._tokens = tokens
        self._client = client
        self._clock = clock
        self._at_once = asyncio.Semaphore(AT_ONCE)
        self._quiet_until = 0.0
        self.waiting = 0

    @property
    def pause(self) -> float:
        """Seconds until requests are welcome again."""
        return max(self._quiet_until - self._clock(), 0.0)

    async def call(self, request: Request) -> dict[str, Any]:
        """The answer's JSON. Raises `GraphFailed`, `SignInFailed`."""
        self.waiting += 1
        try:
            async with self._at_once:
                return await self._call(request)
        finally:
            self.waiting -= 1

    async def _call(self, request: Request) -> dict[str, Any]:
        response = await self._attempt(request)
        for number in range(1, _TRIES):
            is_signed_out = response.status_code == http.HTTPStatus.UNAUTHORIZED and number == 1
            is_paused = response.status_code in _THROTTLED and self.pause <= PATIENCE
            if not is_signed_out and not is_paused:
                break
            response = await self._attempt(request)
        return self._answer(request, response)

    async def _attempt(self, request: Request) -> httpx.Response:
        await self._keep_quiet()
        token = "" if request.url else await self._tokens.get(self._credential, self._scope)
        response = await self._sent(request, token)
        if response.status_code == http.HTTPStatus.UNAUTHORIZED and token:
            await self._tokens.forget(self._credential, self._scope, token)
        elif response.status_code in _THROTTLED:
            self._quiet_until = max(self._quiet_until, self._clock() + _retry_after(response))
        return response

    async def _keep_quiet(self) -> None:
        if self.pause > PATIENCE:
            raise GraphFailed(throttled(self.user, self.pause))
        if self.pause:
            await asyncio.sleep(self.pause)

    async def _sent(self, request: Request, token: str) -> httpx.Response:
        length = sum(map(len, request.content))
        headers = {"Content-Length": str(length), **(request.headers or {})}
        if request.content_type:
            headers["Content-Type"] = request.content_type
        if token:
            headers["Authorization"] = f"Bearer {token}"
        url = request.url or f"{self._base}{request.path}"
        try:
            return await self._client.request(request.method, url, content=_pieces(request.content), headers=headers)
        except _NOT_SENT as error:
            raise GraphFailed(Reply(451, "4.4.1", f"Microsoft Graph is not reached: {_why(error)}")) from None
        except (httpx.HTTPError, httpx.InvalidURL) as error:
            reply = Reply(451, "4.4.2", f"Microsoft Graph did not answer: {_why(error)}")
            raise GraphFailed(reply, is_doubtful=request.sends) from None

    def _answer(self, request: Request, response: httpx.Response) -> dict[str, Any]:
        status = response.status_code
        if status in _THROTTLED:
            raise GraphFailed(throttled(self.user, self.pause, refusal(status, *_words(response))), status=status)
        if status == request.expected:
            return _json(response)
        is_doubtful = request.sends and (status < http.HTTPStatus.BAD_REQUEST or status >= 500)
        raise GraphFailed(refusal(status, *_words(response)), status=status, is_doubtful=is_doubtful)


async def _pieces(content: Sequence[bytes]) -> AsyncIterator[bytes]:
    """Small ones: on its way through TLS each is copied several times."""
    for part in content:
        for start in range(0, len(part), _PIECE):
            yield part[start : start + _PIECE]


def throttled(user: str, seconds: float, said: Reply | None = None) -> Reply:
    """What is said is worded so that the relay knows that it is to slow down."""
    said = said or Reply(450, "4.4.5", f"Microsoft Graph wants a pause for the mailbox {user}")
    return Reply(said.code, said.enhanced, f"{said.text}; throttled, it takes more in {seconds:.0f} s")


def _retry_after(response: httpx.Response) -> float:
    """Seconds, or a date (RFC 9110 10.2.3)."""
    said = response.headers.get("Retry-After", "")
    seconds = _PAUSE
    with contextlib.suppress(ValueError, OverflowError):
        seconds = email.utils.parsedate_to_datetime(said).timestamp() - time.time()
    with contextlib.suppress(ValueError):
        seconds = float(said)
    return min(max(0.0, seconds), _LONGEST_PAUSE)


def _words(response: httpx.Response) -> tuple[str, str]:
    error = _json(response).get("error")
    if not isinstance(error, dict):
        return "", response.reason_phrase
    return str(error.get("code") or ""), str(error.get("message") or "")


def _json(response: httpx.Response) -> dict[str, Any]:
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(response.content)
        if isinstance(found, dict):
            return found
    return {}


def _why(error: Exception) -> str:
    """A request that can't be written is quoted by h11, and its token with it."""
    is_quoting = isinstance(error, httpx.LocalProtocolError)
    return type(error).__name__ if is_quoting else str(error) or type(error).__name__
