"""The thinnest whole: a device hands in mail, it goes over a smart host, and arrives in a Maildir."""

from __future__ import annotations

from collections.abc import Callable

from support.house import House

MakeHouse = Callable[..., House]

TENANT = """
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Relay"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.0/8"]

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["user@contoso.com", "scanner@contoso.com"]
"""

SITE = """
[[accepted_domain]]
name = "contoso.com"
type = "InternalRelay"

[[inbound_connector]]
name = "Scanners"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.0/8"]

[[outbound_connector]]
name = "Office 365"
recipient_domains = ["*"]
smart_hosts = ["{tenant.address}"]
port = 2525
"""


def test_a_mail_goes_over_a_smart_host_into_a_maildir(house: MakeHouse) -> None:
    tenant = house(TENANT, name="tenant", hostname="tenant.test")
    tenant.apply()
    tenant.start()
    site = house(SITE.format(tenant=tenant), name="site", hostname="site.test")
    site.apply()
    site.start()

    message_id = site.send("scanner@contoso.com", "user@contoso.com", subject="A scan")

    (mail,) = tenant.await_mail("user@contoso.com")
    assert mail.startswith(b"Return-Path: <scanner@contoso.com>\r\nReceived: from site.test")
    assert message_id.encode() in mail
    assert b"Subject: A scan\r\n" in mail


def test_a_stranger_cannot_relay(house: MakeHouse) -> None:
    tenant = house(TENANT.replace("127.0.0.0/8", "192.0.2.1"))
    tenant.apply()
    tenant.start()
    with tenant.smtp() as client:
        client.ehlo()
        client.mail("a@fabrikam.example")
        code, reply = client.rcpt("b@example.net")
    assert code == 550
    assert reply.startswith(
        b"5.7.64 TenantAttribution; Relay Access Denied [ValidationStatus of '' is EmptyCertificate]"
    )


def test_serve_ends_on_sigterm_with_status_0(house: MakeHouse) -> None:
    tenant = house(TENANT)
    tenant.apply()
    tenant.start()
    assert tenant.stop() == 0
