"""What a relay adds to a mail, what it takes away, and that it leaves the rest as it was."""

from __future__ import annotations

import re
from email.utils import parsedate_to_datetime

import pytest

from support.house import House, MakeHouse, wait_for
from support.internet import RELAY, SMTP, Internet
from support.peers import EXTENSIONS, Peer

HYBRID = "127.8.0.1"
PARTNER = "127.8.0.2"
STRANGER = "127.8.0.3"

ORGANIZATION = (
    RELAY.replace("127.0.0.0/8", "127.0.0.1")
    + f"""
[[inbound_connector]]
name = "Exchange"
connector_type = "OnPremises"
sender_ip_addresses = ["{HYBRID}"]
cloud_services_mail_enabled = true

[[inbound_connector]]
name = "Partner"
connector_type = "Partner"
sender_ip_addresses = ["{PARTNER}"]
"""
)


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse, internet: Internet) -> House:
    relay = shared_house(ORGANIZATION, internet.settings())
    relay.apply()
    return relay.start()


def arrived(relay: House, address: str) -> tuple[bytes, bytes]:
    """Our own Received field, unfolded, and all that stands below it in the mail that came to a mailbox."""
    (mail,) = relay.await_mail(address)
    return_path, _, rest = mail.partition(b"\r\n")
    assert return_path.startswith(b"Return-Path: <")
    return _parted(rest)


def _parted(mail: bytes) -> tuple[bytes, bytes]:
    match = re.match(rb"Received: .*?\r\n(?![ \t])", mail, re.DOTALL)
    assert match
    return b" ".join(match[0].split()), mail[match.end() :]


class TestReceived:
    def test_it_tells_from_whom_by_what_way_and_for_whom(self, relay: House):
        message_id = relay.submit("a@contoso.com", "one@contoso.com")

        received, _ = arrived(relay, "one@contoso.com")

        fields = re.fullmatch(
            rb"Received: from (\S+) \((\S+) \[(\S+)\]\) by (\S+) with (\S+) id (\S+) "
            rb"\(connector (.+)\) for <(\S+)>; (.+)",
            received,
        )
        assert fields
        *words, date = (field.decode() for field in fields.groups())
        assert words == [
            "device.test",
            "unknown",
            "127.0.0.1",
            "relay.test",
            "ESMTP",
            message_id,
            "Scanners",
            "one@contoso.com",
        ]
        (entry,) = relay.trace("--id", message_id)
        at = parsedate_to_datetime(date)
        assert entry["received"].startswith(at.strftime("%Y-%m-%dT%H:%M:%S"))

    def test_a_client_that_says_helo_is_said_to_speak_smtp(self, relay: House):
        with relay.smtp() as client:
            client.helo("old.test")
            client.mail("a@contoso.com")
            client.rcpt("helo@contoso.com")
            assert client.data(b"Subject: x\r\n\r\nx\r\n")[0] == 250

        received, _ = arrived(relay, "helo@contoso.com")

        assert received.startswith(b"Received: from old.test (unknown [127.0.0.1]) by relay.test with SMTP id ")

    def test_none_of_several_recipients_sees_the_others(self, relay: House):
        relay.submit("a@contoso.com", "two@contoso.com", "three@contoso.com")

        for address in ("two@contoso.com", "three@contoso.com"):
            received, _ = arrived(relay, address)
            assert b" for " not in received
            assert b"@" not in received

    def test_a_name_that_is_none_does_no_harm(self, relay: House):
        with relay.smtp() as client:
            client.docmd("EHLO", "[127.0.0.1]")
            client.mail("a@contoso.com")
            client.rcpt("literal@contoso.com")
            assert client.data(b"Subject: x\r\n\r\nx\r\n")[0] == 250

        received, _ = arrived(relay, "literal@contoso.com")

        assert received.count(b"(") == received.count(b")")
        assert b" by relay.test with ESMTP id " in received


class TestInternalHeaders:
    """Only servers of one organization may use them, and only a connector of its own retains them."""

    CONTENT = (
        b"From: a@contoso.com\r\n"
        b"X-MS-Exchange-Organization-SCL: -1\r\n"
        b"x-ms-exchange-crosspremises-AuthAs: Internal;\r\n"
        b"\tfolded\r\n"
        b"X-MS-Exchange-Transport: stays\r\n"
        b"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\n"
        b"Message-ID: <1@device>\r\n"
        b"\r\n"
        b"X-MS-Exchange-Organization-SCL: in the body\r\n"
    )
    CLEANED = CONTENT.replace(b"X-MS-Exchange-Organization-SCL: -1\r\n", b"").replace(
        b"x-ms-exchange-crosspremises-AuthAs: Internal;\r\n\tfolded\r\n", b""
    )

    @pytest.mark.parametrize(
        ("source", "content"),
        [("127.0.0.1", CLEANED), (PARTNER, CLEANED), (STRANGER, CLEANED), (HYBRID, CONTENT)],
        ids=["scanners", "partner", "stranger", "exchange"],
    )
    def test_they_go_unless_the_connector_retains_them(self, relay: House, source: str, content: bytes):
        address = f"internal-{source}@contoso.com"
        relay.submit("a@contoso.com", address, content=self.CONTENT, source=source)

        assert arrived(relay, address)[1] == content


class TestMissingHeaders:
    """RFC 6409 8, for scanners, which leave them out."""

    def test_they_are_added_over_an_on_premises_connector(self, relay: House):
        message_id = relay.submit("a@contoso.com", "scan@contoso.com", content=b"Subject: Scan\r\n\r\nx\r\n")

        received, rest = arrived(relay, "scan@contoso.com")

        date = received.rpartition(b"; ")[2]
        assert rest == (
            b"Date: %s\r\nMessage-ID: <%s@relay.test>\r\nFrom: <a@contoso.com>\r\nSubject: Scan\r\n\r\nx\r\n"
            % (date, message_id.encode())
        )

    @pytest.mark.parametrize("name", ["Date", "Message-ID", "From"])
    def test_what_is_there_stays(self, relay: House, name: str):
        values = {"Date": "Tue, 24 Nov 2026 12:00:00 +0000", "Message-ID": "<1@device>", "From": "b@contoso.com"}
        content = f"{name}: {values[name]}\r\n\r\nx\r\n".encode()
        relay.submit("a@contoso.com", f"has-{name.lower()}@contoso.com", content=content)

        _, rest = arrived(relay, f"has-{name.lower()}@contoso.com")

        names = [line.partition(b":")[0].decode() for line in rest.partition(b"\r\n\r\n")[0].split(b"\r\n")]
        assert sorted(names) == sorted(values)
        assert rest.endswith(content)

    @pytest.mark.parametrize("source", [PARTNER, STRANGER])
    def test_a_mail_from_elsewhere_stays_as_it_is(self, relay: House, source: str):
        content = b"Subject: x\r\n\r\nx\r\n"
        relay.submit("a@example.net", f"bare-{source}@contoso.com", content=content, source=source)

        assert arrived(relay, f"bare-{source}@contoso.com")[1] == content


def hops(count: int, by: str = "mx.example.net") -> bytes:
    return b"Received: from a by %s; Tue, 24 Nov 2026 12:00:00 +0000\r\n" % by.encode() * count


class TestLoops:
    @pytest.mark.parametrize(
        ("trace", "code"),
        [
            (hops(50), 250),
            (hops(51), 554),
            (hops(2, "relay.test"), 250),
            (hops(3, "relay.test"), 554),
            (hops(3, "RELAY.test"), 554),
            (hops(3, "relay.test.example.net"), 250),
        ],
        ids=["50", "51", "2 of ours", "3 of ours", "3 of ours in capitals", "3 of one that begins like ours"],
    )
    def test_a_mail_that_goes_in_circles_is_refused(self, relay: House, trace: bytes, code: int):
        with relay.smtp() as client:
            client.ehlo()
            client.mail("a@contoso.com")
            client.rcpt("loop@contoso.com")
            answered, reply = client.data(trace + b"Subject: x\r\n\r\nx\r\n")

        assert answered == code
        assert code == 250 or reply.startswith(b"5.4.6 Hop count exceeded - possible mail loop")

    def test_a_relay_that_is_its_own_next_hop_stops_and_tells_the_sender(self, house: MakeHouse):
        relay = house(RELAY)
        to_itself = f'smart_hosts = ["{relay.address}"]'
        relay.apply(RELAY.replace("use_mx_record = true", to_itself).replace(f"port = {SMTP}", f"port = {relay.port}"))
        relay.start()

        relay.submit("looped@contoso.com", "b@example.net")

        (dsn,) = relay.await_mail("looped@contoso.com")
        assert b"Status: 5.4.6" in dsn
        assert dsn.count(b"\r\n\tby relay.test with ESMTP") == 3


CONTENTS = {
    "8 bit": "Subject: Grüße\r\n\r\nGrüße\r\n".encode() + bytes(range(128, 256)) + b"\r\n",
    "control": b"Subject: x\r\n\r\n\x01\x08\x0b\x0c\x1a\x7f\r\n",
    "dots": b"Subject: x\r\n\r\n.\r\n..\r\n...\r\n.a\r\na.\r\n\r\n.\r\n",
    "long lines": b"Subject: x\r\n\r\n" + (b"x" * 998 + b"\r\n") * 3 + b"y" * 20_000 + b"\r\n",
    "blank lines": b"Subject: x\r\n\r\n\r\n\r\n \r\n\t\r\n\r\n",
    "odd header": b"Subject:x\r\nX-Empty:\r\nX-Folded:\r\n \t a\r\n\tb\r\nx-CASE : c\r\n\r\nx\r\n",
    "no body": b"Subject: x\r\n\r\n",
    "a segment": b"Subject: x\r\n\r\n" + b".line\r\n" * 10_000,
    "a file": b"Subject: x\r\n\r\n" + b"..line of a large one\r\n" * 60_000,
}


COMPLETE = b"Date: Tue, 24 Nov 2026 12:00:00 +0000\r\nMessage-ID: <1@device>\r\nFrom: a@contoso.com\r\n"
"""With these nothing is added but the trace."""


@pytest.fixture(scope="module")
def ways(internet: Internet) -> dict[str, Peer]:
    """Next hops that content goes to in different ways."""
    scripts = {"pipelined": EXTENSIONS, "single": ("8BITMIME",), "chunked": (*EXTENSIONS, "CHUNKING")}
    return {way: internet.host(f"{way}.test", extensions=extensions) for way, extensions in scripts.items()}


def passed_on(relay: House, ways: dict[str, Peer], name: str) -> dict[str, bytes]:
    """What came to `name` at each of them and in the mailbox, less our Received field."""

    def at(peer: Peer) -> list[bytes]:
        return [message.content for message in peer.messages if f"<{name}@" in message.recipients[0]]

    wait_for(lambda: all(map(at, ways.values())))
    contents = {way: _parted(at(peer)[0])[1] for way, peer in ways.items()}
    return contents | {"mailbox": arrived(relay, f"{name}@contoso.com")[1]}


class TestContent:
    @pytest.mark.parametrize("kind", CONTENTS)
    def test_every_byte_arrives_as_it_was(self, relay: House, ways: dict[str, Peer], kind: str):
        content = COMPLETE + CONTENTS[kind]
        name = kind.replace(" ", "-")
        recipients = [f"{name}@{domain}" for domain in ("pipelined.test", "single.test", "chunked.test", "contoso.com")]
        relay.submit("a@contoso.com", *recipients, content=content, mail=["BODY=8BITMIME"])

        found = passed_on(relay, ways, name)

        assert {way for way, passed in found.items() if passed != content} == set()

    def test_a_chunk_without_a_last_line_end(self, relay: House, ways: dict[str, Peer]):
        """DATA cannot say it (RFC 5321 4.1.1.4), all other ways can."""
        content = COMPLETE + b"\r\nno line end"
        recipients = [f"open@{domain}" for domain in ("pipelined.test", "single.test", "chunked.test", "contoso.com")]
        with relay.wire().greeted().begin("a@contoso.com", *recipients) as wire:
            assert wire.say(b"BDAT %d LAST\r\n" % len(content), content).startswith("250 ")

        assert passed_on(relay, ways, "open") == {
            "pipelined": content + b"\r\n",
            "single": content + b"\r\n",
            "chunked": content,
            "mailbox": content,
        }
