"""The stand-in of Entra, asked as its documentation says: by plain HTTPS requests.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
import trustme

from standins.entra import Entra

SECRET = "s3cret~value"
SCOPE = "https://outlook.office365.com/.default"

Ask = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture
def entra(authority: trustme.CA) -> Iterator[Entra]:
    with Entra(authority) as running:
        yield running


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
