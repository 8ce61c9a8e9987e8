"""Access tokens from Microsoft Entra ID, by OAuth2's client credentials grant (RFC 6749 4.4). Got with msal; blocking.

TokenError
├── TokenRefused        Entra says no, and will until somebody changes something
└── TokenUnavailable    try again: Entra could not be reached, or has trouble of its own
"""

from __future__ import annotations

import logging
import re
import ssl
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from http.client import INTERNAL_SERVER_ERROR, TOO_MANY_REQUESTS
from typing import Any, Final

import msal
import requests
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from requests.adapters import HTTPAdapter

from posthouse.mail.text import one_line
from posthouse.net.certificates import Identity
from posthouse.net.https import client_context

OUTLOOK: Final = "https://outlook.office365.com/.default"
"""For SMTP AUTH, with the application permission SMTP.SendAsApp."""
GRAPH: Final = "https://graph.microsoft.com/.default"

_TIMEOUT: Final = 30.0
_LONGEST: Final = 1000
"""Characters looked at of what Entra says."""
_TOKEN: Final = re.compile(r"[!-~]+")
_MSALS_OWN: Final = (ArithmeticError, AttributeError, LookupError, RuntimeError, TypeError, ValueError)
"""What msal raises for an authority that is none, for no such tenant, and for an answer of another shape."""
_WHAT_ENTRA_SAYS: Final = re.compile(r"AADSTS(?P<code>[0-9]+): (?P<text>[^\r\n]*?)(?=\s*Trace ID|\\[rn]|[\r\n]|$)")
_REMEDIES: Final = {
    "7000215": "store the secret's Value, not its Secret ID; it is shown only when the secret is made",
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
    """Nothing was refused; a later try may succeed."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token, good until `expires_at` (Unix time)."""

    value: str = field(repr=False)
    expires_at: float


@dataclass(frozen=True, slots=True)
class Application:
    """What is registered in a tenant for this relay. `proof` is a client secret, or a certificate with its key."""

    tenant: str
    client_id: str
    proof: str | Identity = field(repr=False)
    authority: str = "https://login.microsoftonline.com"


def acquire_token(
    application: Application, scope: str = OUTLOOK, *, own_roots: Sequence[str] = (), timeout: float = _TIMEOUT
) -> Token:
    """A fresh token. `own_roots` are trusted besides the public ones; `timeout` is for each request.

    Raises `TokenError`.
    """
    proof = _proof(application.proof)
    asked_at = time.time()
    nonsense = f"{application.authority} gives no token that makes sense"
    try:
        with _session(client_context(own_roots), timeout) as session:
            client = msal.ConfidentialClientApplication(
                application.client_id,
                client_credential=proof,
                authority=f"{application.authority.rstrip('/')}/{application.tenant}",
                instance_discovery=False,  # the administrator's word is enough: a national cloud, or a stand-in
                http_client=session,
            )
            answer: dict[str, Any] = client.acquire_token_for_client([scope]) or {}
    except requests.RequestException as error:
        raise _unreachable(application.authority, error) from None
    except _MSALS_OWN as error:
        raise _refusal(f"{error} {error.__context__}", nonsense) from None
    value = answer.get("access_token")
    if value is None:
        said = answer.get("error_description") or answer.get("error")
        raise _refusal(said, said) if isinstance(said, str) else _refusal("", nonsense)
    if not isinstance(value, str) or not _TOKEN.fullmatch(value):
        raise _refusal("", nonsense)
    return Token(value, asked_at + float(answer.get("expires_in", 0)))


def _proof(proof: str | Identity) -> str | dict[str, str]:
    """As msal wants it. The certificate goes along (x5c), so that one renewed by the same CA is known by its name."""
    if isinstance(proof, str):
        return proof
    if not isinstance(proof.key, RSAPrivateKey):
        raise TokenRefused("the certificate's key is not RSA, and Entra takes no other", "make one with an RSA key")
    return {
        "private_key": proof.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode(),
        "public_certificate": proof.certificate.public_bytes(Encoding.PEM).decode(),
    }


class _Adapter(HTTPAdapter):
    """Requests with a time limit, over TLS that trusts whom we say."""

    def __init__(self, context: ssl.SSLContext, timeout: float) -> None:
        self._context, self._timeout = context, timeout
        super().__init__()

    def init_poolmanager(self, *args: Any, **options: Any) -> None:
        super().init_poolmanager(*args, ssl_context=self._context, **options)

    def send(self, request: requests.PreparedRequest, *args: Any, **options: Any) -> requests.Response:
        """A redirection is not followed: the secret would go along."""
        response = super().send(request, *args, **(options | {"timeout": self._timeout}))
        if response.status_code == TOO_MANY_REQUESTS or response.status_code >= INTERNAL_SERVER_ERROR:
            raise TokenUnavailable(f"{request.url} is in trouble (HTTP {response.status_code})", "try again later")
        if response.is_redirect:
            raise TokenRefused(f"{request.url} sends us elsewhere", "check authority")
        return response


def _session(context: ssl.SSLContext, timeout: float) -> requests.Session:
    session = requests.Session()
    session.mount("https://", _Adapter(context, timeout))
    return session


def _refusal(said: str, otherwise: str) -> TokenRefused:
    """What Entra says, without its trace ids, and what to do about it; `otherwise` where there is no code in it."""
    found = _WHAT_ENTRA_SAYS.search(said[:_LONGEST])
    if found is None:
        return TokenRefused(one_line(otherwise[:_LONGEST]), "check authority, tenant and client_id")
    remedy = _REMEDIES.get(found["code"], f"see https://login.microsoftonline.com/error?code={found['code']}")
    code = f"AADSTS{found['code']}"
    return TokenRefused(f"{code}: {one_line(found['text']).rstrip('. ')}", remedy, code)


def _unreachable(authority: str, error: requests.RequestException) -> TokenUnavailable:
    if isinstance(error, requests.exceptions.SSLError):
        remedy = "a proxy that opens TLS needs its CA in trusted_roots"
        return TokenUnavailable(f"{authority}: its certificate is not trusted", remedy)
    if isinstance(error, requests.exceptions.Timeout):
        return TokenUnavailable(f"{authority}: no answer in time", "is a firewall or a proxy in the way?")
    return TokenUnavailable(f"{authority}: no connection", "check its name, the firewall and the proxy")
