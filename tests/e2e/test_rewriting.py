"""Devices send as whatever they like; the mail goes on as what the next hop takes."""

from __future__ import annotations

import pytest

from support.house import House, MakeHouse
from support.internet import RELAY, Internet
from support.peers import Peer

FAX = "127.9.0.1"

ORGANIZATION = (
    RELAY.replace("127.0.0.0/8", "127.0.0.1").replace(
        "use_mx_record = true",
        'use_mx_record = true\nrewrite_from = ["@contoso.com=@contoso.net", "fax@contoso.com=office@contoso.net"]',
    )
    + f"""
[[inbound_connector]]
name = "Fax"
connector_type = "OnPremises"
sender_ip_addresses = ["{FAX}"]
rewrite_from = "fax@contoso.com"
"""
)


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse, internet: Internet) -> House:
    relay = shared_house(ORGANIZATION, internet.settings())
    relay.apply()
    return relay.start()


@pytest.fixture(scope="module")
def host(internet: Internet, relay: House) -> Peer:
    return internet.host("fabrikam.com")


def test_on_the_way_in_its_trace_says_what_it_was(relay: House) -> None:
    message_id = relay.submit(
        "root@contoso.com",
        "in@contoso.com",
        content=b"From: Fax <root@localhost>\r\nSubject: x\r\n\r\nHi\r\n",
        source=FAX,
    )

    (mail,) = relay.await_mail("in@contoso.com")
    assert mail.startswith(b"Return-Path: <fax@contoso.com>\r\n")
    assert b"Reply-To: Fax <root@localhost>\r\nFrom: Fax <fax@contoso.com>\r\nSubject: x\r\n\r\nHi\r\n" in mail
    (entry,) = relay.trace("--id", message_id)
    assert entry["sender"] == "fax@contoso.com"
    assert "Fax: its RewriteFrom makes <root@contoso.com> <fax@contoso.com>" in str(entry)


def test_what_a_device_leaves_out_is_added_with_the_new_address(relay: House) -> None:
    relay.submit("root@contoso.com", "bare@contoso.com", content=b"Subject: x\r\n\r\nHi\r\n", source=FAX)
    (mail,) = relay.await_mail("bare@contoso.com")
    assert b"From: <fax@contoso.com>\r\n" in mail


@pytest.mark.parametrize("size", [10, 2 << 20], ids=["small", "large"])
def test_on_the_way_out_to_some_next_hops_only(relay: House, host: Peer, size: int) -> None:
    body = b"Hi\r\n" + b"x" * 70 + b"\r\n" * (size // 2)
    content = b"From: Tray 2 <tray-2@contoso.com>\r\nSubject: x\r\n\r\n" + body
    to = [f"home-{size}@contoso.com", f"b-{size}@fabrikam.com"]
    relay.submit("tray-2@contoso.com", *to, content=content)

    (mail,) = relay.await_mail(to[0])
    assert mail.startswith(b"Return-Path: <tray-2@contoso.com>\r\n")
    assert mail.endswith(content)
    relay.await_idle()
    (received,) = [one for one in host.messages if f"<{to[1]}>" in str(one.recipients)]
    assert "<tray-2@contoso.net>" in received.mail
    head, _, rest = received.content.partition(b"\r\n\r\n")
    assert b"Reply-To: Tray 2 <tray-2@contoso.com>\r\n" in head
    assert b"From: Tray 2 <tray-2@contoso.net>\r\n" in head
    assert rest == body


def test_twice_first_by_the_way_in_then_by_the_way_out(relay: House, host: Peer) -> None:
    relay.submit("root@contoso.com", "twice@fabrikam.com", source=FAX)
    relay.await_idle()
    (received,) = [one for one in host.messages if "<twice@fabrikam.com>" in str(one.recipients)]
    assert "<office@contoso.net>" in received.mail
