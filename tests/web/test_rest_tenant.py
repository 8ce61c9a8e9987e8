"""The tenant behind the relay, set up over HTTP, with the stand-ins of Entra and of Exchange Online's admin API."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import trustme

from net.tls_peers import pem_of
from posthouse.admin import Role
from standins.entra import Entra
from standins.exchange import Exchange
from support.house import House
from support.office import SETTINGS, Office, done, problem, seen

ORGANIZATION = """
trusted_roots = ['''{root}''']

[tenant]
credential = "Tenant app"
endpoint = "{exchange.url}"

[[accepted_domain]]
name = "contoso.test"

[[credential]]
name = "Tenant app"
kind = "client_credentials"
tenant = "{entra.tenant}"
client_id = "{app.client_id}"
secret = "s3cret~value"
authority = "{entra.url}"

[[outbound_connector]]
name = "Office 365"
recipient_domains = ["*"]
smart_hosts = ["contoso-test.mail.protection.outlook.com"]
source_address = "110.0.0.7"
"""
NAME = "Posthouse relay.test: Office 365"


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def exchange(authority: trustme.CA) -> Iterator[Exchange]:
    with Entra(authority) as entra, Exchange(authority, entra) as running:
        running.domains["contoso.test"] = "Authoritative"
        yield running


@pytest.fixture(scope="module")
def connected(tmp_path_factory: pytest.TempPathFactory, authority: trustme.CA, exchange: Exchange) -> Iterator[Office]:
    """Its organization file says by what the tenant is administered."""
    app = exchange.entra.register(secret="s3cret~value")
    exchange.allow(app.client_id)
    text = ORGANIZATION.format(root=pem_of(authority), exchange=exchange, entra=exchange.entra, app=app)
    made = House(tmp_path_factory.mktemp("house"), text, SETTINGS)
    made.apply()
    with Office(made) as opened:
        yield opened
    made.clean_up()


@pytest.fixture(autouse=True)
def _without_connectors(exchange: Exchange) -> None:
    """As each test finds the tenant."""
    exchange.connectors.inbound.clear()


def test_a_tenant_is_set_up(connected: Office, exchange: Exchange) -> None:
    client = connected.client()
    planned = client.post("/tenant/plan", json={})
    items = done(planned)["items"]
    assert (items[0]["act"], items[0]["parameters"]["SenderIPAddresses"]) == ("create", ["110.0.0.7"])

    carried_out = done(client.post("/tenant/apply", json={}, headers=seen(planned)))["done"]
    assert [(each["parameters"]["Name"], each["warnings"]) for each in carried_out] == [(NAME, [])]
    assert [each["Name"] for each in done(client.get("/tenant"))["InboundConnectors"]] == [NAME]
    record = connected.audit(act="New-TenantInboundConnector")[0]
    assert (record["object"], record["face"], record["outcome"]) == (NAME, "rest", "ok")

    old = client.post("/tenant/apply", json={}, headers=seen(planned))
    assert "get it again" in problem(old, 412)["detail"]
    assert "If-Match" in problem(client.post("/tenant/apply", json={}), 428)["detail"]


def test_what_is_wished_for(connected: Office, exchange: Exchange) -> None:
    exchange.connectors.add("Old", ConnectorType="OnPremises", SenderIPAddresses=["110.0.0.1"])
    wish = {"Connectors": ["Office 365"], "Addresses": ["110.0.0.8"], "Take": "Old"}
    client = connected.client(Role.VIEW_ONLY)
    planned = done(client.post("/tenant/plan", json=wish))["items"][0]
    assert (planned["act"], planned["parameters"]["Identity"]) == ("change", "Old")
    unknown = client.post("/tenant/plan", json={"Connectors": ["Other"]})
    assert 'there is no outbound connector "Other"' in problem(unknown, 404)["detail"]


def test_what_the_tenant_refuses_is_told(connected: Office, exchange: Exchange) -> None:
    client = connected.client()
    wish = {"Addresses": ["10.0.0.7"]}
    refused = client.post("/tenant/apply", json=wish, headers={"If-Match": "*"})
    detail = problem(refused, 422)["detail"]
    assert "contains reserved IP addresses" in detail
    assert detail.endswith("nothing was changed in the tenant")


def test_without_a_tenant_there_is_nothing_to_show(office: Office) -> None:
    assert "no tenant is connected" in problem(office.client().get("/tenant"), 422)["detail"]
