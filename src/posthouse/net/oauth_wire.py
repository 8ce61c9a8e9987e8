"""Between msal and us: how its requests go out, and what its answers and its errors mean. Blocking.

TokenError
├── TokenRefused        Entra says no, and will until somebody changes something
└── TokenUnavailable    try again: Entra could not be reached, or has trouble of its own
"""

from __future__ import annotations

import logging
import re
import ssl
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import INTERNAL_SERVER_ERROR, TOO_MANY_REQUESTS
from typing import Any, Final

import requests
from requests.adapters import HTTPAdapter

from posthouse.mail.text import one_line
from posthouse.net.https import client_context

TIMEOUT: Final = 30.0
_LONGEST: Final = 1000
"""Characters looked at of what Entra says."""
_LONGEST_WAIT: Final = 3600
_CHECK: Final = "check authority, tenant and client_id"
_TOKEN: Final = re.compile(r"[!-~]+")
_MSALS_OWN: Final = (ArithmeticError, AttributeError, LookupError, OSError, RuntimeError, TypeError, ValueError)
"""What msal raises for an authority that is none, for no such tenant, and for an answer of another shape."""
_WHAT_ENTRA_SAYS: Final = re.compile(r"AADSTS(?P<code>[0-9]+): (?P<text>[^\r\n]*?)(?=\s*Trace ID|\\[rn]|[\r\n]|$)")
_SIGN_IN_AGAIN: Final = "sign in again: posthouse credential login NAME"
_REMEDIES: Final = {
    "7000215": "store the secret's Value, not its Secret ID; it is shown only when the secret is made",
    "7000218": "give the credential its secret; for a device code allow public client flows in the app registration",
    "7000222": "the client secret has expired; make a new one in the app registration, and store it",
    "700016": "check client_id, and that the app is registered in this tenant or an administrator has consented to it",
    "700024": "the clock of this machine is wrong; set it by NTP",
    "700027": "upload this certificate (its public part) to the app registration, under Certificates & secrets",
    "7000112": "the application is disabled; enable it under Enterprise applications",
    "90002": "check tenant; and authority, if it is a tenant of a national cloud",
    "900023": "tenant should be the tenant's ID, or a domain of it like contoso.onmicrosoft.com",
    "500011": "the tenant has no such resource; check the scope, and that the tenant has Exchange Online",
    "1002012": "the scope must end in /.default",
    "53003": "a Conditional Access policy blocks the application; exempt its service principal",
    "65001": "consent to the application's permissions as an administrator of the tenant",
    "65004": "the permissions were declined; sign in again, and accept them",
    "70000": _SIGN_IN_AGAIN,
    "70008": _SIGN_IN_AGAIN,
    "70020": "the code was not entered in time; ask for another one",
    "700082": _SIGN_IN_AGAIN,
    "50173": _SIGN_IN_AGAIN,
    "70043": _SIGN_IN_AGAIN,
}
"""By the number of the AADSTS code. https://learn.microsoft.com/entra/identity-platform/reference-error-codes"""

logging.getLogger("msal").setLevel(logging.CRITICAL)  # it logs answers that it can't read, whatever is in them


class TokenError(Exception):
    """No token. One line: `problem`, what Entra says with its code, and `remedy`. It never holds a secret."""

    def __init__(self, problem: str, remedy: str) -> None:
        super().__init__(f"{problem}; {remedy}")
        self.problem = problem
        self.remedy = remedy


class TokenRefused(TokenError):
    """`code` is like `AADSTS7000215`; empty where the answer has none."""

    def __init__(self, problem: str, remedy: str, code: str = "") -> None:
        super().__init__(problem, remedy)
        self.code = code


class TokenUnavailable(TokenError):
    """Nothing was refused; a later try may succeed, after `retry_after` seconds where the server says so."""

    def __init__(self, problem: str, remedy: str, retry_after: float = 0.0) -> None:
        super().__init__(problem, remedy)
        self.retry_after = retry_after


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, good until `expires_at` (Unix time)."""

    value: str = field(repr=False)
    expires_at: float


class _Adapter(HTTPAdapter):
    """Requests with a time limit, over TLS that trusts whom we say."""

    def __init__(self, context: ssl.SSLContext | None, timeout: float, passing: Collection[int]) -> None:
        self._context, self._timeout, self._passing = context, timeout, passing
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **options)

    def proxy_manager_for(self, *args: Any, **options: Any) -> Any:
        return super().proxy_manager_for(*args, ssl_context=self._context, **options)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """A redirection is not followed: the secret would go along."""
        response = super().send(request, *args, **(options | {"timeout": self._timeout}))
        where = str(request.url).partition("?")[0]
        if response.status_code in self._passing or response.status_code >= INTERNAL_SERVER_ERROR:
            response.close()
            problem = f"{where} is in trouble (HTTP {response.status_code})"
            raise TokenUnavailable(problem, "try again later", _seconds(response.headers.get("Retry-After", "")))
        if response.is_redirect:
            response.close()
            raise TokenRefused(f"{where} sends us elsewhere", "check authority")
        return response


def secure_session(own_roots: Sequence[str], timeout: float) -> requests.Session:
    """HTTPS only. `own_roots` are trusted besides the public ones; `timeout` is for each request."""
    session = requests.Session()
    session.mount("https://", _Adapter(client_context(own_roots), timeout, (TOO_MANY_REQUESTS,)))
    return session


def local_session(timeout: float, passing: Collection[int]) -> requests.Session:
    """For what answers on this machine by plain HTTP: no proxy stands between. `passing` are statuses of trouble."""
    session = requests.Session()
    session.trust_env = False
    session.mount("http://", _Adapter(None, timeout, passing))
    return session


@contextmanager
def asking(authority: str, remedy: str = _CHECK) -> Iterator[None]:
    """Whatever goes wrong in msal, or on the way to the authority, as `TokenError`."""
    try:
        yield
    except requests.RequestException as error:
        raise _unreachable(authority, error) from None
    except _MSALS_OWN as error:
        raise refusal(f"{error} {error.__context__}", _nonsense(authority), remedy) from None


def token_in(answer: Mapping[str, Any], authority: str, asked_at: float) -> Token:
    """The token in msal's answer. Raises `TokenRefused`."""
    value = answer.get("access_token")
    if value is None:
        said = answer.get("error_description") or answer.get("error")
        raise refusal(said, said) if isinstance(said, str) else refusal("", _nonsense(authority))
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise refusal("", _nonsense(authority))
    with asking(authority):
        return Token(value, asked_at + float(answer.get("expires_in", 0)))


def refusal(said: str, otherwise: str, remedy: str = _CHECK) -> TokenRefused:
    """What Entra says, without its trace ids, and what to do about it; `otherwise` where there is no code in it."""
    found = _WHAT_ENTRA_SAYS.search(said[:_LONGEST])
    if found is None:
        return TokenRefused(one_line(otherwise[:_LONGEST]), remedy)
    remedy = _REMEDIES.get(found["code"], f"see https://login.microsoftonline.com/error?code={found['code']}")
    code = f"AADSTS{found['code']}"
    return TokenRefused(f"{code}: {one_line(found['text']).rstrip('. ')}", remedy, code)


def _nonsense(authority: str) -> str:
    return f"{authority} gives no token that makes sense"


def _seconds(retry_after: str) -> float:
    """RFC 9110 10.2.3 also allows a date, which Entra doesn't send."""
    return float(min(int(retry_after), _LONGEST_WAIT)) if retry_after.isdecimal() and len(retry_after) < 9 else 0.0


def _unreachable(authority: str, error: requests.RequestException) -> TokenUnavailable:
    if isinstance(error, requests.exceptions.SSLError):
        remedy = "a proxy that opens TLS needs its CA in trusted_roots"
        return TokenUnavailable(f"{authority}: its certificate is not trusted", remedy)
    if isinstance(error, requests.exceptions.Timeout):
        return TokenUnavailable(f"{authority}: no answer in time", "is a firewall or a proxy in the way?")
    return TokenUnavailable(f"{authority}: no connection", "check its name, the firewall and the proxy")
