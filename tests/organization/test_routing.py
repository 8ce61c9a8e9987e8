from __future__ import annotations

import pytest

from posthouse.organization import AcceptedDomain, Organization, OutboundConnector, route

ORGANIZATION = Organization(
    accepted_domains=(
        AcceptedDomain("contoso.com"),
        AcceptedDomain("eu.contoso.com"),
        AcceptedDomain("vip.contoso.com"),
    ),
    outbound=(
        OutboundConnector("Internet", recipient_domains=("*",)),
        OutboundConnector("Second internet", recipient_domains=("*", "second.example")),
        OutboundConnector("Own", all_accepted_domains=True),
        OutboundConnector("Vip", recipient_domains=("vip.contoso.com",)),
        OutboundConnector("Subtree", recipient_domains=("*.example.org", "*.contoso.com")),
        OutboundConnector("Deep subtree", recipient_domains=("*.eu.example.org",)),
        OutboundConnector("zeta", recipient_domains=("twice.example",)),
        OutboundConnector("Alpha", recipient_domains=("twice.example",)),
        OutboundConnector("A switched off one", recipient_domains=("twice.example", "off.example"), enabled=False),
    ),
)


@pytest.mark.parametrize(
    ("forward_path", "name"),
    [
        ("u@vip.contoso.com", "Vip"),
        ("u@contoso.com", "Own"),
        ("u@EU.Contoso.com.", "Own"),
        ("u@us.contoso.com", "Subtree"),
        ("u@example.org", "Subtree"),
        ("u@a.b.example.org", "Subtree"),
        ("u@a.eu.example.org", "Deep subtree"),
        ("u@notexample.org", "Internet"),
        ("u@second.example", "Second internet"),
        ("u@example.net", "Internet"),
        ("u@[192.0.2.1]", "Internet"),
        ("u@twice.example", "Alpha"),
        ("u@off.example", "Internet"),
    ],
)
def test_the_connector_that_names_the_domain_most_closely_takes_it(forward_path: str, name: str) -> None:
    connector = route(ORGANIZATION, forward_path).connector
    assert connector is not None
    assert connector.name == name


@pytest.mark.parametrize(
    ("forward_path", "reason"),
    [
        ("u@vip.contoso.com", "Vip: vip.contoso.com is in its RecipientDomains"),
        ("u@contoso.com", "Own: contoso.com is an accepted domain, and it is for AllAcceptedDomains"),
        ("u@example.net", "Internet: of all RecipientDomains its own name example.net most closely"),
    ],
)
def test_the_reason_says_what_was_closest(forward_path: str, reason: str) -> None:
    assert route(ORGANIZATION, forward_path).reason == reason


def test_without_a_connector_there_is_no_route_and_it_says_so() -> None:
    found = route(Organization(outbound=(OutboundConnector("Own", all_accepted_domains=True),)), "u@example.net")
    assert found.connector is None
    assert found.has_mailbox
    assert found.reason == (
        "no enabled outbound connector has example.net in its RecipientDomains, and none is for all domains"
    )
