"""SMTP smuggling: only CRLF.CRLF ends data, and what looks like it to others is refused or repaired, never passed on.

Each variant hides a second transaction behind a false end. If any server on the way took the bait, there would be a
reply too many here, or a mail too many there.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator

import pytest

from support.house import House, MakeHouse, wait_for
from support.peers import Peer, Received
from support.wire import Wire

REFUSE, REPAIR = 2525, 2526

LISTENERS = f"""
[[listener]]
address = "ADDRESS:{REFUSE}"

[[listener]]
address = "ADDRESS:{REPAIR}"
bare_lf = "repair"
"""

ORGANIZATION = """
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Devices"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.0/8"]

[[outbound_connector]]
name = "Next hop"
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = {port}
"""

HEAD = b"Subject: scan\r\n\r\nfirst"
SMUGGLED = b"MAIL FROM:<ceo@contoso.com>\r\nRCPT TO:<victim@example.net>\r\nDATA\r\nSubject: smuggled\r\n\r\nsecond\r\n"
END = b".\r\n"

FALSE_ENDS = {
    "LF.LF": b"\n.\n",
    "CR.CR": b"\r.\r",
    "LF.CR": b"\n.\r",
    "CR.LF": b"\r.\n",
    "CRLF.LF": b"\r\n.\n",
    "LF.CRLF": b"\n.\r\n",
    "CRLF.CR": b"\r\n.\r",
    "CR.CRLF": b"\r.\r\n",
    "CRLF.CRCRLF": b"\r\n.\r\r\n",
    "LFCR.LFCR": b"\n\r.\n\r",
    "LFLF.CRLF": b"\n\n.\r\n",
    "NUL before the dot": b"\r\n\0.\r\n",
    "NUL behind the dot": b"\r\n.\0\r\n",
    "NUL on both sides": b"\r\n\0.\0\r\n",
    "NUL in the first CRLF": b"\r\0\n.\r\n",
    "NUL in the last CRLF": b"\r\n.\r\0\n",
    "NUL and LF": b"\n\0.\n",
}
"""What some server has been known to take for CRLF.CRLF."""

HARMLESS = {
    "dot and space": b"\r\n. \r\n",
    "space and dot": b"\r\n .\r\n",
    "dot and tab": b"\r\n.\t\r\n",
    "two dots": b"\r\n..\r\n",
    "vertical tab": b"\x0b.\x0b",
    "form feed": b"\x0c.\x0c",
    "NEL": b"\x85.\x85",
    "NEL in UTF-8": "\u0085.\u0085".encode(),
    "LINE SEPARATOR": "\u2028.\u2028".encode(),
}
"""Ordinary content, though a library somewhere may see line ends in it."""

ALL = FALSE_ENDS | HARMLESS


@pytest.fixture(scope="module")
def next_hop() -> Iterator[Peer]:
    with Peer() as peer:
        yield peer


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse, next_hop: Peer) -> House:
    house = shared_house(ORGANIZATION.format(port=next_hop.port), LISTENERS)
    house.apply()
    return house.start()


_numbers = itertools.count(1)


@pytest.fixture
def recipient() -> str:
    """One for each test: mails of another test may still be on their way."""
    return f"b{next(_numbers)}@example.net"


def splits(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The content in two segments, cut at each place from just before the false end to just behind it."""
    for cut in range(len(HEAD) - 1, content.index(b"MAIL FROM") + 1):
        yield content[:cut], content[cut:]


def in_step(wire: Wire) -> bool:
    """The next reply is that to the next command."""
    return wire.say(b"NOOP\r\n") == "250 2.0.0 OK"


def arrived(next_hop: Peer, recipient: str, count: int) -> list[Received]:
    """The mails to a recipient once they are there. None has ever come for the victim."""

    def mails_to(recipient: str) -> list[Received]:
        return [message for message in next_hop.messages if message.recipients == [f"RCPT TO:<{recipient}>"]]

    wait_for(lambda: len(mails_to(recipient)) >= count, what=f"{count} mails")
    assert not mails_to("victim@example.net")
    return mails_to(recipient)


def only_a_good_one_arrives(relay: House, next_hop: Peer, recipient: str) -> bool:
    """A mail that is sent behind all that were refused."""
    with relay.wire() as wire:
        assert wire.greeted().send_mail("a@contoso.com", recipient).startswith("250 ")
    return len(arrived(next_hop, recipient, 1)) == 1


def is_sound(raw: bytes) -> bool:
    """Only CRLF ends a line, there is no NUL, and each dot that begins a line is followed by another."""
    lines = raw.split(b"\r\n")
    return not any(re.search(rb"[\r\n\0]", line) or re.match(rb"\.(?!\.)", line) for line in lines)


@pytest.mark.parametrize("false_end", FALSE_ENDS.values(), ids=FALSE_ENDS)
def test_a_false_end_is_refused(relay: House, next_hop: Peer, recipient: str, false_end: bytes) -> None:
    with relay.wire(port=REFUSE) as wire:
        wire.greeted()
        for first, second in splits(HEAD + false_end + SMUGGLED + END):
            wire.begin("a@contoso.com", recipient)
            assert wire.say(b"DATA\r\n").startswith("354 ")
            assert wire.say(first, second).startswith("550 5.6.11 Bare CR or LF, or NUL, in the message")
            assert in_step(wire)
    assert only_a_good_one_arrives(relay, next_hop, recipient)


@pytest.mark.parametrize("false_end", ALL.values(), ids=ALL)
def test_a_false_end_is_repaired_and_passed_on_as_content(
    relay: House, next_hop: Peer, recipient: str, false_end: bytes
) -> None:
    sent = 0
    with relay.wire(port=REPAIR) as wire:
        wire.greeted()
        for first, second in splits(HEAD + false_end + SMUGGLED + END):
            wire.begin("a@contoso.com", recipient)
            assert wire.say(b"DATA\r\n").startswith("354 ")
            assert wire.say(first, second).startswith("250 2.6.0 ")
            assert in_step(wire)
            sent += 1
    mails = arrived(next_hop, recipient, sent)
    assert len(mails) == sent
    for mail in mails:
        assert is_sound(mail.raw)
        assert mail.raw.endswith(SMUGGLED)


@pytest.mark.parametrize("harmless", HARMLESS.values(), ids=HARMLESS)
def test_what_only_looks_like_an_end_is_content(relay: House, next_hop: Peer, recipient: str, harmless: bytes) -> None:
    with relay.wire(port=REFUSE) as wire:
        wire.greeted().begin("a@contoso.com", recipient)
        assert wire.say(b"DATA\r\n").startswith("354 ")
        assert wire.say(HEAD + harmless + SMUGGLED + END).startswith("250 2.6.0 ")
        assert in_step(wire)
    (mail,) = arrived(next_hop, recipient, 1)
    assert is_sound(mail.raw)
    assert mail.content.endswith(b"first" + harmless.replace(b"\r\n.", b"\r\n") + SMUGGLED)


@pytest.mark.parametrize("false_end", FALSE_ENDS.values(), ids=FALSE_ENDS)
def test_bdat_knows_no_end_but_its_count(relay: House, next_hop: Peer, recipient: str, false_end: bytes) -> None:
    with relay.wire(port=REFUSE) as wire:
        wire.greeted()
        for first, second in splits(HEAD + false_end + SMUGGLED):
            wire.begin("a@contoso.com", recipient)
            assert wire.say(b"BDAT %d\r\n" % len(first), first).startswith("250 2.0.0 ")
            assert wire.say(b"BDAT %d LAST\r\n" % len(second), second).startswith("550 5.6.11 ")
            assert in_step(wire)
    assert only_a_good_one_arrives(relay, next_hop, recipient)


@pytest.mark.parametrize("port", [REFUSE, REPAIR])
def test_a_true_end_within_bdat_is_content(relay: House, next_hop: Peer, recipient: str, port: int) -> None:
    content = HEAD + b"\r\n.\r\n" + SMUGGLED
    with relay.wire(port=port) as wire:
        wire.greeted()
        for first, second in splits(content):
            wire.begin("a@contoso.com", recipient)
            assert wire.say(b"BDAT %d\r\n" % len(first), first).startswith("250 2.0.0 ")
            assert wire.say(b"BDAT %d LAST\r\n" % len(second), second).startswith("250 2.6.0 ")
            assert in_step(wire)
    sent = len(list(splits(content)))
    mails = arrived(next_hop, recipient, sent)
    assert len(mails) == sent
    for mail in mails:
        assert is_sound(mail.raw)
        assert mail.content.endswith(content)


@pytest.mark.parametrize("false_end", ALL.values(), ids=ALL)
def test_a_false_end_in_the_header_is_repaired_too(
    relay: House, next_hop: Peer, recipient: str, false_end: bytes
) -> None:
    with relay.wire(port=REPAIR) as wire:
        wire.greeted().begin("a@contoso.com", recipient)
        assert wire.say(b"DATA\r\n").startswith("354 ")
        assert wire.say(b"Subject: scan" + false_end + SMUGGLED + END).startswith("250 2.6.0 ")
        assert in_step(wire)
    (mail,) = arrived(next_hop, recipient, 1)
    assert is_sound(mail.raw)
    assert mail.raw.endswith(b"Subject: smuggled\r\n\r\nsecond\r\n")


def test_the_true_end_at_each_cut_ends_it(relay: House, next_hop: Peer, recipient: str) -> None:
    content = HEAD + b"\r\n.\r\n"
    cuts = range(len(HEAD), len(content))
    with relay.wire() as wire:
        wire.greeted()
        for cut in cuts:
            wire.begin("a@contoso.com", recipient)
            assert wire.say(b"DATA\r\n").startswith("354 ")
            assert wire.say(content[:cut], content[cut:]).startswith("250 2.6.0 ")
            assert in_step(wire)
    assert all(mail.content.endswith(HEAD + b"\r\n") for mail in arrived(next_hop, recipient, len(cuts)))


def test_who_ends_a_message_rightly_may_go_on_in_the_same_segment(relay: House, next_hop: Peer, recipient: str) -> None:
    second = SMUGGLED.replace(b"victim@example.net", recipient.encode())
    with relay.wire() as wire:
        wire.greeted().begin("a@contoso.com", recipient)
        assert wire.say(b"DATA\r\n").startswith("354 ")
        wire.send(HEAD + b"\r\n" + END + second + END)
        replies = [wire.reply()[:9] for _ in range(5)]
    assert replies == ["250 2.6.0", "250 2.1.0", "250 2.1.5", "354 Start", "250 2.6.0"]
    assert len(arrived(next_hop, recipient, 2)) == 2
