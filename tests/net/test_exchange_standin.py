"""The stand-in of Exchange Online's admin API, asked by plain HTTPS requests as Microsoft's pages and module say.

https://learn.microsoft.com/exchange/reference/admin-api-get-started
https://learn.microsoft.com/exchange/reference/admin-api-endpoints-accepted-domain
https://learn.microsoft.com/powershell/module/exchange/new-inboundconnector
"""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import trustme

from standins.entra import Entra, Registration
from standins.exchange import MANAGE, MANAGE_V2, RESOURCE, Exchange, Fault

Answer = tuple[int, dict[str, Any], dict[str, str]]
Ask = Callable[..., Answer]


@pytest.fixture
def exchange(authority: trustme.CA, entra: Entra) -> Iterator[Exchange]:
    with Exchange(authority, entra) as running:
        yield running


@pytest.fixture
def app(entra: Entra, exchange: Exchange) -> Registration:
    """It may manage Exchange."""
    registered = entra.register(secret="s3cret~value")
    exchange.allow(registered.client_id)
    return registered


@pytest.fixture
def ask(exchange: Exchange, entra: Entra, app: Registration, authority: trustme.CA) -> Ask:
    """A cmdlet by InvokeCommand, or where `path` says; signed in as `app`, or with `token`."""
    context = ssl.create_default_context()
    authority.configure_trust(context)

    def ask(cmdlet: str, path: str = "beta/{tenant}/InvokeCommand", token: str | None = None, **given: Any) -> Answer:
        headers = {key.replace("_", "-"): given.pop(key) for key in [*given] if key == "Prefer"}
        token = entra.issue(app.client_id, RESOURCE) if token is None else token
        connection = http.client.HTTPSConnection("127.0.0.1", exchange.port, context=context, timeout=10)
        body = json.dumps({"CmdletInput": {"CmdletName": cmdlet, "Parameters": given}})
        headers |= {"Authorization": f"Bearer {token}", "Content-Type": "application/json", "X-CmdletName": cmdlet}
        try:
            address = path if path.startswith("/") else f"/adminapi/{path.format(tenant=entra.tenant)}"
            connection.request("POST", address, body, headers)
            with connection.getresponse() as response:
                content = response.read()
                found = json.loads(content) if content.startswith(b"{") else {"content": content}
                return response.status, found, dict(response.headers)
        finally:
            connection.close()

    return ask


def objects(answer: Answer) -> list[dict[str, Any]]:
    status, found, _ = answer
    assert status == 200, found
    return found["value"]


def told(answer: Answer, status: int = 400) -> str:
    """Why it was refused, as all three places of the error say it."""
    assert answer[0] == status
    error = answer[1]["error"]
    inner = error["innererror"]["internalexception"]
    assert error["message"] == "Invalid Operation"
    assert error["details"][0]["message"] == f"|{inner['type']}|{inner['message']}"
    return inner["message"]


def test_a_connector_comes_is_shown_changes_and_goes(ask: Ask) -> None:
    made = objects(ask("New-InboundConnector", Name="Relay", SenderDomains="*", SenderIPAddresses=["110.0.0.7"]))
    assert (made[0]["Name"], made[0]["SenderDomains"], made[0]["RequireTls"]) == ("Relay", ["smtp:*;1"], True)
    assert objects(ask("Set-InboundConnector", Identity="relay", Enabled=False)) == []
    assert [each["Enabled"] for each in objects(ask("Get-InboundConnector"))] == [False]
    assert objects(ask("Remove-InboundConnector", Identity="Relay")) == []
    assert objects(ask("Get-InboundConnector")) == []


def test_the_answer_is_odata(ask: Ask, exchange: Exchange) -> None:
    _, found, _ = ask("Get-AcceptedDomain")
    assert found["@odata.context"].endswith("$metadata#Collection(Exchange.GenericHashTable)")
    assert found["@adminapi.warnings"] == []
    assert [(each["DomainName"], each["DomainType"]) for each in found["value"]] == [*exchange.domains.items()]
    assert objects(ask("Get-OrganizationConfig"))[0]["RejectDirectSend"] is False
    assert objects(ask("Get-OutboundConnector")) == []


@pytest.mark.parametrize(
    ("given", "text"),
    [
        ({"ConnectorType": "OnPremises"}, "must specify either SenderIPAddresses or TlsSenderCertificateName"),
        ({"TlsSenderCertificateName": "*.contoso.com", "RequireTls": False}, "only be specified when RequireTls"),
        ({"RestrictDomainsToIPAddresses": True}, "without SenderIPAddresses"),
        ({"RestrictDomainsToCertificate": True}, "without TlsSenderCertificateName"),
        ({"CloudServicesMailEnabled": True}, "only be set on connectors of type OnPremises"),
        ({"SenderIPAddresses": ["110.0.0.0/23"]}, "must be between 24 and 32"),
        ({"SenderIPAddresses": ["2001:db8::1"]}, "IPv6 addresses aren't allowed"),
        ({"SenderIPAddresses": ["110.0.0.1-110.0.0.9"]}, "Use a single IP or CIDR"),
        ({"SenderIPAddresses": ["192.168.0.7"]}, "reserved IP addresses"),
        ({"SenderDomains": []}, "missing mandatory parameters: SenderDomains"),
        ({"Name": "x" * 65}, "The maximum length is 64"),
        ({"SourceAddress": "110.0.0.7"}, "Invalid cmdlet parameters specified. SourceAddress"),
    ],
)
def test_a_tenant_takes_less_than_posthouse(ask: Ask, given: dict[str, Any], text: str) -> None:
    parameters = {"Name": "Relay", "SenderDomains": ["*"], **given}
    assert text in told(ask("New-InboundConnector", **parameters))
    assert objects(ask("Get-InboundConnector")) == []


def test_a_name_is_one_connectors(ask: Ask, exchange: Exchange) -> None:
    exchange.connectors.add("Relay", SenderIPAddresses=["110.0.0.7"])
    assert '"RELAY" already exists' in told(ask("New-InboundConnector", Name="RELAY", SenderDomains="*"))


def test_what_is_not_there_is_not_found(ask: Ask) -> None:
    assert "object 'Relay' couldn't be found" in told(ask("Set-InboundConnector", Identity="Relay"), 404)
    assert "is not recognized" in told(ask("New-AcceptedDomain", Name="contoso.com"), 404)


def test_addresses_that_another_connector_has_are_warned_of(ask: Ask, exchange: Exchange) -> None:
    exchange.connectors.add("Old", SenderIPAddresses=["110.0.0.0/24"])
    _, found, _ = ask("New-InboundConnector", Name="Relay", SenderDomains="*", SenderIPAddresses=["110.0.0.7"])
    assert found["@adminapi.warnings"] == [
        "The sender IP addresses 110.0.0.7 overlap with those of the following inbound connectors: Old."
    ]


def test_pages(ask: Ask, exchange: Exchange) -> None:
    exchange.domains |= {f"{number}.test": "Authoritative" for number in range(4)}
    _, first, _ = ask("Get-AcceptedDomain", Prefer="odata.maxpagesize=3")
    _, second, _ = ask(
        "Get-AcceptedDomain", first["@odata.nextLink"].removeprefix(exchange.url), Prefer="odata.maxpagesize=3"
    )
    assert [each["Name"] for each in first["value"] + second["value"]] == [*exchange.domains]
    assert "@odata.nextLink" not in second


def test_without_a_good_token_nobody_is_let_in(ask: Ask, entra: Entra, app: Registration) -> None:
    for token in ("", "forged", entra.issue(app.client_id, "https://graph.microsoft.com")):
        status, _, headers = ask("Get-AcceptedDomain", token=token)
        assert (status, headers["WWW-Authenticate"].split()[0]) == (401, "Bearer")


def test_without_the_permission_the_answer_is_zeros(ask: Ask, exchange: Exchange, app: Registration) -> None:
    exchange.principals.clear()
    status, found, _ = ask("Get-AcceptedDomain")
    assert (status, set(found["content"])) == (403, {0})


def test_without_a_directory_role_microsoft_says_so(ask: Ask, exchange: Exchange, app: Registration) -> None:
    exchange.allow(app.client_id, has_role=False)
    text = told(ask("Get-AcceptedDomain"), 403)
    assert f"The role assigned to application {app.client_id} isn't supported in this scenario" in text


def test_the_preview_reads_accepted_domains_where_it_is_allowed(
    ask: Ask, exchange: Exchange, app: Registration
) -> None:
    preview = "v2.0/{tenant}/AcceptedDomain"
    assert ask("Get-AcceptedDomain", preview)[0] == 403
    exchange.allow(app.client_id, MANAGE, MANAGE_V2)
    assert objects(ask("Get-AcceptedDomain", preview))[0]["DomainName"] == "contoso.onmicrosoft.com"
    assert "isn't supported" in told(ask("New-InboundConnector", preview, Name="Relay"))


def test_another_tenant_is_not_here(ask: Ask) -> None:
    assert ask("Get-AcceptedDomain", "beta/fabrikam.onmicrosoft.com/InvokeCommand")[0] == 404


def test_troubles_come_first(ask: Ask, exchange: Exchange) -> None:
    exchange.faults += [Fault(429, "7"), Fault(503, done=True), Fault()]
    assert (ask("Get-AcceptedDomain")[2]["Retry-After"], exchange.calls) == ("7", [])
    assert (ask("Get-AcceptedDomain")[0], exchange.cmdlets) == (503, ["Get-AcceptedDomain"])
    with pytest.raises(http.client.RemoteDisconnected):
        ask("Get-AcceptedDomain")
