"""The client of Exchange Online's admin API, with the stand-in that speaks it."""

from __future__ import annotations

import json
import socket
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from net.tls_peers import pem_of
from posthouse.net.exchange_online import (
    ExchangeError,
    ExchangeForbidden,
    ExchangeOnline,
    ExchangeRefused,
    ExchangeUnavailable,
    endpoint_of,
)
from standins.entra import Entra, Registration
from standins.exchange import MANAGE, MANAGE_V2, RESOURCE, Exchange, Fault

Tenant = Callable[..., ExchangeOnline]
CONNECTOR = {"Name": "Relay", "SenderDomains": ["*"], "SenderIPAddresses": ["110.0.0.7"]}


@pytest.fixture
def exchange(authority: trustme.CA, entra: Entra) -> Iterator[Exchange]:
    with Exchange(authority, entra) as running:
        yield running


@pytest.fixture
def app(entra: Entra, exchange: Exchange) -> Registration:
    registered = entra.register(secret="s3cret~value")
    exchange.allow(registered.client_id)
    return registered


@pytest.fixture
def pauses() -> list[float]:
    """What was waited, in seconds."""
    return []


@pytest.fixture
def tenant(exchange: Exchange, entra: Entra, app: Registration, authority: trustme.CA, pauses: list[float]) -> Tenant:
    def tenant(**options: Any) -> ExchangeOnline:
        def token(*, afresh: bool) -> str:
            return entra.issue(app.client_id, RESOURCE)

        given = {"own_roots": [pem_of(authority)], "token": token, "pause": pauses.append, "timeout": 10} | options
        return ExchangeOnline(given.pop("endpoint", exchange.url), given.pop("name", entra.tenant), **given)

    return tenant


def test_a_cmdlet_with_its_parameters(tenant: Tenant, exchange: Exchange) -> None:
    made = tenant().invoke("New-InboundConnector", CONNECTOR)
    assert (made.objects[0]["Name"], made.warnings) == ("Relay", ())
    call = exchange.calls[0]
    assert (call.endpoint, call.cmdlet, call.parameters) == ("InvokeCommand", "New-InboundConnector", CONNECTOR)
    assert call.headers["x-cmdletname"] == "New-InboundConnector"
    assert call.headers["x-anchormailbox"].endswith("@contoso.onmicrosoft.com")


def test_warnings_are_told(tenant: Tenant, exchange: Exchange) -> None:
    exchange.connectors.add("Old", SenderIPAddresses=["110.0.0.0/24"])
    assert "overlap" in tenant().invoke("New-InboundConnector", CONNECTOR).warnings[0]


def test_all_pages(tenant: Tenant, exchange: Exchange) -> None:
    exchange.domains |= {f"{number}.test": "Authoritative" for number in range(1500)}
    found = tenant().invoke("Get-AcceptedDomain")
    assert [each["DomainName"] for each in found.objects] == [*exchange.domains]
    assert len(exchange.calls) == 2


def test_accepted_domains_by_the_documented_api_where_it_is_allowed(
    tenant: Tenant, exchange: Exchange, app: Registration
) -> None:
    by_command = tenant().accepted_domains()
    exchange.allow(app.client_id, MANAGE, MANAGE_V2)
    assert tenant().accepted_domains() == by_command
    assert [call.endpoint for call in exchange.calls] == ["InvokeCommand", "AcceptedDomain"]
    exchange.faults.append(Fault(500))
    assert tenant().accepted_domains() == by_command


def test_a_pause_is_kept(tenant: Tenant, exchange: Exchange, pauses: list[float]) -> None:
    exchange.faults += [Fault(429, "7"), Fault(503)]
    assert tenant().invoke("Get-InboundConnector").objects == ()
    assert pauses == [7, 5]


def test_a_pause_that_is_too_long_is_told(tenant: Tenant, exchange: Exchange, pauses: list[float]) -> None:
    exchange.faults += [Fault(429, "40"), Fault(429, "40")]
    with pytest.raises(ExchangeUnavailable, match=r"^the tenant wants a pause of 40 s \(HTTP 429\); try again"):
        tenant().invoke("Get-InboundConnector")
    assert pauses == [40]


def test_a_token_that_is_refused_is_replaced_once(tenant: Tenant, entra: Entra, app: Registration) -> None:
    asked: list[bool] = []

    def token(*, afresh: bool) -> str:
        asked.append(afresh)
        return entra.issue(app.client_id, RESOURCE) if afresh else "revoked"

    assert tenant(token=token).invoke("Get-InboundConnector").objects == ()
    with pytest.raises(ExchangeForbidden, match=r"may not use Get-InboundConnector \(HTTP 401\)"):
        tenant(token=lambda *, afresh: "revoked").invoke("Get-InboundConnector")
    assert asked == [False, True]


def test_what_a_tenant_refuses_is_told_in_its_words(tenant: Tenant) -> None:
    with pytest.raises(ExchangeRefused) as refused:
        tenant().invoke("New-InboundConnector", CONNECTOR | {"SenderIPAddresses": ["110.0.0.0/16"]})
    assert refused.value.problem == "New-InboundConnector: The CIDR length of '110.0.0.0/16' must be between 24 and 32"
    assert refused.value.kind == "InvalidCidrRangeException"


def test_an_application_without_its_permission(tenant: Tenant, exchange: Exchange) -> None:
    exchange.principals.clear()
    with pytest.raises(ExchangeForbidden, match=r"HTTP 403\); give the app registration .* Exchange\.ManageAsApp"):
        tenant().invoke("Get-InboundConnector")


def test_an_application_without_a_directory_role(tenant: Tenant, exchange: Exchange, app: Registration) -> None:
    exchange.allow(app.client_id, has_role=False)
    with pytest.raises(
        ExchangeForbidden, match=r"^The role assigned to application .* the role Exchange Administrator"
    ):
        tenant().invoke("Get-InboundConnector")


@pytest.mark.parametrize(
    ("error", "problem"),
    [
        ({"message": "top", "details": [{"message": "Ex6F9304|A.B.CException|said"}]}, "X: said"),
        ({"message": "top", "details": [{"message": "no divider"}]}, "X: top"),
        ({"message": "top", "details": {}, "innererror": []}, "X: top"),
        ({"message": "two\nlines\x1b[2J"}, "X: two lines [2J"),
        ({"message": {}}, "X: HTTP 400"),
        ("nonsense", "X: HTTP 400"),
    ],
)
def test_errors_of_other_shapes(tenant: Tenant, exchange: Exchange, error: Any, problem: str) -> None:
    exchange.faults.append(Fault(400, content=json.dumps({"error": error}).encode()))
    with pytest.raises(ExchangeRefused) as refused:
        tenant().invoke("X")
    assert refused.value.problem == problem


@pytest.mark.parametrize(
    "content",
    [b"", b"<html>", b"[" * 100_000, b"[]", b'{"value": 7}', b'{"value": [7]}', b'{"value": [], "@odata.nextLink": 7}'],
)
def test_answers_that_are_none(tenant: Tenant, exchange: Exchange, content: bytes) -> None:
    exchange.faults.append(Fault(200, content=content))
    with pytest.raises(ExchangeRefused, match=r"none of Exchange Online's; check the endpoint"):
        tenant().invoke("Get-InboundConnector")


def test_an_answer_without_end_is_cut(tenant: Tenant, exchange: Exchange) -> None:
    exchange.faults.append(Fault(200, content=b" " * (17 << 20)))
    with pytest.raises(ExchangeRefused, match="says more than 16 MiB"):
        tenant().invoke("Get-InboundConnector")


@pytest.mark.parametrize(
    "fault",
    [
        Fault(307, location="https://127.0.0.2/"),
        Fault(200, content=b'{"value": [], "@odata.nextLink": "https://127.0.0.2/"}'),
    ],
)
def test_the_token_goes_nowhere_else(tenant: Tenant, exchange: Exchange, fault: Fault) -> None:
    exchange.faults.append(fault)
    with pytest.raises(ExchangeRefused, match="sends us elsewhere"):
        tenant().invoke("Get-InboundConnector")


@pytest.mark.parametrize("fault", [Fault(done=True), Fault(502, done=True)])
def test_what_may_have_been_done_is_not_repeated(tenant: Tenant, exchange: Exchange, fault: Fault) -> None:
    exchange.faults.append(fault)
    with pytest.raises(ExchangeUnavailable, match="it may have been done all the same"):
        tenant().invoke("New-InboundConnector", CONNECTOR)
    assert exchange.cmdlets == ["New-InboundConnector"]


def test_who_is_not_there(tenant: Tenant) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        endpoint = f"https://127.0.0.1:{unused.getsockname()[1]}"
        with pytest.raises(ExchangeUnavailable, match=r"no connection; check its name"):
            tenant(endpoint=endpoint).invoke("Get-InboundConnector")


def test_who_can_not_prove_its_name(tenant: Tenant) -> None:
    with pytest.raises(ExchangeUnavailable, match="its certificate is not trusted; a proxy"):
        tenant(own_roots=()).invoke("Get-InboundConnector")


def test_errors_hold_no_token(tenant: Tenant, exchange: Exchange) -> None:
    exchange.faults.append(Fault())
    with pytest.raises(ExchangeError) as failed:
        tenant(token=lambda *, afresh: "t0ken").invoke("Get-InboundConnector")
    assert "t0ken" not in str(failed.value)


@pytest.mark.parametrize(
    ("authority", "endpoint"),
    [
        ("https://login.microsoftonline.com", "https://outlook.office365.com"),
        ("https://login.microsoftonline.us", "https://outlook.office365.us"),
        ("https://login.partner.microsoftonline.cn", "https://partner.outlook.cn"),
    ],
)
def test_each_cloud_has_its_endpoint(authority: str, endpoint: str) -> None:
    assert endpoint_of(authority) == endpoint
