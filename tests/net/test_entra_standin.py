"""The stand-in of Entra, asked as its documentation says: by plain HTTPS requests.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
import trustme

from standins.entra import Entra

SECRET = "s3cret~value"
SCOPE = "https://outlook.office365.com/.default"

Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def ask(entra: Entra, authority: trustme.CA) -> Ask:
    """GET a path, or POST a form to it."""
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def ask(path: str, **form: str) -> tuple[int, dict[str, Any]]:
        connection = http.client.HTTPSConnection("127.0.0.1", entra.port, context=context, timeout=10)
        headers = {"Content-Type": "application/x-www-form-urlencoded"}
        try:
            connection.request("POST" if form else "GET", path, urlencode(form), headers)
            with connection.getresponse() as response:
                return response.status, json.loads(response.read())
        finally:
            connection.close()

    return ask


def test_discovery_names_the_token_endpoint(ask: Ask, entra: Entra) -> None:
    status, found = ask(f"/{entra.tenant}/v2.0/.well-known/openid-configuration")
    assert (status, found["token_endpoint"]) == (200, f"{entra.url}/{entra.tenant}/oauth2/v2.0/token")


def test_a_token_for_a_secret(ask: Ask, entra: Entra) -> None:
    status, token = asked_for_token(ask, entra)
    assert status == 200
    assert token == {
        "token_type": "Bearer",
        "expires_in": 3599,
        "ext_expires_in": 3599,
        "access_token": entra.issued[0],
    }


@pytest.mark.parametrize(
    ("wrong", "status", "error", "code"),
    [
        ({"tenant": "fabrikam.example"}, 400, "invalid_tenant", 90002),
        ({"client_id": "c0ffee"}, 400, "unauthorized_client", 700016),
        ({"client_secret": "wrong"}, 401, "invalid_client", 7000215),
        ({"client_secret": None}, 401, "invalid_client", 7000218),
        ({"scope": "https://outlook.office365.com/SMTP.Send"}, 400, "invalid_scope", 1002012),
        ({"scope": "https://nowhere.example/.default"}, 400, "invalid_resource", 500011),
        ({"grant_type": "password"}, 400, "unsupported_grant_type", 70003),
    ],
)
def test_refusals(ask: Ask, entra: Entra, wrong: dict[str, str | None], status: int, error: str, code: int) -> None:
    found, refusal = asked_for_token(ask, entra, **wrong)
    assert (found, refusal["error"], refusal["error_codes"]) == (status, error, [code])
    assert refusal["error_description"].startswith(f"AADSTS{code}: ")
    assert f"Trace ID: {refusal['trace_id']}" in refusal["error_description"]
    assert entra.issued == []


def test_an_unknown_tenant_is_refused_at_discovery_already(ask: Ask) -> None:
    status, refusal = ask("/fabrikam.example/v2.0/.well-known/openid-configuration")
    assert (status, refusal["error"]) == (400, "invalid_tenant")


def test_an_assertion_that_is_none(ask: Ask, entra: Entra) -> None:
    assertion = {
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": "not.a.token",
    }
    status, refusal = asked_for_token(ask, entra, **assertion)
    assert (status, refusal["error_codes"]) == (401, [700027])


def asked_for_token(ask: Ask, entra: Entra, **changed: str | None) -> tuple[int, dict[str, Any]]:
    """What is right but for what is changed; None leaves it out."""
    app = entra.register(secret=SECRET)
    right = {
        "grant_type": "client_credentials",
        "client_id": app.client_id,
        "client_secret": SECRET,
        "scope": SCOPE,
    }
    tenant = changed.pop("tenant", entra.tenant)
    form = {name: value for name, value in (right | changed).items() if value is not None}
    return ask(f"/{tenant}/oauth2/v2.0/token", **form)


def test_a_device_code_and_the_token_for_it(ask: Ask, entra: Entra) -> None:
    entra.register(client_id="public", public=True)
    code = device_code(ask, entra)
    assert code["verification_uri"] in code["message"]
    assert code["user_code"] in code["message"]
    assert (code["interval"], code["expires_in"]) == (5, 900)
    status, pending = redeemed(ask, entra, code)
    assert (status, pending["error"], pending["error_codes"]) == (400, "authorization_pending", [70016])
    entra.sign_in("user@contoso.test", code["user_code"])
    status, token = redeemed(ask, entra, code)
    assert (status, token["token_type"], token["scope"]) == (200, "Bearer", DELEGATED)
    grant = entra.grant(token["access_token"], "https://outlook.office365.com")
    assert grant is not None
    assert (grant.user, grant.client_id) == ("user@contoso.test", "public")


@pytest.mark.parametrize(
    ("error", "code"),
    [("authorization_declined", 65004), ("expired_token", 70020), ("slow_down", 70016)],
)
def test_a_device_code_that_gives_no_token(ask: Ask, entra: Entra, error: str, code: int) -> None:
    entra.register(client_id="public", public=True)
    given = device_code(ask, entra)
    entra.devices[given["device_code"]].answer = error
    status, refusal = redeemed(ask, entra, given)
    assert (status, refusal["error"], refusal["error_codes"]) == (400, error, [code])


def test_a_device_code_needs_a_public_client_and_a_code_of_its_own(ask: Ask, entra: Entra) -> None:
    app = entra.register(client_id="public")
    code = device_code(ask, entra)
    status, refusal = redeemed(ask, entra, code)
    assert (status, refusal["error"], refusal["error_codes"]) == (401, "invalid_client", [7000218])
    app.public = True
    status, refusal = redeemed(ask, entra, {"device_code": "guess"})
    assert (status, refusal["error"]) == (400, "bad_verification_code")


def test_permissions_of_two_resources_at_once_are_refused(ask: Ask, entra: Entra) -> None:
    entra.register(client_id="public", public=True)
    both = "https://outlook.office.com/SMTP.Send https://graph.microsoft.com/Mail.Send"
    status, refusal = ask(f"/{entra.tenant}/oauth2/v2.0/devicecode", client_id="public", scope=both)
    assert (status, refusal["error"]) == (400, "invalid_scope")


def test_a_refresh_token_gives_a_token_and_the_next_one(ask: Ask, entra: Entra) -> None:
    entra.register(client_id="public", public=True)
    code = device_code(ask, entra)
    entra.sign_in("user@contoso.test")
    first = redeemed(ask, entra, code)[1]
    entra.forgets_used = True
    status, second = refreshed(ask, entra, first)
    assert (status, second["access_token"]) == (200, entra.issued[1])
    assert second["refresh_token"] != first["refresh_token"]
    status, refusal = refreshed(ask, entra, first)
    assert (status, refusal["error"], refusal["error_codes"]) == (400, "invalid_grant", [700082])
    assert refreshed(ask, entra, second)[0] == 200


def test_a_token_is_good_until_it_expires_or_is_revoked(entra: Entra) -> None:
    token = entra.issue("app", "https://graph.microsoft.com")
    assert entra.grant(token, "https://graph.microsoft.com")
    assert entra.grant(token, "https://outlook.office365.com") is None
    entra.revoke()
    assert entra.grant(token, "https://graph.microsoft.com") is None


DELEGATED = "https://outlook.office.com/SMTP.Send offline_access"


def device_code(ask: Ask, entra: Entra) -> dict[str, Any]:
    status, code = ask(f"/{entra.tenant}/oauth2/v2.0/devicecode", client_id="public", scope=DELEGATED)
    assert status == 200
    return code


def redeemed(ask: Ask, entra: Entra, code: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    grant = "urn:ietf:params:oauth:grant-type:device_code"
    form = {"grant_type": grant, "client_id": "public", "device_code": code["device_code"]}
    return ask(f"/{entra.tenant}/oauth2/v2.0/token", **form)


def refreshed(ask: Ask, entra: Entra, token: dict[str, Any]) -> tuple[int, dict[str, Any]]:
    form = {"grant_type": "refresh_token", "client_id": "public", "refresh_token": token["refresh_token"]}
    return ask(f"/{entra.tenant}/oauth2/v2.0/token", scope=DELEGATED, **form)
