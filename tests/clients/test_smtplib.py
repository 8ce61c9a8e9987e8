"""Python's smtplib, as applications use it."""

from __future__ import annotations

import smtplib
import ssl
from collections.abc import Callable
from email.headerregistry import Address
from email.message import EmailMessage
from typing import Any

import pytest

from support.house import message_id_in


@pytest.fixture
def trusting(relay: Any) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=relay.folder / "ca.pem")


def device(relay: Any, port: int = 2525, source: str = "127.0.0.1") -> smtplib.SMTP:
    return smtplib.SMTP(relay.address, port, "device.test", timeout=30, source_address=(source, 0))


def mail(sender: str, *recipients: str, text: str = "Hello\n") -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = sender, ", ".join(recipients), "Test"
    message.set_content(text)
    return message


def plain(relay: Any, context: ssl.SSLContext) -> smtplib.SMTP:
    return device(relay)


def starttls(relay: Any, context: ssl.SSLContext) -> smtplib.SMTP:
    client = device(relay)
    client.starttls(context=context)
    return client


def implicit(relay: Any, context: ssl.SSLContext) -> smtplib.SMTP:
    return smtplib.SMTP_SSL(relay.address, 2465, "device.test", timeout=30, context=context)


def login(relay: Any, context: ssl.SSLContext) -> smtplib.SMTP:
    client = device(relay, source="127.0.0.66")
    client.starttls(context=context)
    client.login("scanner-2", "tray 4")
    return client


def certificate(relay: Any, context: ssl.SSLContext) -> smtplib.SMTP:
    context.load_cert_chain(relay.folder / "app.pem", relay.folder / "app.key")
    client = device(relay, source="127.0.0.66")
    client.starttls(context=context)
    return client


@pytest.mark.parametrize(
    ("connected", "protocol", "connector"),
    [
        (plain, b"ESMTP", b"Devices"),
        (starttls, b"ESMTPS", b"Devices"),
        (implicit, b"ESMTPS", b"Devices"),
        (login, b"ESMTPSA", b"Logins"),
        (certificate, b"ESMTPS", b"Certificates"),
    ],
)
def test_it_hands_in_a_mail_for_a_colleague_and_a_customer(
    relay: Any,
    trusting: ssl.SSLContext,
    connected: Callable[[Any, ssl.SSLContext], smtplib.SMTP],
    protocol: bytes,
    connector: bytes,
) -> None:
    to = [f"smtplib-{connected.__name__}@{domain}" for domain in ("contoso.com", "example.net")]
    with connected(relay, trusting) as client:
        assert client.send_message(mail("app@contoso.com", *to, text=".\n..dots\n")) == {}

    for arrived in (relay.arrived(to[0]), relay.went_out(to[1]).content):
        assert b"\r\n\tby relay.test with %b id " % protocol in arrived
        assert b"\r\n\t(connector %b)" % connector in arrived
        assert arrived.endswith(b"\r\n\r\n.\r\n..dots\r\n")


def test_a_mail_to_an_address_beyond_ascii(relay: Any) -> None:
    message = mail("app@contoso.com", text="Grüße\n")
    del message["To"]
    message["To"] = Address("Jürgen", "jürgen", "contoso.com"), Address("", "zoë", "example.net")
    with device(relay) as client:
        client.send_message(message)

    assert "To: Jürgen <jürgen@contoso.com>, zoë@example.net\r\n".encode() in relay.arrived("jürgen@contoso.com")
    passed_on = relay.went_out("zoë@example.net")
    assert "SMTPUTF8" in passed_on.mail
    assert b"\tby relay.test with UTF8SMTP id " in passed_on.content


def test_each_recipient_orders_its_own_notifications(relay: Any) -> None:
    with device(relay) as client:
        client.ehlo()
        client.mail("orders-dsn@contoso.com", ["RET=HDRS", "ENVID=scan+3D7"])
        for recipient, options in {
            "smtplib-dsn@contoso.com": ["NOTIFY=SUCCESS", "ORCPT=rfc822;printed@contoso.com"],
            "smtplib-quiet@contoso.com": ["NOTIFY=NEVER"],
            "smtplib-dsn@example.net": ["NOTIFY=SUCCESS,DELAY", "ORCPT=rfc822;friend@example.net"],
        }.items():
            assert client.rcpt(recipient, options)[0] == 250
        assert client.data(b"Subject: Scan\r\n\r\nScan\r\n")[0] == 250

    notification = relay.arrived("orders-dsn@contoso.com")
    assert b"\r\nOriginal-Envelope-Id: scan=7\r\n" in notification
    assert b"\r\nOriginal-Recipient: rfc822;printed@contoso.com\r\n" in notification.replace(b"; ", b";")
    assert b"smtplib-quiet" not in notification
    (passed_on,) = relay.went_out("smtplib-dsn@example.net").recipients
    assert passed_on == "RCPT TO:<smtplib-dsn@example.net> NOTIFY=SUCCESS,DELAY ORCPT=rfc822;friend@example.net"


def test_a_mail_in_chunks(relay: Any) -> None:
    """BDAT (RFC 3030), which smtplib has no method for."""
    chunks = b"Subject: Chunks\r\n\r\n", b".\r\nno dots stuffed\r\n"
    with device(relay) as client:
        client.ehlo()
        assert client.has_extn("CHUNKING")
        client.mail("app@contoso.com")
        client.rcpt("smtplib-chunks@contoso.com")
        client.send(b"BDAT %d\r\n%b" % (len(chunks[0]), chunks[0]))
        assert client.getreply()[0] == 250
        client.send(b"BDAT %d LAST\r\n%b" % (len(chunks[1]), chunks[1]))
        assert client.getreply()[0] == 250
    assert relay.arrived("smtplib-chunks@contoso.com").endswith(b"\r\n\r\n.\r\nno dots stuffed\r\n")


def test_ten_mails_over_one_connection(relay: Any) -> None:
    with device(relay) as client:
        for number in range(10):
            client.send_message(mail("app@contoso.com", "smtplib-ten@contoso.com", text=f"{number}\n"))
    mails = relay.house.await_mail("smtplib-ten@contoso.com", 10)
    assert sorted(one.splitlines()[-1] for one in mails) == [b"%d" % number for number in range(10)]


def test_a_refused_recipient_leaves_the_others_standing(relay: Any) -> None:
    to = ["smtplib-stands@contoso.com", "smtplib-refused@example.net"]
    with device(relay, source="127.0.0.66") as client:
        refused = client.send_message(mail("someone@fabrikam.example", *to))
    assert {address: code for address, (code, _) in refused.items()} == {"smtplib-refused@example.net": 550}
    assert b"\tfor <smtplib-stands@contoso.com>;" in relay.arrived("smtplib-stands@contoso.com")


def test_auth_is_offered_under_tls_only(relay: Any, trusting: ssl.SSLContext) -> None:
    with device(relay) as client:
        client.ehlo()
        assert not client.has_extn("auth")
        client.starttls(context=trusting)
        client.ehlo()
        assert client.esmtp_features["auth"].split() == ["LOGIN", "PLAIN"]


def test_the_id_in_the_reply_leads_to_the_trace(relay: Any) -> None:
    with device(relay) as client:
        client.ehlo()
        client.mail("app@contoso.com")
        client.rcpt("smtplib-traced@contoso.com")
        code, reply = client.data(b"Subject: Trace me\r\n\r\n")
    assert code == 250
    relay.arrived("smtplib-traced@contoso.com")
    (traced,) = relay.house.json("trace", "--to", "smtplib-traced@contoso.com")
    assert (traced["id"], traced["connector"]) == (message_id_in(reply), "Devices")
