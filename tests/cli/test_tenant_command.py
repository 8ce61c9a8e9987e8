"""`posthouse tenant …`, as an administrator types it, with the stand-ins of a tenant."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import trustme

from net.tls_peers import pem_of
from standins.entra import Entra
from standins.exchange import Exchange
from standins.mx import Mx

WAY = ("--connector", "Office 365", "--address", "127.0.0.7")
NAME = "Posthouse relay.contoso.test: Office 365"
PEOPLE = ("--from", "scanner@contoso.test", "--internal", "anne@contoso.test", "--external", "bob@fabrikam.test")

ORGANIZATION = """
trusted_roots = ['''{root}''']

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
smart_hosts = ["127.0.0.1"]
port = {mx.port}
source_address = "127.0.0.7"
tls_settings = "CertificateValidation"
"""


@pytest.fixture
def exchange(folder: Path) -> Iterator[Exchange]:
    """A tenant that lets the relay's application in; and the relay's store, which isn't connected yet."""
    authority = trustme.CA()
    with (
        Entra(authority) as entra,
        Exchange(authority, entra) as running,
        Mx(authority, running, host="127.0.0.1") as mx,
    ):
        running.domains["contoso.test"] = "Authoritative"
        running.connectors.takes_reserved = True
        app = entra.register(secret="s3cret~value")
        running.allow(app.client_id)
        (folder / "posthouse.toml").write_text('hostname = "relay.contoso.test"\n', "utf-8")
        text = ORGANIZATION.format(root=pem_of(authority), entra=entra, app=app, mx=mx)
        (folder / "organization.toml").write_text(text, "utf-8")
        yield running


@pytest.fixture
def tenant(posthouse: Any, exchange: Exchange) -> Callable[..., Any]:
    """Runs a command of `posthouse tenant`; connected."""
    assert posthouse("apply", "organization.toml").status == 0
    assert posthouse("tenant", "connect", "Tenant app", "--endpoint", exchange.url).status == 0
    return lambda *words: posthouse("tenant", *words)


def test_from_nothing_to_mail_that_is_taken(tenant: Any, exchange: Exchange) -> None:
    refused = tenant("verify", *PEOPLE, "--connector", "Office 365")
    assert refused.status == 1
    accepted, denied = refused.out.split("refused")
    assert accepted.startswith("accepted Office 365, anne@contoso.test\n")
    assert "550 5.7.64 TenantAttribution; Relay Access Denied" in denied
    assert "\n  -> " in denied

    planned = tenant("plan", *WAY)
    assert planned.status == 0
    assert planned.out.startswith('create  outbound connector "Office 365"\n')
    assert "          SenderIPAddresses: 127.0.0.7\n" in planned.out

    applied = tenant("apply", *WAY, "--yes")
    assert (applied.status, applied.out) == (0, planned.out)
    assert applied.err == 'done: New-InboundConnector for outbound connector "Office 365"\n'
    assert [*exchange.connectors.inbound] == [NAME]

    again = tenant("apply", *WAY)
    assert (again.status, again.err) == (0, "nothing is to be done in the tenant\n")
    assert tenant("verify", *PEOPLE, "--connector", "Office 365").status == 0


def test_without_a_terminal_nothing_is_done_unasked(tenant: Any, exchange: Exchange) -> None:
    applied = tenant("apply", *WAY)
    assert applied.status == 1
    assert "there is no terminal to ask at; add --yes" in applied.err
    assert exchange.connectors.inbound == {}


def test_a_refusal_is_told_with_what_was_done(tenant: Any, exchange: Exchange) -> None:
    exchange.connectors.takes_reserved = False
    applied = tenant("apply", *WAY, "--yes")
    assert applied.status == 1
    refusal, done = applied.err.splitlines()
    assert "New-InboundConnector: The IP address range '127.0.0.7' contains reserved IP addresses; " in refusal
    assert done == "posthouse: nothing was changed in the tenant"


def test_for_programs(tenant: Any, exchange: Exchange) -> None:
    planned = tenant("plan", *WAY, "--json").json
    assert planned["informed"] is True
    first = planned["items"][0]
    assert (first["act"], first["cmdlet"], first["parameters"]["Name"]) == ("create", "New-InboundConnector", NAME)
    applied = tenant("apply", *WAY, "--yes", "--json").json
    assert applied["items"] == planned["items"]
    assert [(each["act"], each["warnings"]) for each in applied["done"]] == [("create", [])]
    shown = tenant("show", "--json").json
    assert shown["AcceptedDomains"] == ["contoso.onmicrosoft.com", "contoso.test"]
    assert [(each["Name"], each["ConnectorType"]) for each in shown["InboundConnectors"]] == [(NAME, "OnPremises")]
    verdicts = tenant("verify", *PEOPLE, "--connector", "Office 365", "--json").json
    assert [(each["recipient"], each["accepted"]) for each in verdicts] == [(PEOPLE[3], True), (PEOPLE[5], True)]


def test_showing(tenant: Any, exchange: Exchange) -> None:
    assert ["RejectDirectSend", "no"] in [line.split() for line in tenant("show").out.splitlines()]
    exchange.connectors.add("Gateway", SenderIPAddresses=["110.0.0.0/24"])
    assert any(line.split()[:3] == ["Gateway", "yes", "Partner"] for line in tenant("show").out.splitlines())


def test_what_a_tenant_calls_things_stays_in_its_line(tenant: Any, exchange: Exchange) -> None:
    exchange.connectors.add("Bad\x1b[2J\nname", ConnectorType="OnPremises", SenderIPAddresses=["127.0.0.0/24"])
    for words in (("plan", *WAY), ("show",), ("plan", *WAY, "--powershell")):
        assert "\x1b" not in (out := tenant(*words).out)
        assert all(
            line.startswith(("fine", "advise", " ", "#", "Key", "Name")) or "Bad" not in line
            for line in out.splitlines()
        )


def test_the_same_plan_as_a_script(tenant: Any) -> None:
    script = tenant("plan", *WAY, "--powershell").out
    assert "# fine: accepted domain contoso.test: both accept it\n" in script
    assert "    Name              = 'Posthouse relay.contoso.test: Office 365'\n" in script
    assert "    SenderIPAddresses = '127.0.0.7'\n" in script
    assert script.rstrip().splitlines()[-1].startswith("# ")


def test_the_script_runs(tenant: Any, posthouse: Any, folder: Path) -> None:
    """Here, where the cmdlets are the same."""
    (folder / "setup.ps1").write_text(tenant("plan", *WAY, "--powershell").out, "utf-8")
    assert posthouse("run", "setup.ps1").status == 0
    (made,) = posthouse("connector", "show", NAME, "--json").json
    assert (made["ConnectorType"], made["SenderIPAddresses"]) == ("OnPremises", ["127.0.0.7"])


def test_without_access_there_is_the_script_only(posthouse: Any, exchange: Exchange) -> None:
    posthouse("apply", "organization.toml")
    planned = posthouse("tenant", "plan", *WAY)
    assert (planned.status, planned.out) == (1, "")
    assert "no tenant is connected; run posthouse tenant connect CREDENTIAL" in planned.err
    script = posthouse("tenant", "plan", *WAY, "--powershell").out
    assert "# The tenant was not looked at" in script
    assert "New-InboundConnector @splat" in script
    assert exchange.calls == []


def test_disconnecting(tenant: Any, posthouse: Any) -> None:
    assert tenant("disconnect").status == 0
    assert tenant("show").status == 1
    assert "[tenant]" not in posthouse("export").out
