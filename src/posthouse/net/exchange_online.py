"""Exchange Online's admin API: a cmdlet a request, as Microsoft's own module sends it. Blocking.

InvokeCommand isn't documented, but what Connect-ExchangeOnline speaks. Of the documented API, a preview, there is the
reading of accepted domains: https://learn.microsoft.com/exchange/reference/admin-api-get-started

ExchangeError
├── ExchangeRefused         the tenant says no, and will until somebody changes something
│   └── ExchangeForbidden   the application lacks a permission or a role
└── ExchangeUnavailable     try again: it could not be reached, or has trouble of its own
"""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

import httpx

from posthouse.mail.text import one_line
from posthouse.net.https import client_context
from posthouse.net.oauth_scopes import outlook_scope, resource_of

TIMEOUT: Final = 60.0
PATIENCE: Final = 60.0
"""Seconds that one call waits in all where the service asks for pauses."""
_PAUSE: Final = 5.0
"""Where it wants one, and doesn't say how long."""
_MOST: Final = 16 << 20
"""Bytes of one page; a thousand connectors are about 2 MiB."""
_PAGES: Final = 100
_LONGEST: Final = 1000
"""Characters of what it says."""
_THROTTLED: Final = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_SYSTEM_MAILBOX: Final = "SystemMailbox{bb558c35-97f1-4cb9-8ff7-d53741dc928c}"
"""Every tenant has it: a request of an application, which has no mailbox, is sent to where it is."""
_RIGHTS: Final = (
    "give the app registration the application permission Exchange.ManageAsApp with admin consent, and its service "
    "principal the role Exchange Administrator"
)
_MAYBE_DONE: Final = "it may have been done all the same: plan again, which looks"

Record = Mapping[str, Any]


class ExchangeError(Exception):
    """One line: `problem`, what the tenant says, and `remedy`."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy


class ExchangeRefused(ExchangeError):
    """`kind` is the exception's name there, like ManagementObjectNotFoundException; empty where none is told."""

    def __init__(self, problem: str, remedy: str, kind: str = "") -> None:
        super().__init__(problem, remedy)
        self.kind = kind


class ExchangeForbidden(ExchangeRefused):
    pass


class ExchangeUnavailable(ExchangeError):
    pass


class TokenGetter(Protocol):
    def __call__(self, *, afresh: bool) -> str:
        """An access token; `afresh` where the one before was refused."""
        ...


@dataclass(frozen=True, slots=True)
class Answer:
    """The objects that a cmdlet gave, and its warnings, a line each."""

    objects: tuple[Record, ...]
    warnings: tuple[str, ...] = ()


def endpoint_of(authority: str) -> str:
    """Of the cloud that an authority belongs to: the world's, US Government's or 21Vianet's."""
    return resource_of(outlook_scope(authority))


class ExchangeOnline:
    """One tenant, by its id or a domain of it. `own_roots` are trusted besides the public ones."""

    def __init__(
        self,
        endpoint: str,
        tenant: str,
        token: TokenGetter,
        *,
        own_roots: Sequence[str] = (),
        timeout: float = TIMEOUT,
        patience: float = PATIENCE,
        pause: Callable[[float], None] = time.sleep,
    ) -> None:
        self.endpoint = endpoint.rstrip("/")
        self._tenant = tenant
        self._token = token
        self._context = client_context(own_roots)
        self._timeout = timeout
        self._patience = patience
        self._pause = pause

    def invoke(self, cmdlet: str, parameters: Mapping[str, Any] | None = None) -> Answer:
        """Run a cmdlet. Raises `ExchangeError`, and `TokenError` or whatever else `token` does."""
        return self._call("beta", "InvokeCommand", cmdlet, parameters or {})

    def accepted_domains(self) -> Answer:
        """By the documented API where the application may use it, which takes a permission of its own."""
        try:
            return self._call("v2.0", "AcceptedDomain", "Get-AcceptedDomain", {})
        except ExchangeError:
            return self.invoke("Get-AcceptedDomain")

    def _call(self, version: str, endpoint: str, cmdlet: str, parameters: Mapping[str, Any]) -> Answer:
        url = f"{self.endpoint}/adminapi/{version}/{quote(self._tenant, safe='')}/{endpoint}"
        objects: list[Record] = []
        warnings: list[str] = []
        with _client(self._context, self._timeout) as client:
            for _ in range(_PAGES):
                page = _Page.read(self._sent(client, url, cmdlet, parameters))
                objects += page.objects
                warnings += page.warnings
                if not page.next:
                    return Answer(tuple(objects), tuple(warnings))
                url = self._require_own(page.next)
        raise ExchangeRefused(f"{cmdlet} gives more than {_PAGES} pages", "there is no tenant that large; report it")

    def _sent(self, client: httpx.Client, url: str, cmdlet: str, parameters: Mapping[str, Any]) -> bytes:
        """The answer's content. A token that is refused is replaced once; pauses are kept while patience lasts."""
        left, afresh = self._patience, False
        while True:
            status, headers, content = self._posted(client, url, cmdlet, parameters, self._token(afresh=afresh))
            if status == HTTPStatus.OK:
                return content
            if status == HTTPStatus.UNAUTHORIZED and not afresh:
                afresh = True
                continue
            wait = _seconds(headers.get("Retry-After", ""))
            if status not in _THROTTLED or wait > left:
                raise _refusal(status, content, cmdlet, wait)
            left -= wait
            self._pause(wait)

    def _posted(
        self, client: httpx.Client, url: str, cmdlet: str, parameters: Mapping[str, Any], token: str
    ) -> tuple[int, httpx.Headers, bytes]:
        headers = {
            "Authorization": f"Bearer {token}",
            "Accept": "application/json",
            "Prefer": "odata.maxpagesize=1000",
            "X-AnchorMailbox": f"APP:{_SYSTEM_MAILBOX}@{self._tenant}",
            "X-CmdletName": cmdlet,
            "X-ResponseFormat": "json",
        }
        body = {"CmdletInput": {"CmdletName": cmdlet, "Parameters": parameters}}
        with (
            _reaching(self.endpoint),
            client.stream("POST", url, json=body, headers=headers) as response,
        ):
            return response.status_code, response.headers, _bounded(response, self.endpoint)

    def _require_own(self, url: str) -> str:
        """The next page is at the same place, or the token would go elsewhere."""
        if urlsplit(url)[:2] != urlsplit(self.endpoint)[:2]:
            raise ExchangeRefused(f"{self.endpoint} sends us elsewhere for the next page", "check the endpoint")
        return url


@dataclass(frozen=True, slots=True)
class _Page:
    objects: Sequence[Record]
    warnings: Sequence[str]
    next: str

    @classmethod
    def read(cls, content: bytes) -> _Page:
        answer = _json(content)
        objects, warnings = answer.get("value"), answer.get("@adminapi.warnings") or []
        link = answer.get("@odata.nextLink") or ""
        shapes = (isinstance(objects, list), isinstance(warnings, list), isinstance(link, str))
        if not isinstance(objects, list) or not all(shapes) or not all(isinstance(each, dict) for each in objects):
            raise ExchangeRefused("the answer is none of Exchange Online's", "check the endpoint")
        return cls(objects, [one_line(str(warning))[:_LONGEST] for warning in warnings], link)


@contextmanager
def _client(context: ssl.SSLContext, timeout: float) -> Iterator[httpx.Client]:
    """A redirection is not followed: the token would go along."""
    with httpx.Client(verify=context, timeout=timeout, follow_redirects=False) as client:
        yield client


@contextmanager
def _reaching(endpoint: str) -> Iterator[None]:
    """Whatever goes wrong on the way as `ExchangeError`."""
    try:
        yield
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.ProxyError) as error:
        if "CERTIFICATE_VERIFY_FAILED" in str(error):
            remedy = "a proxy that opens TLS needs its CA in trusted_roots"
            raise ExchangeUnavailable(f"{endpoint}: its certificate is not trusted", remedy) from None
        raise ExchangeUnavailable(f"{endpoint}: no connection", "check its name, the firewall and the proxy") from None
    except (httpx.HTTPError, httpx.InvalidURL):
        raise ExchangeUnavailable(f"{endpoint}: the answer did not come, or not all of it", _MAYBE_DONE) from None


def _bounded(response: httpx.Response, endpoint: str) -> bytes:
    content = bytearray()
    for piece in response.iter_bytes():
        content += piece
        if len(content) > _MOST:
            raise ExchangeRefused(f"{endpoint} says more than {_MOST >> 20} MiB", "check the endpoint")
    return bytes(content)


def _refusal(status: int, content: bytes, cmdlet: str, wait: float) -> ExchangeError:
    """The text that helps is deep inside; at the top it is always "Invalid Operation"."""
    if status in _THROTTLED:
        return ExchangeUnavailable(f"the tenant wants a pause of {wait:.0f} s (HTTP {status})", "try again after it")
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return ExchangeUnavailable(f"Exchange Online is in trouble (HTTP {status})", _MAYBE_DONE)
    kind, text = _told(_json(content).get("error"))
    if status in (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN):
        return ExchangeForbidden(text or f"the application may not use {cmdlet} (HTTP {status})", _RIGHTS, kind)
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return ExchangeRefused("Exchange Online sends us elsewhere", "check the endpoint")
    return ExchangeRefused(f"{cmdlet}: {text or f'HTTP {status}'}", "change what it is about, and plan again", kind)


def _told(error: Any) -> tuple[str, str]:
    """The exception's name and text: of the inner exception; else of the details, `|Name|text`; else of the error."""
    inner = _at(error, "innererror", "internalexception")
    if text := _text(_at(inner, "message")):
        return _text(_at(inner, "type")).rpartition(".")[2], text
    details = _at(error, "details")
    first = details[0] if isinstance(details, list) and details else None
    _, _, rest = _text(_at(first, "message")).partition("|")
    kind, divider, text = rest.partition("|")
    return (kind.rpartition(".")[2], text) if divider else ("", _text(_at(error, "message")))


def _at(value: Any, *path: str) -> Any:
    for key in path:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _text(value: Any) -> str:
    return one_line(value[:_LONGEST]).strip().rstrip(".") if isinstance(value, str) else ""


def _json(content: bytes) -> dict[str, Any]:
    """Who has no right may get zeros, and a proxy says HTML."""
    try:
        found = json.loads(content)
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def _seconds(retry_after: str) -> float:
    """RFC 9110 10.2.3 also allows a date, which Exchange Online doesn't send."""
    return float(retry_after) if retry_after.isdecimal() and len(retry_after) < 9 else _PAUSE
