"""Finding the mail exchangers of a domain, and the first that answers."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from net.dns_server import SERVFAIL, DnsServer
from posthouse.probe.send import SendOptions, SendResult, send_async
from support.house import own_address
from support.peers import Peer

PORT = 2500
TENANT = "contoso-com.mail.protection.outlook.com"


class Exchangers:
    """Hosts that all listen on one port, and the DNS that leads to them."""

    def __init__(self, stack: ExitStack) -> None:
        self.zone: dict[tuple[str, str], list[str]] = {}
        self._stack = stack

    def down(self, host: str) -> str:
        address = own_address()
        self.zone[host, "A"] = [address]
        return address

    def up(self, host: str, **script: Any) -> Peer:
        return self._stack.enter_context(Peer(address=(self.down(host), PORT), **script))

    def sent(self, **options: Any) -> SendResult:
        async def run() -> SendResult:
            async with DnsServer(self.zone) as dns:
                defaults = {
                    "mx": "contoso.com",
                    "nameservers": [dns.address],
                    "port": PORT,
                    "sender": "app@contoso.com",
                    "recipients": ["user@contoso.com"],
                }
                return await send_async(SendOptions(**defaults | options))

        return asyncio.run(run())


@pytest.fixture
def exchangers() -> Iterator[Exchangers]:
    with ExitStack() as stack:
        yield Exchangers(stack)


def remarks(result: SendResult) -> list[str]:
    return [line.text for line in result.dialogue if line.speaker == "*"]


@pytest.mark.parametrize("host", [TENANT, "contoso-com.o-v1.mx.microsoft"])
def test_the_endpoint_of_a_tenant_is_found_and_named(exchangers: Exchangers, host: str) -> None:
    exchangers.zone["contoso.com", "MX"] = [f"0 {host}."]
    peer = exchangers.up(host)
    result = exchangers.sent()
    assert result.accepted
    assert result.server == f"{host} [{peer.server_address[0]}] port {PORT}"
    assert remarks(result)[:2] == [f"MX of contoso.com: 0 {host}", f"connecting to {result.server}"]
    assert len(peer.messages) == 1


@pytest.mark.parametrize("first", ["down", "busy", "refusing", "without an address"])
def test_the_next_one_is_tried_where_the_first_does_not_answer(exchangers: Exchangers, first: str) -> None:
    exchangers.zone["contoso.com", "MX"] = ["20 mx2.contoso.com.", "10 mx1.contoso.com."]
    second = exchangers.up("mx2.contoso.com")
    match first:
        case "down":
            exchangers.down("mx1.contoso.com")
        case "busy":
            exchangers.up("mx1.contoso.com", CONNECT="421 4.3.2 too busy")
        case "refusing":
            exchangers.up("mx1.contoso.com", CONNECT="554 5.3.2 no mail here")
        case _:
            exchangers.zone["mx1.contoso.com", "TXT"] = ['"no address"']
    result = exchangers.sent()
    assert result.accepted
    assert len(second.messages) == 1
    assert result.server.startswith("mx2.contoso.com [")
    told = remarks(result)
    assert told[0] == "MX of contoso.com: 10 mx1.contoso.com, 20 mx2.contoso.com"
    reason = {
        "down": "refused the connection; does a server listen there?; trying the next",
        "busy": "421 4.3.2 too busy; trying the next",
        "refusing": "554 5.3.2 no mail here; trying the next",
        "without an address": "mx1.contoso.com has no address",
    }[first]
    assert any(remark.endswith(reason) for remark in told)


def test_a_refusal_in_the_transaction_is_final(exchangers: Exchangers) -> None:
    exchangers.zone["contoso.com", "MX"] = ["10 mx1.contoso.com.", "20 mx2.contoso.com."]
    exchangers.up("mx1.contoso.com", RCPT="550 5.1.1 unknown")
    second = exchangers.up("mx2.contoso.com")
    assert exchangers.sent().error == "user@contoso.com: 550 5.1.1 unknown"
    assert second.sessions == []


def test_all_are_down(exchangers: Exchangers) -> None:
    exchangers.zone["contoso.com", "MX"] = ["10 mx1.contoso.com.", "20 mx2.contoso.com."]
    exchangers.down("mx1.contoso.com")
    address = exchangers.down("mx2.contoso.com")
    result = exchangers.sent()
    assert result.error == (
        f"mx2.contoso.com [{address}] port {PORT}: refused the connection; does a server listen there?"
    )


@pytest.mark.parametrize(
    ("records", "error"),
    [
        ({("contoso.com", "MX"): ["0 ."]}, "takes no mail (null MX)"),
        ({}, "does not exist in DNS (NXDOMAIN)"),
        ({("contoso.com", "MX"): [SERVFAIL]}, "the name servers gave no usable answer"),
        ({("contoso.com", "MX"): ["0 mx.contoso.com."]}, "there is no address to connect to"),
    ],
)
def test_no_exchanger_can_be_found(
    exchangers: Exchangers, records: dict[tuple[str, str], list[str]], error: str
) -> None:
    exchangers.zone.update(records)
    result = exchangers.sent()
    assert result.error
    assert error in result.error
    assert "\n" not in result.error
    assert (result.replies, result.server) == ((), "")


def test_the_source_address_chooses_the_family(exchangers: Exchangers) -> None:
    exchangers.zone["contoso.com", "MX"] = ["0 mx.contoso.com."]
    peer = exchangers.up("mx.contoso.com")
    exchangers.zone["mx.contoso.com", "AAAA"] = ["2001:db8::1"]
    source = own_address()
    assert exchangers.sent(source=source).accepted
    assert [session.client for session in peer.sessions] == [source]
    del exchangers.zone["mx.contoso.com", "A"]
    assert exchangers.sent(source=source).error == (
        f"MX of contoso.com port {PORT}: there is no IPv4 address to connect to; check the name and DNS"
    )
