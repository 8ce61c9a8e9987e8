"""The thinnest whole: a device hands in mail, it goes over a smart host, and arrives in a Maildir."""

from __future__ import annotations

from support.chain import TENANT, chain, start_tenant
from support.house import MakeHouse


def test_a_mail_goes_over_a_smart_host_into_a_maildir(house: MakeHouse) -> None:
    site, tenant = chain(house)

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
    assert reply.startswith(b"5.7.64 TenantAttribution; Relay Access Denied")
    assert b"[ValidationStatus of '' is EmptyCertificate]" in reply


def test_serve_ends_on_sigterm_with_status_0(house: MakeHouse) -> None:
    assert start_tenant(house).stop() == 0
