"""Each file of `received/` has the trace lines of one family of servers, as they stamp them, and what is to be
understood of them. What an entry leaves out is empty; `helo` is `from` unless that is an address; the time is ten
o'clock."""

import tomllib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.analysis.headers import fields
from posthouse.analysis.received import LENGTH_LIMIT, Received, Source, parse_received
from posthouse.analysis.source import address
from posthouse.mail import Client
from posthouse.mail.headers import received_line

TEN = datetime(2026, 11, 3, 10, tzinfo=UTC)
CORPUS = sorted((Path(__file__).parent / "received").glob("*.toml"))
HOPS = [
    pytest.param(hop, id=f"{file.stem}-{number}")
    for file in CORPUS
    for number, hop in enumerate(tomllib.loads(file.read_text(encoding="utf-8"))["hop"], start=1)
]


def parse(raw: str) -> Received:
    (field,) = fields(raw.encode())
    assert field.name == "Received"
    return parse_received(field.value)


@pytest.mark.parametrize("hop", HOPS)
def test_what_servers_stamp(hop: dict[str, Any]) -> None:
    received = parse(hop["raw"])
    source = received.source
    found = {
        "from": source.name,
        "helo": source.helo,
        "rdns": source.rdns,
        "ip": source.ip,
        "by": received.by,
        "with": received.protocol,
        "id": received.id,
        "for": received.recipient,
        "via": received.via,
        "tls_version": received.tls_version,
        "cipher": received.cipher,
        "client_certificate": received.client_certificate,
        "user": received.user,
        "time": received.time or "",
    }
    name = hop.get("from", "")
    expected = dict.fromkeys(found, "") | {"helo": "" if address(name) else name, "time": TEN} | hop
    del expected["raw"]
    assert found == expected


def test_the_corpus_is_wide() -> None:
    assert len(HOPS) >= 200
    assert len(CORPUS) >= 28


@pytest.mark.parametrize(
    ("value", "said"),
    [
        (
            "from a (b [192.0.2.1]) (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)) by c with ESMTPS",
            "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
        ),
        ("from a by b with esmtps (TLS1.3) tls TLS_AES_256_GCM_SHA384 id 1", "TLS1.3 TLS_AES_256_GCM_SHA384"),
        ("from a (a [192.0.2.1]) (Using TLS) by b", "Using TLS"),
        ("from a by b with Microsoft SMTP Server (TLS) id 1", "TLS"),
        ("from a by b with ESMTP/TLS/AES128-SHA", "TLS/AES128-SHA"),
        ("from a by b with (AES256-SHA encrypted) SMTP", "AES256-SHA encrypted"),
        ("from tls.example (tls.example [192.0.2.1]) by ssl3.example with ESMTP", ""),
    ],
)
def test_what_is_said_about_tls_is_kept(value: str, said: str) -> None:
    assert parse_received(value).tls == said


def test_the_value_is_kept() -> None:
    assert parse_received("from  a\tby b").raw == "from  a\tby b"


def test_our_own() -> None:
    line = received_line(
        client=Client("192.0.2.7", "mfp.contoso.com", "ESMTPS"),
        hostname="relay.contoso.com",
        message_id="01arz3ndektsv4rrffq69g5fa",
        recipient="bob@example.net",
        at=TEN.timestamp(),
        tls="TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
        connector="SMTP Relay (TLS)",
    )
    assert replace(parse(line.decode()), raw="") == Received(
        Source("mfp.contoso.com", "", "192.0.2.7", "mfp.contoso.com"),
        "relay.contoso.com",
        "ESMTPS",
        id="01arz3ndektsv4rrffq69g5fa",
        recipient="bob@example.net",
        via="",
        tls="TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
        time=TEN,
        tls_version="TLS1.3",
        cipher="TLS_AES_256_GCM_SHA384",
    )


@pytest.mark.parametrize(
    ("source", "text"),
    [
        (Source(), ""),
        (Source("a.example"), "a.example"),
        (Source("a.example", "a.example", "192.0.2.1"), "a.example ([192.0.2.1])"),
        (Source("a.example", "b.example", "192.0.2.1"), "a.example (b.example [192.0.2.1])"),
        (Source("192.0.2.1", "", "192.0.2.1"), "192.0.2.1"),
    ],
)
def test_a_source_as_text(source: Source, text: str) -> None:
    assert str(source) == text


@pytest.mark.parametrize(
    ("text", "ip"),
    [
        ("[192.0.2.1]:25", "192.0.2.1"),
        ("user@192.0.2.1", "192.0.2.1"),
        ("[IPv6:2001:db8::1]", "2001:db8::1"),
        ("fe80::1%5", "fe80::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("192.0.2.1.rev.example.net", ""),
        ("1.192.0.2.1", ""),
        ("10:00:00", ""),
        ("999.0.2.1 then 192.0.2.1", "192.0.2.1"),
    ],
)
def test_addresses(text: str, ip: str) -> None:
    assert address(text) == ip


WORDS = (
    'from by with id for via tls ( ) " ; [192.0.2.1] a.example helo= (helo= TLSv1.3: cipher= CN DN= account AUTH: '
    "2026-11-03 10:00:00 Nov 3 Tue, qmail invoked encrypted"
)
words = st.sampled_from(WORDS.split())


@given(st.text() | st.lists(words | st.text(max_size=3), max_size=30).map(" ".join))
def test_no_value_makes_it_raise(value: str) -> None:
    assert isinstance(parse_received(value), Received)


@given(st.data())
def test_no_damage_to_a_real_one_makes_it_raise(data: st.DataObject) -> None:
    raw = data.draw(st.sampled_from(HOPS)).values[0]["raw"]
    start, end = sorted((data.draw(st.integers(0, len(raw))), data.draw(st.integers(0, len(raw)))))
    damaged = raw[:start] + data.draw(st.text(max_size=5)) + raw[end:]
    assert isinstance(parse_received(damaged), Received)


def test_of_what_is_very_long_the_beginning_and_the_end_are_looked_at() -> None:
    many = ", ".join(f"<{number}@example.net>" for number in range(LENGTH_LIMIT))
    received = parse_received(f"from a.example by b.example for {many}; Tue, 3 Nov 2026 10:00:00 +0000")
    assert (received.by, received.recipient, received.time) == ("b.example", "0@example.net", TEN)
