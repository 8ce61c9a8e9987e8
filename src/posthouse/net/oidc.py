"""Signing in with an OpenID Connect provider such as Microsoft Entra ID: authorization code flow with PKCE. Blocking.

https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth
https://learn.microsoft.com/entra/identity-platform/v2-protocols-oidc
https://learn.microsoft.com/entra/identity-platform/id-token-claims-reference
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import secrets
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import urlencode, urlsplit

from posthouse.mail.text import one_line

if TYPE_CHECKING:
    import jwt
    import requests

_ALGORITHM: Final = "RS256"
"""What every provider can (OpenID Connect Core 3.1.3.7), and Entra does. A token doesn't choose its own."""
_TIMEOUT: Final = 15.0
_KEEP_SECONDS: Final = 24 * 3600.0
_ASK_AGAIN_SECONDS: Final = 60.0
_LEEWAY_SECONDS: Final = 60
_LARGEST: Final = 1 << 20
_LONGEST_SAID: Final = 300
_NAMES: Final = ("preferred_username", "email", "sub")
_is_name: Final = re.compile(r"[!-~]{1,320}").fullmatch


class IdentityError(Exception):
    """The provider vouches for nobody. One line; never with a secret."""


@dataclass(frozen=True, slots=True)
class Client:
    """As the provider knows us; `claim` is the one whose values give roles."""

    issuer: str
    client_id: str
    secret: str = field(repr=False)
    claim: str = "roles"


@dataclass(frozen=True, slots=True)
class Identity:
    """Who it is, and what `Client.claim` says of them."""

    name: str
    claims: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in on its way, which only the browser that began it knows of."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def new(cls) -> Attempt:
        return cls(*(secrets.token_urlsafe(32) for _ in range(3)))


@dataclass(frozen=True, slots=True)
class _Metadata:
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    read_at: float


class Provider:
    """Keeps what the provider says of itself for a day; asks for its keys again when a token has an unknown one."""

    def __init__(self, client: Client, own_roots: Sequence[str] = ()) -> None:
        self._client = client
        self._own_roots = own_roots
        self._lock = threading.Lock()
        self._metadata: _Metadata | None = None
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._keys_asked_at = 0.0

    def authorization_url(self, attempt: Attempt, redirect_uri: str) -> str:
        """Where the browser is sent. Raises `IdentityError`."""
        challenge = base64.urlsafe_b64encode(hashlib.sha256(attempt.verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "client_id": self._client.client_id,
            "response_type": "code",
            "response_mode": "query",
            "redirect_uri": redirect_uri,
            "scope": "openid profile email",
            "state": attempt.state,
            "nonce": attempt.nonce,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
            "prompt": "select_account",  # else whoever has just signed out is in again by one click
        }
        endpoint = self._described().authorization_endpoint
        return f"{endpoint}{'&' if urlsplit(endpoint).query else '?'}{urlencode(query)}"

    def identify(self, attempt: Attempt, answer: Mapping[str, str], redirect_uri: str) -> Identity:
        """Who came back from the provider, by the query of the address that he came back to. Raises `IdentityError`."""
        if not attempt.state or not hmac.compare_digest(answer.get("state", "").encode(), attempt.state.encode()):
            raise IdentityError("this sign-in was begun elsewhere, or is too old; begin again")
        if "iss" in answer and answer["iss"] != self._client.issuer:  # RFC 9207: another provider's answer
            raise IdentityError("the answer is from another provider; begin again")
        if "error" in answer or not answer.get("code"):
            said = one_line((answer.get("error_description") or answer.get("error", ""))[:_LONGEST_SAID])
            raise IdentityError(f"the provider signed nobody in: {said or 'it gave no code'}")
        token = self._redeemed(answer["code"], attempt, redirect_uri)
        claims = self._verified(token)
        if not hmac.compare_digest(str(claims["nonce"]).encode(), attempt.nonce.encode()):
            raise IdentityError("the provider's token is for another sign-in; begin again")
        return Identity(_name(claims), _values(claims.get(self._client.claim)))

    def _redeemed(self, code: str, attempt: Attempt, redirect_uri: str) -> str:
        form = {
            "grant_type": "authorization_code",
            "client_id": self._client.client_id,
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": attempt.verifier,
        }
        if self._client.secret:
            form["client_secret"] = self._client.secret
        answer = self._asked("POST", self._described().token_endpoint, data=form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            said = answer.get("error_description") or answer.get("error") or "no id_token"
            raise IdentityError(f"the provider gives no token: {one_line(str(said)[:_LONGEST_SAID])}")
        return token

    def _verified(self, token: str) -> dict[str, Any]:
        """The claims of an ID token, checked as OpenID Connect Core 3.1.3.7 has it, but for the nonce."""
        import jwt

        try:
            header = jwt.get_unverified_header(token)
            claims = jwt.decode(
                token,
                self._key(str(header.get("kid", ""))),
                algorithms=[_ALGORITHM],
                audience=self._client.client_id,
                issuer=self._client.issuer,
                leeway=_LEEWAY_SECONDS,
                options={"require": ["iss", "sub", "aud", "exp", "iat", "nonce"]},
            )
        except jwt.PyJWTError as error:
            raise IdentityError(f"the provider's token is not valid: {one_line(str(error)[:_LONGEST_SAID])}") from None
        authorized = claims.get("azp", self._client.client_id)
        if authorized != self._client.client_id or claims["aud"] not in (self._client.client_id, [authorized]):
            raise IdentityError("the provider's token is for another application too; begin again")
        return claims

    def _key(self, kid: str) -> jwt.PyJWK:
        """Providers change their keys: one that isn't known is asked for, but not in every request.

        A provider with a single key need not name it (OpenID Connect Core 10.1).
        """
        with self._lock:
            if kid not in self._keys and time.time() >= self._keys_asked_at + _ASK_AGAIN_SECONDS:
                self._keys = _keys_in(self._asked("GET", self._described().jwks_uri))
                self._keys_asked_at = time.time()
            found = self._keys.get(kid)
            if found is None and not kid and len(self._keys) == 1:
                (found,) = self._keys.values()
        if found is None:
            raise IdentityError("the provider's token has no key that it publishes; begin again")
        return found

    def _described(self) -> _Metadata:
        """https://openid.net/specs/openid-connect-discovery-1_0.html#ProviderConfig"""
        found = self._metadata
        if found is None or time.time() > found.read_at + _KEEP_SECONDS:
            address = f"{self._client.issuer.rstrip('/')}/.well-known/openid-configuration"
            document = self._asked("GET", address)
            if document.get("issuer") != self._client.issuer:
                said = one_line(str(document.get("issuer"))[:_LONGEST_SAID])
                raise IdentityError(f"{address} is of the issuer {said}; set admin.oidc_issuer to exactly that")
            self._metadata = found = _Metadata(
                _secure(document.get("authorization_endpoint")),
                _secure(document.get("token_endpoint")),
                _secure(document.get("jwks_uri")),
                time.time(),
            )
        return found

    def _asked(self, method: str, address: str, **options: Any) -> dict[str, Any]:
        with _session(self._own_roots) as session:
            response = session.request(method, address, stream=True, **options)
            content = response.raw.read(_LARGEST, decode_content=True)
            response.close()
        return _json(content, address)


def _keys_in(document: Mapping[str, Any]) -> dict[str, jwt.PyJWK]:
    """Those that can have signed a token (RFC 7517 section 4)."""
    import jwt

    found: dict[str, jwt.PyJWK] = {}
    for each in cast("list[Any]", document.get("keys")) if isinstance(document.get("keys"), list) else []:
        if isinstance(each, dict) and each.get("kty") == "RSA" and each.get("use", "sig") == "sig":
            try:
                found[str(each.get("kid", ""))] = jwt.PyJWK(cast("dict[str, Any]", each), _ALGORITHM)
            except jwt.PyJWTError:
                continue
    return found


def _name(claims: Mapping[str, Any]) -> str:
    """For people to read: roles come of no name, since whoever has one may change it."""
    texts = (str(claims.get(key, "")).strip().lower() for key in _NAMES)
    name = next((text for text in texts if _is_name(text)), "")
    if not name:
        raise IdentityError("the provider's token names nobody; have it give preferred_username, email or sub")
    return name


def _values(claim: object) -> tuple[str, ...]:
    values = [claim] if isinstance(claim, str) else cast("list[object]", claim) if isinstance(claim, list) else []
    return tuple(value for value in values if isinstance(value, str))


def _secure(endpoint: object) -> str:
    text = str(endpoint)
    if urlsplit(text).scheme != "https":
        said = one_line(text[:_LONGEST_SAID])
        raise IdentityError(f"the provider's address {said} is not https; check admin.oidc_issuer")
    return text


def _json(content: bytes, address: str) -> dict[str, Any]:
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict):
        raise IdentityError(f"{address} gives no answer that makes sense; check admin.oidc_issuer")
    return cast("dict[str, Any]", document)


@contextmanager
def _session(own_roots: Sequence[str]) -> Iterator[requests.Session]:
    """HTTPS; a redirection is not followed, the secret would go along."""
    import requests

    from posthouse.net.oauth_wire import TokenError, secure_session

    try:
        with secure_session(own_roots, _TIMEOUT) as session:
            yield session
    except TokenError as error:
        raise IdentityError(f"the provider can't be asked: {error.problem}") from None
    except requests.RequestException as error:
        problem = type(error).__name__
        raise IdentityError(
            f"the provider can't be reached ({problem}); check admin.oidc_issuer, DNS and firewall"
        ) from None
