"""What is planned for a tenant, from what this relay needs and what the tenant has."""

from __future__ import annotations

from dataclasses import replace
from ipaddress import IPv4Network
from typing import Any

import pytest

from posthouse.admin.tenant import Act, Item, Plan, TenantConnector, TenantState
from posthouse.admin.tenant.plan import NEW, SET, Terms, make_plan
from posthouse.admin.tenant.ways import Way
from posthouse.organization import AcceptedDomain, Organization, OutboundConnector

HERE = Organization((AcceptedDomain("contoso.com"),), outbound=(OutboundConnector("Office 365"),))
RELAY = "relay.contoso.com"
MARK = f'Made by posthouse on {RELAY} for "Office 365".'
NAME = f"Posthouse {RELAY}: Office 365"


def networks(*texts: str) -> tuple[IPv4Network, ...]:
    return tuple(map(IPv4Network, texts))


BY_ADDRESS = Way("Office 365", by_certificate=False, uses_tls=True, addresses=networks("110.0.0.7"))
BY_NAME = Way("Office 365", by_certificate=True, uses_tls=True, names=("relay.contoso.com",))
THERE = TenantState(frozenset({"contoso.com", "contoso.onmicrosoft.com"}))
MINE = TenantConnector(NAME, MARK, sender_ip_addresses=networks("110.0.0.7"))


def plan(*ways: Way, here: Organization = HERE, domains: frozenset[str] = THERE.accepted_domains, **terms: Any) -> Plan:
    connectors = terms.pop("there", ())
    state = TenantState(domains, tuple(connectors), reject_direct_send=terms.pop("reject", False))
    return make_plan(here, ways, state, Terms(RELAY, **terms))


def of(found: Plan, about: str = 'outbound connector "Office 365"') -> list[tuple[Act, str]]:
    return [(item.act, item.why) for item in found.items if item.about == about]


def step(found: Plan) -> Item:
    (only,) = found.steps
    return only


def test_a_connector_by_address_is_made() -> None:
    item = step(plan(BY_ADDRESS))
    assert (item.act, item.cmdlet, item.why) == (Act.CREATE, NEW, "no connector of the tenant matches 110.0.0.7")
    assert item.parameters == {
        "Name": NAME,
        "ConnectorType": "OnPremises",
        "Comment": MARK,
        "Enabled": True,
        "SenderDomains": ("*",),
        "SenderIPAddresses": ("110.0.0.7",),
        "RequireTls": True,
    }


def test_a_connector_by_certificate_is_made() -> None:
    item = step(plan(BY_NAME))
    assert item.parameters["TlsSenderCertificateName"] == "relay.contoso.com"
    assert item.parameters["RequireTls"] is True
    assert "SenderIPAddresses" not in item.parameters


@pytest.mark.parametrize(
    ("names", "name"),
    [
        (("relay.fabrikam.com", "*.contoso.com"), "*.contoso.com"),
        (("*.contoso.com", "relay.contoso.com"), "relay.contoso.com"),
        (("a.b.contoso.com",), "a.b.contoso.com"),
        (("*.fabrikam.com", "mail.fabrikam.com"), "mail.fabrikam.com"),
    ],
)
def test_the_certificates_name_is_one_in_an_accepted_domain(names: tuple[str, ...], name: str) -> None:
    assert step(plan(replace(BY_NAME, names=names))).parameters["TlsSenderCertificateName"] == name


def test_a_name_in_no_accepted_domain_is_told() -> None:
    found = of(plan(replace(BY_NAME, names=("relay.fabrikam.com",))))
    assert found[1][0] is Act.ADVISE
    assert found[1][1].startswith("relay.fabrikam.com is in no accepted domain of the tenant")


def test_what_stands_in_the_way_is_told() -> None:
    found = plan(Way("Office 365", by_certificate=False, uses_tls=False, problems=("it has no source_address",)))
    assert (of(found), found.steps) == ([(Act.ADVISE, "it has no source_address")], ())


@pytest.mark.parametrize(
    ("way", "connector"),
    [
        (BY_ADDRESS, TenantConnector("Old", sender_ip_addresses=networks("110.0.0.0/24"))),
        (BY_ADDRESS, TenantConnector("Old", sender_ip_addresses=networks("110.0.0.7"), sender_domains=("a.test",))),
        (BY_NAME, TenantConnector("Old", tls_sender_certificate_name="relay.contoso.com")),
        (BY_NAME, TenantConnector("Old", tls_sender_certificate_name="*.contoso.com")),
    ],
)
def test_what_matches_already_is_fine(way: Way, connector: TenantConnector) -> None:
    found = plan(way, there=[connector])
    assert [act for act, _ in of(found)] == [Act.FINE]
    assert 'the tenant\'s connector "Old" matches' in of(found)[0][1]


@pytest.mark.parametrize(
    ("way", "connector"),
    [
        (BY_ADDRESS, TenantConnector("Old", sender_ip_addresses=networks("110.0.0.8"))),
        (BY_ADDRESS, TenantConnector("Old", is_on_premises=False, sender_ip_addresses=networks("110.0.0.7"))),
        (BY_NAME, TenantConnector("Old", tls_sender_certificate_name="*.fabrikam.com")),
        (BY_NAME, TenantConnector("Old", "", True, True, ("*",), networks("110.0.0.9"), "*.contoso.com")),
        (BY_ADDRESS, TenantConnector("Old", "", True, True, ("*",), networks("110.0.0.7"), "*.contoso.com")),
    ],
)
def test_what_doesnt_match_is_left_alone(way: Way, connector: TenantConnector) -> None:
    assert step(plan(way, there=[connector])).cmdlet == NEW


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"enabled": False}, 'the tenant\'s connector "Old" matches 110.0.0.7, but is disabled; --take changes it'),
        ({"associated_accepted_domains": ("a.test",)}, "but is for some accepted domains only; --take changes it"),
    ],
)
def test_what_would_match_but_for_something_is_told_and_left_alone(change: dict[str, Any], what: str) -> None:
    found = plan(BY_ADDRESS, there=[replace(MINE, name="Old", comment="", **change)])
    assert what in of(found)[0][1]
    assert step(found).cmdlet == NEW


def test_one_that_is_too_narrow_is_told_and_left_alone() -> None:
    way = replace(BY_ADDRESS, addresses=networks("110.0.0.7", "110.0.1.0/24"))
    found = plan(way, there=[replace(MINE, name="Old", comment="")])
    assert of(found)[0] == (
        Act.ADVISE,
        'the tenant\'s connector "Old" is too narrow: 110.0.1.0/24 is not in it; --take widens it',
    )
    assert step(found).parameters["SenderIPAddresses"] == ("110.0.0.7", "110.0.1.0/24")


def test_what_was_made_from_here_follows() -> None:
    way = replace(BY_ADDRESS, addresses=networks("110.0.0.9"))
    item = step(plan(way, there=[replace(MINE, enabled=False)]))
    assert (item.act, item.cmdlet) == (Act.CHANGE, SET)
    assert item.parameters == {"Identity": NAME, "Enabled": True, "SenderIPAddresses": ("110.0.0.9",)}
    assert item.why == (
        f'"{NAME}": Enabled is False instead of True, SenderIPAddresses is 110.0.0.7 instead of 110.0.0.9'
    )


def test_what_was_made_from_here_is_known_by_its_comment_not_its_name() -> None:
    assert of(plan(BY_ADDRESS, there=[replace(MINE, name="Renamed")])) == [
        (Act.FINE, 'the tenant\'s connector "Renamed" is as it should be')
    ]
    found = plan(BY_ADDRESS, there=[replace(MINE, comment="", sender_ip_addresses=networks("110.0.0.8"))])
    assert found.steps == ()
    assert of(found)[0][1] == f'"{NAME}" is there, but not marked as made from here; rename it, or name it with --take'


def test_another_relays_connector_is_not_ours() -> None:
    other = replace(MINE, comment=MARK.replace(RELAY, "other.contoso.com"), sender_ip_addresses=networks("110.0.0.8"))
    assert step(plan(BY_ADDRESS, there=[replace(other, name="Other")])).cmdlet == NEW


def test_from_a_certificate_to_an_address() -> None:
    by_name = replace(MINE, sender_ip_addresses=(), tls_sender_certificate_name="relay.contoso.com")
    assert step(plan(BY_ADDRESS, there=[by_name])).parameters == {
        "Identity": NAME,
        "SenderIPAddresses": ("110.0.0.7",),
        "TlsSenderCertificateName": None,
    }


def test_one_that_is_named_is_taken_over() -> None:
    old = TenantConnector("Old", "By hand", is_on_premises=False, sender_ip_addresses=networks("110.0.0.1"))
    item = step(plan(BY_ADDRESS, there=[old], take="OLD"))
    assert item.parameters == {
        "Identity": "Old",
        "ConnectorType": "OnPremises",
        "Comment": f"By hand {MARK}",
        "SenderIPAddresses": ("110.0.0.7",),
    }


def test_two_ways_with_one_proof_need_one_connector() -> None:
    found = plan(BY_NAME, replace(BY_NAME, connector="Second"))
    assert len(found.steps) == 1
    assert of(found, 'outbound connector "Second"')[0][0] is Act.FINE


def test_names_are_not_longer_than_a_tenant_takes() -> None:
    assert len(str(step(plan(replace(BY_ADDRESS, connector="x" * 64))).parameters["Name"])) == 64


@pytest.mark.parametrize(
    ("rules", "why"),
    [
        (
            {"restrict_domains_to_ip_addresses": True, "sender_ip_addresses": networks("110.0.0.1")},
            "reserves contoso.com by RestrictDomainsToIPAddresses: from here that is refused by 550 5.7.51",
        ),
        (
            {"restrict_domains_to_certificate": True, "tls_sender_certificate_name": "*.fabrikam.com"},
            "reserves contoso.com by RestrictDomainsToCertificate",
        ),
        ({}, "requires TLS for contoso.com; set tls_settings"),
    ],
)
def test_partner_connectors_in_the_way_are_told(rules: dict[str, Any], why: str) -> None:
    partner = TenantConnector("Gateway", is_on_premises=False, sender_domains=("*.contoso.com",), **rules)
    way = replace(BY_ADDRESS, uses_tls=False)
    assert why in of(plan(way, there=[partner]))[-1][1]
    for harmless in (replace(partner, enabled=False), replace(partner, sender_domains=("fabrikam.com",))):
        assert [act for act, _ in of(plan(way, there=[harmless]))] == [Act.CREATE]


def test_domains_that_only_one_side_accepts_are_told() -> None:
    found = plan(BY_NAME, domains=frozenset({"fabrikam.com", "contoso.onmicrosoft.com"}))
    assert "add and verify it in the Microsoft 365 admin center" in of(found, "accepted domain contoso.com")[0][1]
    assert of(found, "accepted domain fabrikam.com")[0][1].endswith("posthouse domain new fabrikam.com")
    assert of(found, "accepted domain contoso.onmicrosoft.com") == []
    assert of(plan(BY_NAME), "accepted domain contoso.com") == [(Act.FINE, "both accept it")]


def test_direct_send_that_is_refused_matters_where_no_connector_can_be_made() -> None:
    assert of(plan(BY_NAME, reject=True), "RejectDirectSend")[0][0] is Act.FINE
    blocked = Way("Office 365", by_certificate=False, uses_tls=False, problems=("nothing",))
    assert of(plan(blocked, reject=True), "RejectDirectSend")[0][0] is Act.ADVISE


def test_what_was_made_for_a_connector_that_is_no_more_is_told_not_deleted() -> None:
    left = replace(MINE, name="Left", comment=MARK.replace("Office 365", "Gone"))
    about = 'the tenant\'s connector "Left"'
    found = plan(BY_ADDRESS, there=[left, MINE])
    assert (of(found, about)[0][0], found.steps) == (Act.ADVISE, ())
    here = replace(HERE, outbound=(OutboundConnector("Gone", enabled=False),))
    assert of(plan(BY_ADDRESS, there=[left, MINE], here=here), about) == []


def test_a_name_that_the_certificate_has_too_stays() -> None:
    wildcard = replace(MINE, sender_ip_addresses=(), tls_sender_certificate_name="*.contoso.com")
    assert plan(BY_NAME, there=[wildcard]).steps == ()
    renewed = plan(replace(BY_NAME, names=("relay.fabrikam.com",)), there=[wildcard])
    assert step(renewed).parameters == {"Identity": NAME, "TlsSenderCertificateName": "relay.fabrikam.com"}


def test_without_any_way_that_is_told() -> None:
    assert of(plan(), "outbound connectors")[0][0] is Act.ADVISE


def test_of_a_tenant_that_nobody_looked_at_only_the_ways_are_told() -> None:
    found = make_plan(HERE, [BY_NAME], None, Terms(RELAY))
    assert (found.is_informed, [item.act for item in found.items]) == (False, [Act.CREATE])
