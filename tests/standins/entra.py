"""Microsoft Entra ID as far as it gives tokens to applications: discovery and token endpoint of its v2.0 protocol.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
https://learn.microsoft.com/entra/identity-platform/certificate-credentials
https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import base64
import json
import secrets
import uuid
from dataclasses import dataclass, field
from typing import Any, cast
from urllib.parse import parse_qs

import jwt
import trustme
from cryptography import x509
from cryptography.hazmat.primitives.hashes import SHA256

from standins.https import HttpsHandler, HttpsServer

ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
RESOURCES = ("https://outlook.office365.com", "https://graph.microsoft.com")
LIFETIME = 3599


@dataclass
class Registration:
    """An application. `secret` is a client secret's value; `certificate` what was uploaded for it."""

    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    secret: str = ""
    certificate: x509.Certificate | None = None


class Refusal(Exception):
    def __init__(self, error: str, code: int, text: str, status: int = 401) -> None:
        super().__init__(text)
        self.error, self.code, self.text, self.status = error, code, text, status

    def to_json(self) -> dict[str, Any]:
        trace, correlation, at = uuid.uuid4(), uuid.uuid4(), "2026-11-24 15:30:00Z"
        ids = f"Trace ID: {trace} Correlation ID: {correlation} Timestamp: {at}"
        return {
            "error": self.error,
            "error_description": f"AADSTS{self.code}: {self.text} {ids}",
            "error_codes": [self.code],
            "timestamp": at,
            "trace_id": str(trace),
            "correlation_id": str(correlation),
            "error_uri": f"https://login.microsoftonline.com/error?code={self.code}",
        }


class Entra(HttpsServer):
    """One tenant, on loopback over HTTPS. `issued` are the tokens it gave.

    Instead of those, `trouble` is a status, `nonsense` a content and `elsewhere` a redirection that it answers with.
    `clock_ahead` are the seconds that its clock is before the clients'.

    with Entra(authority) as entra:
        app = entra.register(secret="…")
    """

    def __init__(self, authority: trustme.CA, tenant: str = "contoso.onmicrosoft.com") -> None:
        super().__init__(authority, "127.0.0.1", _Request)
        self.tenant = tenant
        self.registrations: dict[str, Registration] = {}
        self.issued: list[str] = []
        self.trouble = 0
        self.nonsense: bytes | None = None
        self.elsewhere = ""
        self.clock_ahead = 0

    @property
    def url(self) -> str:
        """The authority that clients are to be told."""
        return f"https://127.0.0.1:{self.port}"

    def register(self, **registration: Any) -> Registration:
        made = Registration(**registration)
        self.registrations[made.client_id] = made
        return made

    def configuration(self, tenant: str) -> dict[str, Any]:
        self._require_tenant(tenant, status=400)
        base = f"{self.url}/{tenant}"
        return {
            "issuer": f"{base}/v2.0",
            "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
            "token_endpoint": f"{base}/oauth2/v2.0/token",
            "device_authorization_endpoint": f"{base}/oauth2/v2.0/devicecode",
        }

    def token(self, tenant: str, form: dict[str, str]) -> dict[str, Any]:
        self._require_tenant(tenant, status=400)
        if form.get("grant_type") != "client_credentials":
            raise Refusal("unsupported_grant_type", 70003, "The app requested an unsupported grant type.", 400)
        self._require_proof(self._registration(form), form, tenant)
        resource, _, rest = form.get("scope", "").rpartition("/")
        if rest != ".default":
            raise Refusal(
                "invalid_scope", 1002012, f"The provided value for scope {form.get('scope')} is not valid.", 400
            )
        if resource not in RESOURCES:
            text = f"The resource principal named {resource} was not found in the tenant named {tenant}."
            raise Refusal("invalid_resource", 500011, text, 400)
        self.issued.append(secrets.token_urlsafe(32))
        return {
            "token_type": "Bearer",
            "expires_in": LIFETIME,
            "ext_expires_in": LIFETIME,
            "access_token": self.issued[-1],
        }

    def _require_tenant(self, tenant: str, status: int) -> None:
        if tenant != self.tenant:
            text = f"Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID."
            raise Refusal("invalid_tenant", 90002, text, status)

    def _registration(self, form: dict[str, str]) -> Registration:
        client_id = form.get("client_id", "")
        if client_id not in self.registrations:
            text = f"Application with identifier '{client_id}' was not found in the directory '{self.tenant}'."
            raise Refusal("unauthorized_client", 700016, text, 400)
        return self.registrations[client_id]

    def _require_proof(self, app: Registration, form: dict[str, str], tenant: str) -> None:
        if form.get("client_assertion_type") == ASSERTION:
            self._require_assertion(app, form.get("client_assertion", ""), tenant)
        elif "client_secret" not in form:
            text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise Refusal("invalid_client", 7000218, text)
        elif not app.secret or form["client_secret"] != app.secret:
            text = f"Invalid client secret provided. Ensure that it is the value, for app '{app.client_id}'."
            raise Refusal("invalid_client", 7000215, text)

    def _require_assertion(self, app: Registration, assertion: str, tenant: str) -> None:
        """Signed with the uploaded certificate's key, which the header names by its SHA-256 thumbprint."""
        try:
            if app.certificate is None or not _names(assertion, app.certificate):
                raise jwt.InvalidKeyError
            jwt.decode(
                assertion,
                cast("Any", app.certificate.public_key()),
                algorithms=["PS256", "RS256"],
                audience=self.configuration(tenant)["token_endpoint"],
                issuer=app.client_id,
                options={"require": ["exp", "iat", "jti", "sub"]},
                leeway=-self.clock_ahead,
            )
        except (jwt.ExpiredSignatureError, jwt.ImmatureSignatureError):
            raise Refusal("invalid_client", 700024, "Client assertion is not within its valid time range.") from None
        except jwt.PyJWTError:
            text = "The certificate with identifier used to sign the client assertion is not registered on application."
            raise Refusal("invalid_client", 700027, text) from None


def _names(assertion: str, certificate: x509.Certificate) -> bool:
    given = jwt.get_unverified_header(assertion).get("x5t#S256", "").rstrip("=")
    return given == base64.urlsafe_b64encode(certificate.fingerprint(SHA256())).rstrip(b"=").decode()


class _Request(HttpsHandler):
    server: Entra

    def do_GET(self) -> None:
        tenant, _, path = self.path.lstrip("/").partition("/")
        if path == "v2.0/.well-known/openid-configuration":
            self._answer(lambda: self.server.configuration(tenant))
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        tenant, _, path = self.path.lstrip("/").partition("/")
        if self.server.elsewhere:
            self.send_response(307)
            self.send_header("Location", self.server.elsewhere)
            self.end_headers()
        elif self.server.nonsense is not None:
            self._say(200, self.server.nonsense)
        elif path == "oauth2/v2.0/token":
            self._answer(lambda: self.server.token(tenant, form))
        else:
            self.send_error(404)

    def _answer(self, make: Any) -> None:
        if self.server.trouble:
            self.send_error(self.server.trouble)
            return
        try:
            status, answer = 200, make()
        except Refusal as refusal:
            status, answer = refusal.status, refusal.to_json()
        self._say(status, json.dumps(answer).encode())

    def _say(self, status: int, content: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)
