"""Whatever a tenant has: it takes what is planned, is left as it should be, and keeps what others made."""

from __future__ import annotations

from ipaddress import IPv4Network
from typing import Any, cast

from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.admin.tenant.facts import TenantState, read_tenant
from posthouse.admin.tenant.plan import Terms, make_plan
from posthouse.admin.tenant.ways import Way
from posthouse.net.exchange_online import Answer, ExchangeOnline
from posthouse.organization import AcceptedDomain, Organization, OutboundConnector
from standins.exchange_connectors import CmdletFailed, Connectors

NAMES = ("Office 365", "Second")
HERE = Organization((AcceptedDomain("contoso.com"),), outbound=tuple(map(OutboundConnector, NAMES)))
TERMS = Terms("relay.contoso.com")
ADDRESSES = ("110.0.0.7", "110.0.0.8", "110.0.0.0/24", "110.0.1.0/24")
CERTIFICATES = ("relay.contoso.com", "*.contoso.com", "mail.fabrikam.com", "a.b.contoso.com")

addresses = st.lists(st.sampled_from(ADDRESSES), min_size=1, max_size=3, unique=True)
by_address = st.builds(
    lambda name, found, tls: Way(name, by_certificate=False, uses_tls=tls, addresses=tuple(map(IPv4Network, found))),
    st.sampled_from(NAMES),
    addresses,
    st.booleans(),
)
by_name = st.builds(
    lambda name, found: Way(name, by_certificate=True, uses_tls=True, names=tuple(found)),
    st.sampled_from(NAMES),
    st.lists(st.sampled_from(CERTIFICATES), min_size=1, max_size=2, unique=True),
)
ways_of_a_relay = st.lists(by_address | by_name, max_size=2, unique_by=lambda way: way.connector)
others = st.fixed_dictionaries(
    {
        "ConnectorType": st.sampled_from(["OnPremises", "Partner"]),
        "Enabled": st.booleans(),
        "SenderDomains": st.sampled_from([["*"], ["contoso.com"], ["*.fabrikam.com"]]),
    },
    optional={
        "SenderIPAddresses": addresses,
        "TlsSenderCertificateName": st.sampled_from(CERTIFICATES),
        "RestrictDomainsToIPAddresses": st.booleans(),
        "AssociatedAcceptedDomains": st.just(["contoso.com"]),
    },
)


class Wire:
    """The cmdlets of a tenant, without the HTTPS between."""

    def __init__(self, connectors: Connectors) -> None:
        self.connectors = connectors

    def accepted_domains(self) -> Answer:
        return Answer(({"DomainName": "contoso.com"},))

    def invoke(self, cmdlet: str) -> Answer:
        if cmdlet == "Get-OrganizationConfig":
            return Answer(({"RejectDirectSend": False},))
        return Answer(tuple(self.connectors.run(cmdlet, {})))


def state_of(connectors: Connectors) -> TenantState:
    return read_tenant(cast("ExchangeOnline", Wire(connectors)))


def made_elsewhere(found: list[dict[str, Any]]) -> Connectors:
    """As far as the tenant takes them."""
    connectors = Connectors()
    for number, properties in enumerate(found):
        try:
            connectors.add(f"Other {number}", **properties)
        except CmdletFailed:
            continue
    return connectors


@settings(max_examples=100, deadline=None)
@given(ways=ways_of_a_relay, later=ways_of_a_relay, found=st.lists(others, max_size=3))
def test_once_a_plan_is_carried_out_nothing_is_left_to_do(
    ways: list[Way], later: list[Way], found: list[dict[str, Any]]
) -> None:
    connectors = made_elsewhere(found)
    before = {name: dict(connector) for name, connector in connectors.inbound.items()}
    for needed in (ways, later):
        for step in make_plan(HERE, needed, state_of(connectors), TERMS).steps:
            given = {key: list(value) if isinstance(value, tuple) else value for key, value in step.parameters.items()}
            connectors.run(step.cmdlet, given)
        assert make_plan(HERE, needed, state_of(connectors), TERMS).steps == ()
    assert {name: connectors.inbound[name] for name in before} == before
