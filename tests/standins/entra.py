"""Microsoft Entra ID as far as it gives tokens: discovery, token and device code endpoint of its v2.0 protocol.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
https://learn.microsoft.com/entra/identity-platform/certificate-credentials
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-device-code
https://learn.microsoft.com/entra/identity-platform/v2-oauth2-auth-code-flow#refresh-the-access-token
https://learn.microsoft.com/entra/identity-platform/reference-error-codes
"""

from __future__ import annotations

import base64
import json
import secrets
import time
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
DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
RESOURCES = ("https://outlook.office365.com", "https://graph.microsoft.com")
DELEGATED = {
    "https://outlook.office.com/SMTP.Send": "https://outlook.office365.com",
    "https://graph.microsoft.com/Mail.Send": "https://graph.microsoft.com",
    "https://graph.microsoft.com/Mail.ReadWrite": "https://graph.microsoft.com",
}
"""Permissions that a user can consent to, and the resource each is for."""
OPENID = {"openid", "profile", "offline_access"}
LIFETIME = 3599
CODE_LIFETIME = 900


@dataclass
class Registration:
    """An application. `secret` is a client secret's value; `certificate` what was uploaded for it.

    `public` is "Allow public client flows", which a device code needs.
    """

    client_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    secret: str = ""
    certificate: x509.Certificate | None = None
    public: bool = False


@dataclass
class Grant:
    """What a token is good for. Without a user it is the application's own."""

    client_id: str
    resource: str
    expires_at: float
    user: str = ""


@dataclass
class Device:
    """A device code on its way: `answer` is a user who signed in, or how it ended."""

    client_id: str
    scope: str
    user_code: str
    answer: str = "authorization_pending"


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
    """One tenant, on loopback over HTTPS. `issued` are the tokens it gave, `grants` what each is good for.

    Instead of those, `trouble` is a status, `nonsense` a content and `elsewhere` a redirection that it answers with.
    `clock_ahead` are the seconds that its clock is before the clients', `lifetime` those that a token lives. `devices`
    are the device codes: a test plays the user by `sign_in`, or sets `answer` to an error; `at_once` is that of all
    to come. `refresh_tokens` say whose they are; with `forgets_used` one is good only once, which is harsher than
    Entra. `asked` are the grants asked for.

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
        self.lifetime = LIFETIME
        self.interval = 5
        self.at_once = ""
        self.forgets_used = False
        self.retry_after = ""
        self.asked: list[str] = []
        self.grants: dict[str, Grant] = {}
        self.devices: dict[str, Device] = {}
        self.refresh_tokens: dict[str, tuple[str, str]] = {}

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

    def device_code(self, tenant: str, form: dict[str, str]) -> dict[str, Any]:
        self._require_tenant(tenant, status=400)
        app = self._registration(form)
        _resource_of(form.get("scope", ""))
        code, user_code = secrets.token_urlsafe(32), secrets.token_hex(4).upper()
        self.devices[code] = Device(app.client_id, form["scope"], user_code, self.at_once or "authorization_pending")
        page = "https://microsoft.com/devicelogin"
        return {
            "user_code": user_code,
            "device_code": code,
            "verification_uri": page,
            "expires_in": CODE_LIFETIME,
            "interval": self.interval,
            "message": f"To sign in, use a web browser to open the page {page} and enter the code {user_code}.",
        }

    def sign_in(self, user: str, user_code: str = "") -> None:
        """What a person does at the page: enters the code (of the newest device without one), and consents."""
        device = next(d for d in reversed(self.devices.values()) if user_code in ("", d.user_code))
        device.answer = user

    def token(self, tenant: str, form: dict[str, str]) -> dict[str, Any]:
        self._require_tenant(tenant, status=400)
        self.asked.append(form.get("grant_type", ""))
        match form.get("grant_type"):
            case "client_credentials":
                return self._application_token(tenant, form)
            case "refresh_token":
                return self._refreshed(form)
            case grant if grant == DEVICE_CODE:
                return self._device_token(form)
            case _:
                raise Refusal("unsupported_grant_type", 70003, "The app requested an unsupported grant type.", 400)

    def issue(self, client_id: str, resource: str, user: str = "") -> str:
        """A token; also what a managed identity gets."""
        value = secrets.token_urlsafe(32)
        self.issued.append(value)
        self.grants[value] = Grant(client_id, resource, time.time() + self.lifetime, user)
        return value

    def grant(self, token: str, resource: str) -> Grant | None:
        """What a resource makes of a token: None where it is none of ours, not for this resource, or too old."""
        found = self.grants.get(token)
        return found if found and found.resource == resource and found.expires_at > time.time() else None

    def revoke(self) -> None:
        """All tokens given so far are no good any more."""
        self.grants.clear()

    def _application_token(self, tenant: str, form: dict[str, str]) -> dict[str, Any]:
        app = self._registration(form)
        self._require_proof(app, form, tenant)
        resource, _, rest = form.get("scope", "").rpartition("/")
        if rest != ".default":
            raise Refusal(
                "invalid_scope", 1002012, f"The provided value for scope {form.get('scope')} is not valid.", 400
            )
        if resource not in RESOURCES:
            text = f"The resource principal named {resource} was not found in the tenant named {tenant}."
            raise Refusal("invalid_resource", 500011, text, 400)
        return self._answer(self.issue(app.client_id, resource))

    def _device_token(self, form: dict[str, str]) -> dict[str, Any]:
        app = self._public(form)
        device = self.devices.get(form.get("device_code", ""))
        if device is None or device.client_id != app.client_id:
            raise Refusal("bad_verification_code", 70018, "Invalid verification code.", 400)
        if device.answer in _DEVICE_ERRORS:
            code, text = _DEVICE_ERRORS[device.answer]
            if (error := device.answer) == "slow_down":
                device.answer = "authorization_pending"
            raise Refusal(error, code, text, 400)
        return self._for_user(app, device.answer, device.scope)

    def _refreshed(self, form: dict[str, str]) -> dict[str, Any]:
        app = self._public(form)
        client_id, user = self.refresh_tokens.get(form.get("refresh_token", ""), ("", ""))
        if client_id != app.client_id:
            text = "The refresh token has expired due to inactivity. The token was inactive for 90.00:00:00."
            raise Refusal("invalid_grant", 700082, text, 400)
        if self.forgets_used:
            del self.refresh_tokens[form["refresh_token"]]
        return self._for_user(app, user, form.get("scope", ""))

    def _for_user(self, app: Registration, user: str, scope: str) -> dict[str, Any]:
        """With a new refresh token each time; the page on refreshing says to throw the old one away."""
        answer = self._answer(self.issue(app.client_id, _resource_of(scope), user))
        answer["scope"] = scope
        if "offline_access" in scope.split():
            answer["refresh_token"] = secrets.token_urlsafe(32)
            self.refresh_tokens[answer["refresh_token"]] = (app.client_id, user)
        if "openid" in scope.split():
            now = int(time.time())
            claims = {"aud": app.client_id, "iss": f"{self.url}/{self.tenant}/v2.0", "iat": now, "exp": now + 3600}
            answer["id_token"] = jwt.encode(claims | {"sub": user, "preferred_username": user}, "k" * 32)
        return answer

    def _answer(self, token: str) -> dict[str, Any]:
        return {
            "token_type": "Bearer",
            "expires_in": self.lifetime,
            "ext_expires_in": self.lifetime,
            "access_token": token,
        }

    def _public(self, form: dict[str, str]) -> Registration:
        app = self._registration(form)
        if not app.public:
            text = "The request body must contain the following parameter: 'client_assertion' or 'client_secret'."
            raise Refusal("invalid_client", 7000218, text)
        return app

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


_DEVICE_ERRORS = {
    "authorization_pending": (70016, "OAuth 2.0 device flow error. Authorization is pending. Continue polling."),
    "slow_down": (70016, "OAuth 2.0 device flow error. Authorization is pending. Poll less often."),
    "authorization_declined": (65004, "User declined to consent to access the app."),
    "expired_token": (70020, "The provided value for the input parameter 'device_code' has expired."),
}


def _resource_of(scope: str) -> str:
    """Of the permissions that a user is asked for, which must be of one resource."""
    wanted = set(scope.split()) - OPENID
    resources = {DELEGATED.get(permission) for permission in wanted}
    if len(resources) != 1 or None in resources:
        raise Refusal(
            "invalid_scope", 70011, f"The provided value for the input parameter 'scope' is not valid: {scope}.", 400
        )
    return cast("str", resources.pop())


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
        elif path == "oauth2/v2.0/devicecode":
            self._answer(lambda: self.server.device_code(tenant, form))
        else:
            self.send_error(404)

    def _answer(self, make: Any) -> None:
        if self.server.trouble:
            self.send_response(self.server.trouble)
            if self.server.retry_after:
                self.send_header("Retry-After", self.server.retry_after)
            self.send_header("Content-Length", "0")
            self.end_headers()
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
