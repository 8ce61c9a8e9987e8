"""Whoever we don't know gets no mail past us, however he writes the address: each form with its reply.

The domain that we accept is contoso.com; everything else is the outside, and all of it leads to one next hop that must
see mail of our own clients only.
"""

from __future__ import annotations

import itertools
import ssl
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from support.house import House, MakeHouse, wait_for
from support.peers import Peer
from support.wire import Wire

STRANGER, CLIENT, PARTNER, TLS_CLIENT = "127.66.0.1", "127.77.0.1", "127.88.0.1", "127.99.0.1"

ORGANIZATION = f"""
postmaster_address = "admin@contoso.com"

[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Scanners"
connector_type = "OnPremises"
sender_ip_addresses = ["{CLIENT}"]

[[inbound_connector]]
name = "Printers with TLS"
connector_type = "OnPremises"
sender_ip_addresses = ["{TLS_CLIENT}"]
require_tls = true

[[inbound_connector]]
name = "Partner"
connector_type = "Partner"
sender_domains = ["fabrikam.test"]
sender_ip_addresses = ["{PARTNER}"]
restrict_domains_to_ip_addresses = true

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["user@contoso.com", "admin@contoso.com"]

[[outbound_connector]]
name = "Internet"
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = {{port}}
"""

DENIED = "550 5.7.64 TenantAttribution; Relay Access Denied"
ROUTING = "550 5.7.1 Routing characters in the local part are not accepted from this client"
SOURCE_ROUTE = "550 5.7.1 Source routing is refused"
BAD_RECIPIENT = "501 5.1.3 Bad recipient address"
BAD_SENDER = "501 5.1.7 Bad sender address"
SYNTAX = "501 5.5.4 "
UNKNOWN_PARAMETER = "555 5.5.4 "
NO_MAILBOX = "550 5.1.1 Mailbox unavailable"
NEEDS_SMTPUTF8 = "553 5.6.7 "
TAKEN = "250 2.1.5 Recipient OK"


@dataclass(frozen=True)
class Form:
    """What stands behind `RCPT TO:`, and what a stranger and a connector's client are told. It is for the victim."""

    text: str
    stranger: str
    client: str


RELAYING = {
    "plain": Form("<victim@example.net>", DENIED, TAKEN),
    "no brackets": Form("victim@example.net", DENIED, TAKEN),
    "a space behind the colon": Form(" <victim@example.net>", DENIED, TAKEN),
    "upper case": Form("<VICTIM@EXAMPLE.NET>", DENIED, TAKEN),
    "quoted local part": Form('<"victim"@example.net>', DENIED, TAKEN),
    "our name as a label": Form("<victim@contoso.com.example.net>", DENIED, TAKEN),
    "our name at the end of a label": Form("<victim@notcontoso.com>", DENIED, TAKEN),
    "a subdomain of ours": Form("<victim@sub.contoso.com>", DENIED, TAKEN),
    "address literal": Form("<victim@[127.0.0.1]>", DENIED, TAKEN),
    "IPv6 literal": Form("<victim@[IPv6:::1]>", DENIED, TAKEN),
    "localhost": Form("<victim@localhost>", DENIED, TAKEN),
    "our host name": Form("<victim@relay.test>", DENIED, TAKEN),
    "percent hack abroad": Form("<victim%example.net@example.net>", ROUTING, TAKEN),
    "UUCP domain": Form("<victim@example.net.uucp>", DENIED, TAKEN),
}
"""They end in another domain: a client may, a stranger may not."""

TRICKS = {
    "percent hack": Form("<victim%example.net@contoso.com>", ROUTING, NO_MAILBOX),
    "percent hack twice": Form("<victim%example.net%contoso.com@contoso.com>", ROUTING, NO_MAILBOX),
    "percent hack, quoted": Form('<"victim%example.net"@contoso.com>', ROUTING, NO_MAILBOX),
    "percent hack to a literal": Form("<victim%example.net@[127.0.0.1]>", ROUTING, TAKEN),
    "bang path": Form("<example.net!victim@contoso.com>", ROUTING, NO_MAILBOX),
    "bang path, quoted": Form('<"example.net!victim"@contoso.com>', ROUTING, NO_MAILBOX),
    "bang path over us": Form("<contoso.com!example.net!victim@contoso.com>", ROUTING, NO_MAILBOX),
    "quoted mailbox": Form('<"victim@example.net"@contoso.com>', ROUTING, NO_MAILBOX),
    "quoted mailbox, escaped": Form('<"victim\\@example.net"@contoso.com>', ROUTING, NO_MAILBOX),
    "quoted mailbox to a literal": Form('<"victim@example.net"@[127.0.0.1]>', ROUTING, TAKEN),
    "bang path alone": Form("<example.net!victim>", BAD_RECIPIENT, BAD_RECIPIENT),
    "percent hack alone": Form("<victim%example.net>", BAD_RECIPIENT, BAD_RECIPIENT),
    "two at signs": Form("<victim@example.net@contoso.com>", BAD_RECIPIENT, BAD_RECIPIENT),
    "source route": Form("<@contoso.com:victim@example.net>", SOURCE_ROUTE, SOURCE_ROUTE),
    "source route of two": Form("<@contoso.com,@relay.test:victim@example.net>", SOURCE_ROUTE, SOURCE_ROUTE),
    "source route to ourselves": Form("<@example.net:user@contoso.com>", SOURCE_ROUTE, SOURCE_ROUTE),
    "source route over a literal": Form("<@[127.0.0.1]:victim@example.net>", SOURCE_ROUTE, SOURCE_ROUTE),
    "colon route": Form("<contoso.com:victim@example.net>", BAD_RECIPIENT, BAD_RECIPIENT),
    "brackets within brackets": Form("<<victim@example.net>@contoso.com>", SYNTAX, SYNTAX),
    "two paths": Form("<user@contoso.com> <victim@example.net>", UNKNOWN_PARAMETER, UNKNOWN_PARAMETER),
    "a parameter nobody knows": Form("<user@contoso.com> victim@example.net", UNKNOWN_PARAMETER, UNKNOWN_PARAMETER),
    "trailing dot": Form("<victim@example.net.>", BAD_RECIPIENT, BAD_RECIPIENT),
    "our name with a trailing dot": Form("<victim@contoso.com.>", BAD_RECIPIENT, BAD_RECIPIENT),
    "two dots": Form("<victim@example..net>", BAD_RECIPIENT, BAD_RECIPIENT),
    "empty domain": Form("<victim@>", BAD_RECIPIENT, BAD_RECIPIENT),
    "empty local part": Form("<@example.net>", SOURCE_ROUTE, SOURCE_ROUTE),
    "no domain": Form("<victim>", BAD_RECIPIENT, BAD_RECIPIENT),
    "null path": Form("<>", BAD_RECIPIENT, BAD_RECIPIENT),
    "nothing": Form("", SYNTAX, SYNTAX),
    "only a space": Form("< >", BAD_RECIPIENT, BAD_RECIPIENT),
    "broken literal": Form("<victim@[127.0.0.1>", BAD_RECIPIENT, BAD_RECIPIENT),
    "not an address in a literal": Form("<victim@[example.net]>", BAD_RECIPIENT, BAD_RECIPIENT),
    "bare address as domain": Form("<victim@127.0.0.1>", DENIED, TAKEN),
    "Unicode domain": Form("<victim@exämple.net>", NEEDS_SMTPUTF8, NEEDS_SMTPUTF8),
    "full-width at sign": Form("<victim\uff20example.net@contoso.com>", NEEDS_SMTPUTF8, NEEDS_SMTPUTF8),
    "an Authoritative domain's unknown mailbox": Form("<victim@contoso.com>", NO_MAILBOX, NO_MAILBOX),
    "a line break": Form("<user@contoso.com\n>", "500 5.5.2 ", "500 5.5.2 "),
}

FORMS = RELAYING | TRICKS

_numbers = itertools.count(1)


@pytest.fixture(scope="module")
def internet() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse, internet: Peer) -> House:
    house = shared_house(ORGANIZATION.format(port=internet.port), name="open")
    house.apply()
    return house.start()


@pytest.fixture(scope="module")
def strict_relay(shared_house: MakeHouse, internet: Peer) -> House:
    """With reject_direct_send."""
    organization = "reject_direct_send = true\n" + ORGANIZATION.format(port=internet.port)
    house = shared_house(organization, name="strict")
    house.apply()
    return house.start()


def rcpt(wire: Wire, text: str) -> str:
    return wire.say(f"RCPT TO:{text}\r\n".encode())


def is_told(reply: str, expected: str, relay: House) -> bool:
    """Refusals of ours end with the message id and our host."""
    return reply.startswith(expected) and (not expected.startswith("550 5.7.64") or reply.endswith(" relay.test]"))


def sends(relay: House, source: str, reverse_path: str, forward_path: str) -> str:
    """The first reply that isn't positive, else that to the content."""
    with relay.wire(source) as wire:
        wire.greeted()
        for command in (f"MAIL FROM:<{reverse_path}>", f"RCPT TO:<{forward_path}>", "DATA"):
            reply = wire.say(f"{command}\r\n".encode())
            if reply[0] not in "23":
                return reply
        return wire.say(b"Subject: x\r\n\r\nx\r\n.\r\n")


def only_our_clients_mail_left(relay: House, internet: Peer) -> bool:
    """A client's mail goes behind whatever else may have gone."""
    recipient = f"marker{next(_numbers)}@example.net"
    assert sends(relay, CLIENT, "scanner@contoso.com", recipient).startswith("250 2.6.0 ")
    wait_for(lambda: any(recipient in message.recipients[0] for message in internet.messages))
    return all("marker" in recipient for message in internet.messages for recipient in message.recipients)


# A stranger, and a connector's client


@pytest.mark.parametrize("reverse_path", ["spammer@spam.test", "ceo@contoso.com", ""], ids=["own", "spoofed", "null"])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_stranger_gets_nothing_out(relay: House, reverse_path: str, form: Form) -> None:
    with relay.wire(STRANGER) as wire:
        wire.greeted().begin(reverse_path)
        assert is_told(rcpt(wire, form.text), form.stranger, relay)
        assert wire.say(b"DATA\r\n").startswith("554 5.5.1 No valid recipients")


@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_connectors_client_is_told_what_is_wrong_with_the_address(relay: House, form: Form) -> None:
    with relay.wire(CLIENT) as wire:
        wire.greeted().begin("scanner@contoso.com")
        assert is_told(rcpt(wire, form.text), form.client, relay)


@pytest.mark.parametrize("reverse_path", ["spammer@spam.test", "ceo@contoso.com", ""])
@pytest.mark.parametrize("form", FORMS.values(), ids=FORMS)
def test_a_stranger_gets_nothing_out_of_a_strict_house(strict_relay: House, reverse_path: str, form: Form) -> None:
    """Where direct send is refused too, it is so for what would have been refused anyway."""
    with strict_relay.wire(STRANGER) as wire:
        wire.greeted().begin(reverse_path)
        reply = rcpt(wire, form.text)
    is_ours = form.stranger == NO_MAILBOX and reverse_path == "ceo@contoso.com"
    assert is_told(reply, "550 5.7.68 " if is_ours else form.stranger, strict_relay)


def test_one_bad_recipient_among_good_ones_gets_nothing(relay: House, internet: Peer) -> None:
    with relay.wire(STRANGER) as wire:
        wire.greeted().begin("a@spam.test", "user@contoso.com")
        for form in RELAYING.values():
            assert is_told(rcpt(wire, form.text), form.stranger, relay)
        assert wire.say(b"DATA\r\n").startswith("354 ")
        assert wire.say(b"Subject: one\r\n\r\nx\r\n.\r\n").startswith("250 2.6.0 ")
    wait_for(lambda: any(b"Subject: one" in mail for mail in relay.mailbox("user@contoso.com")))
    assert only_our_clients_mail_left(relay, internet)


def test_a_recipient_in_the_content_is_not_one_of_the_envelope(relay: House, internet: Peer) -> None:
    with relay.wire(STRANGER) as wire:
        content = b"To: victim@example.net\r\nBcc: victim@example.net\r\nResent-To: victim@example.net\r\n\r\nx\r\n"
        assert wire.greeted().send_mail("a@spam.test", "user@contoso.com", content).startswith("250 2.6.0 ")
    wait_for(lambda: any(b"Resent-To: victim" in mail for mail in relay.mailbox("user@contoso.com")))
    assert only_our_clients_mail_left(relay, internet)


def test_twenty_refusals_end_the_session(relay: House) -> None:
    """Nobody tries addresses for ever."""
    with relay.wire(STRANGER) as wire:
        wire.greeted().begin("a@spam.test")
        for _ in range(20):
            assert rcpt(wire, "<victim@example.net>").startswith(DENIED)
        assert wire.reply() == "421 4.7.0 Too many errors"
        assert wire.hears_the_end()


# Who may


@pytest.mark.parametrize(
    ("source", "reverse_path", "forward_path", "reply"),
    [
        (STRANGER, "a@spam.test", "user@contoso.com", "250 2.6.0 "),
        (STRANGER, "", "user@contoso.com", "250 2.6.0 "),
        (STRANGER, "ceo@contoso.com", "user@contoso.com", "250 2.6.0 "),
        (STRANGER, "a@spam.test", "USER@CONTOSO.COM", "250 2.6.0 "),
        (STRANGER, "a@spam.test", "postmaster", "250 2.6.0 "),
        (STRANGER, "a@spam.test", "PostMaster", "250 2.6.0 "),
        (STRANGER, "a@fabrikam.test", "user@contoso.com", "550 5.7.51 TenantInboundAttribution; Rejecting"),
        (STRANGER, "a@fabrikam.test", "victim@example.net", "550 5.7.51 TenantInboundAttribution; Rejecting"),
        (CLIENT, "scanner@contoso.com", "user@contoso.com", "250 2.6.0 "),
        (CLIENT, "a@spam.test", "user@contoso.com", "250 2.6.0 "),
        (CLIENT, "a@spam.test", "victim@example.net", f"{DENIED} SMTP; sender domain spam.test is not"),
        (CLIENT, "a@sub.contoso.com", "victim@example.net", f"{DENIED} SMTP; sender domain sub.contoso.com is not"),
        (CLIENT, "", "victim@example.net", f"{DENIED} SMTP; the null reverse-path relays"),
        (CLIENT, "", "user@contoso.com", "250 2.6.0 "),
        (CLIENT, "a@fabrikam.test", "user@contoso.com", "550 5.7.51 "),
        (PARTNER, "a@fabrikam.test", "user@contoso.com", "250 2.6.0 "),
        (PARTNER, "a@fabrikam.test", "victim@example.net", f"{DENIED} SMTP; the connector is of type Partner"),
        (PARTNER, "ceo@contoso.com", "victim@example.net", f"{DENIED} SMTP; the connector is of type Partner"),
        (TLS_CLIENT, "scanner@contoso.com", "user@contoso.com", "530 5.7.0 Must issue a STARTTLS command first"),
        (TLS_CLIENT, "scanner@contoso.com", "victim@example.net", "530 5.7.0 Must issue a STARTTLS command first"),
    ],
)
def test_who_may_send_what(
    relay: House, internet: Peer, source: str, reverse_path: str, forward_path: str, reply: str
) -> None:
    assert sends(relay, source, reverse_path, forward_path).startswith(reply)
    assert only_our_clients_mail_left(relay, internet)


@pytest.mark.parametrize(
    ("source", "reverse_path", "reply"),
    [
        (STRANGER, "ceo@contoso.com", "550 5.7.68 TenantInboundAttribution; Direct Send not allowed for this org"),
        (STRANGER, "CEO@CONTOSO.COM", "550 5.7.68 "),
        (STRANGER, "a@spam.test", "250 2.6.0 "),
        (STRANGER, "a@sub.contoso.com", "250 2.6.0 "),
        (STRANGER, "", "250 2.6.0 "),
        (CLIENT, "ceo@contoso.com", "250 2.6.0 "),
        (PARTNER, "ceo@contoso.com", "250 2.6.0 "),
    ],
)
def test_direct_send_refused(strict_relay: House, source: str, reverse_path: str, reply: str) -> None:
    assert sends(strict_relay, source, reverse_path, "user@contoso.com").startswith(reply)


@pytest.mark.parametrize(
    ("text", "reply"),
    [
        ("<@contoso.com:ceo@contoso.com>", SOURCE_ROUTE),
        ("<ceo@contoso.com@spam.test>", BAD_SENDER),
        ("<ceo@>", BAD_SENDER),
        ("<ceo>", BAD_SENDER),
        ("<postmaster>", BAD_SENDER),
        ("<ceo@contoso.com.>", BAD_SENDER),
        ("<ceo@contöso.com>", NEEDS_SMTPUTF8),
        ("", SYNTAX),
    ],
)
@pytest.mark.parametrize("source", [STRANGER, CLIENT])
def test_a_reverse_path_that_is_none(relay: House, source: str, text: str, reply: str) -> None:
    with relay.wire(source) as wire:
        assert wire.greeted().say(f"MAIL FROM:{text}\r\n".encode()).startswith(reply)


def test_with_smtputf8_a_unicode_domain_is_judged_as_its_a_labels(relay: House) -> None:
    with relay.wire(STRANGER) as wire:
        assert wire.greeted().say(b"MAIL FROM:<a@spam.test> SMTPUTF8\r\n").startswith("250 ")
        assert rcpt(wire, "<victim@exämple.net>").startswith(DENIED)
        assert rcpt(wire, "<victim\uff20example.net@contoso.com>").startswith(NO_MAILBOX)
        assert rcpt(wire, "<user@\uff43ontoso.com>") == TAKEN  # a full-width c is a c (UTS 46): it is our own domain


def test_require_tls_is_content_with_tls(relay: House) -> None:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with relay.wire(TLS_CLIENT) as wire:
        wire.greeted().upgrade(context).begin("scanner@contoso.com", "user@contoso.com")


def test_a_stranger_cannot_order_notifications(relay: House) -> None:
    with relay.wire(STRANGER) as wire:
        assert wire.reply().startswith("220 ")
        assert "DSN" not in wire.say(b"EHLO device\r\n")
        wire.begin("a@spam.test")
        assert rcpt(wire, "<user@contoso.com> NOTIFY=SUCCESS").startswith("555 ")
    with relay.wire(CLIENT) as wire:
        assert wire.reply().startswith("220 ")
        assert "DSN" in wire.say(b"EHLO device\r\n")
