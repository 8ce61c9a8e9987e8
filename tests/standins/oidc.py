"""An OpenID Connect provider: discovery, authorization endpoint, token endpoint and keys, as far as the code flow goes.

It refuses what Microsoft Entra ID refuses: an application it doesn't know, a redirect URI that isn't registered, a
challenge that isn't S256, a code that was used, is another application's, or comes without the verifier.

https://openid.net/specs/openid-connect-core-1_0.html#CodeFlowAuth
https://www.rfc-editor.org/rfc/rfc7636#section-4.6
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow
"""

from __future__ import annotations

import base64
import hashlib
import json
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from jwt.algorithms import RSAAlgorithm

from standins.https import HttpsHandler, HttpsServer

_CODE_SECONDS = 600


@dataclass
class Key:
    kid: str = field(default_factory=lambda: secrets.token_urlsafe(8))
    private: RSAPrivateKey = field(default_factory=lambda: generate_private_key(65537, 2048))

    def public(self) -> dict[str, Any]:
        jwk = RSAAlgorithm.to_jwk(self.private.public_key(), as_dict=True)
        return {**jwk, "kid": self.kid, "use": "sig"}


@dataclass
class Begun:
    """What an authorization code stands for."""

    query: dict[str, str]
    user: dict[str, Any]
    expires_at: float


class Refusal(Exception):
    """`text` is for the user's eyes where he can't be sent back."""

    def __init__(self, error: str, text: str) -> None:
        super().__init__(text)
        self.error = error


class OpenIdProvider(HttpsServer):
    """One application, on loopback over HTTPS. Whoever comes is signed in at once as `user`: the claims about him.

    `tampered` may change the claims of a token before it is signed; `signed` may sign it otherwise; `declines` is an
    error that the user is sent back with. `keys` are published, the last one signs. `described` are changes of what it
    says of itself. `asked_for_keys` counts.
    """

    client_id = "6731de76-14a6-49ae-97bc-6eba6914391e"
    secret = "kept by the relay alone"

    def __init__(self, authority: trustme.CA) -> None:
        super().__init__(authority, "127.0.0.1", _Request)
        self.redirect_uris: set[str] = set()
        self.user: dict[str, Any] = {"sub": "aaa", "preferred_username": "Anna@contoso.com", "roles": ["Relay.Admin"]}
        self.keys = [Key()]
        self.tampered: Callable[[dict[str, Any]], dict[str, Any]] = lambda claims: claims
        self.signed: Callable[[dict[str, Any]], str] = self.sign
        self.declines = ""
        self.described: dict[str, Any] = {}
        self.asked_for_keys = 0
        self._codes: dict[str, Begun] = {}

    @property
    def issuer(self) -> str:
        return f"https://127.0.0.1:{self.port}/tenant/v2.0"

    def sign(self, claims: dict[str, Any]) -> str:
        key = self.keys[-1]
        return jwt.encode(claims, key.private, "RS256", headers={"kid": key.kid})

    def configuration(self) -> dict[str, Any]:
        base = f"https://127.0.0.1:{self.port}/tenant"
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "jwks_uri": f"{base}/discovery/v2.0/keys",
            "response_types_supported": ["code"],
            "subject_types_supported": ["pairwise"],
            "id_token_signing_alg_values_supported": ["RS256"],
            **self.described,
        }

    def authorize(self, query: dict[str, str]) -> str:
        """Where the browser goes from here. Raises `Refusal` where it must not be sent there."""
        if query.get("client_id") != self.client_id:
            raise Refusal("unauthorized_client", "AADSTS700016: Application was not found in the directory.")
        if query.get("redirect_uri") not in self.redirect_uris:
            raise Refusal("invalid_request", "AADSTS50011: The redirect URI does not match those registered.")
        back, state = query["redirect_uri"], query.get("state", "")
        if error := self.declines or _mistake_in(query):
            told = {"error": error, "error_description": f"{error}, said the provider", "state": state}
            return f"{back}?{urlencode(told)}"
        code = secrets.token_urlsafe(32)
        self._codes[code] = Begun(query, dict(self.user), time.time() + _CODE_SECONDS)
        return f"{back}?{urlencode({'code': code, 'state': state})}"

    def redeem(self, form: dict[str, str]) -> dict[str, Any]:
        if (form.get("client_id"), form.get("client_secret")) != (self.client_id, self.secret):
            raise Refusal("invalid_client", "AADSTS7000215: Invalid client secret provided.")
        begun = self._codes.pop(form.get("code", ""), None)
        if begun is None or begun.expires_at < time.time() or form.get("grant_type") != "authorization_code":
            raise Refusal("invalid_grant", "AADSTS54005: The code was already redeemed, or has expired.")
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        if base64.urlsafe_b64encode(digest).rstrip(b"=").decode() != begun.query["code_challenge"]:
            raise Refusal("invalid_grant", "AADSTS501481: The Code_Verifier does not match the code_challenge.")
        if form.get("redirect_uri") != begun.query["redirect_uri"]:
            raise Refusal("invalid_grant", "AADSTS500112: The redirect_uri is another one than that of the code.")
        now = int(time.time())
        claims = {
            **begun.user,
            "iss": self.issuer,
            "aud": self.client_id,
            "iat": now,
            "nbf": now,
            "exp": now + 3600,
            "nonce": begun.query.get("nonce", ""),
        }
        token = self.signed(self.tampered(claims))
        return {
            "token_type": "Bearer",
            "expires_in": 3600,
            "access_token": secrets.token_urlsafe(16),
            "id_token": token,
        }


def _mistake_in(query: dict[str, str]) -> str:
    if query.get("response_type") != "code":
        return "unsupported_response_type"
    if "openid" not in query.get("scope", "").split():
        return "invalid_scope"
    return "" if query.get("code_challenge_method") == "S256" and query.get("code_challenge") else "invalid_request"


class _Request(HttpsHandler):
    server: OpenIdProvider

    def do_GET(self) -> None:
        parts = urlsplit(self.path)
        if parts.path == "/tenant/v2.0/.well-known/openid-configuration":
            self._answer(200, self.server.configuration())
        elif parts.path == "/tenant/discovery/v2.0/keys":
            self.server.asked_for_keys += 1
            self._answer(200, {"keys": [key.public() for key in self.server.keys]})
        elif parts.path == "/tenant/oauth2/v2.0/authorize":
            self._authorize(dict(parse_qsl(parts.query)))
        else:
            self._answer(404, {})

    def do_POST(self) -> None:
        form = dict(parse_qsl(self.rfile.read(int(self.headers["Content-Length"])).decode()))
        try:
            self._answer(200, self.server.redeem(form))
        except Refusal as refusal:
            self._answer(400, {"error": refusal.error, "error_description": str(refusal)})

    def _authorize(self, query: dict[str, str]) -> None:
        try:
            to = self.server.authorize(query)
        except Refusal as refusal:
            self._answer(400, {"error": refusal.error, "error_description": str(refusal)})
            return
        self.send_response(302)
        self.send_header("Location", to)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        content = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
