"""What speaks of an accepted domain."""

from __future__ import annotations

from posthouse.admin.domains import Mention, mentions
from posthouse.organization import from_document

ORGANIZATION = from_document(
    {
        "postmaster_address": "postmaster@contoso.com",
        "accepted_domain": [{"name": "contoso.com"}, {"name": "fabrikam.com"}, {"name": "b.contoso.com"}],
        "inbound_connector": [
            {
                "name": "Site",
                "connector_type": "OnPremises",
                "sender_domains": ["fabrikam.com", "*.contoso.com"],
                "tls_sender_certificate_name": "relay.contoso.com",
                "associated_accepted_domains": ["contoso.com"],
            }
        ],
        "outbound_connector": [
            {
                "name": "Here",
                "transport": "mailbox",
                "recipient_domains": ["b.contoso.com"],
                "mailboxes": ["a@b.contoso.com"],
            }
        ],
    }
)


def test_everything_that_speaks_of_a_domain_is_told() -> None:
    assert list(mentions(ORGANIZATION, "contoso.com")) == [
        Mention("inbound", "Site", "associated_accepted_domains", "contoso.com", blocks=True),
        Mention("inbound", "Site", "sender_domains", "*.contoso.com"),
        Mention("inbound", "Site", "tls_sender_certificate_name", "relay.contoso.com"),
        Mention("", "", "postmaster_address", "postmaster@contoso.com"),
    ]


def test_what_speaks_of_a_domain_below_speaks_of_that_one() -> None:
    assert list(mentions(ORGANIZATION, "b.contoso.com")) == [
        Mention("outbound", "Here", "recipient_domains", "b.contoso.com"),
        Mention("outbound", "Here", "mailboxes", "a@b.contoso.com"),
    ]


def test_a_connector_for_all_domains_speaks_of_none() -> None:
    everybody = from_document(
        {
            "accepted_domain": [{"name": "contoso.com"}],
            "outbound_connector": [{"name": "Out", "recipient_domains": ["*"], "use_mx_record": True}],
        }
    )
    assert list(mentions(everybody, "contoso.com")) == []
