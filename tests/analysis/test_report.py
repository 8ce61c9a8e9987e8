import json
import time
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.analysis import Severity, analyze
from posthouse.analysis.headers import FIELD_LIMIT, by_name, fields
from posthouse.analysis.report import HOP_LIMIT

MIB = 1 << 20

MESSAGE = b"""\
Received: from relay.contoso.com (relay.contoso.com [192.0.2.1])
\tby mx.example.net with ESMTPS id 2
\tfor <bob@example.net>; Tue, 03 Nov 2026 11:00:07 +0100
Authentication-Results: mx.example.net; spf=pass smtp.mailfrom=contoso.com;
 dkim=fail (bad=pass) header.d=a.example; dkim=pass header.d=contoso.com; dmarc=pass
Received: from mfp (unknown [10.0.0.9])
\tby relay.contoso.com with SMTP id 1; Tue, 03 Nov 2026 10:00:00 +0000
From: =?utf-8?q?Scanner_4=2E_Stock?= <scanner@contoso.com>
To: bob@example.net
Reply-To: help@contoso.com
Subject: =?utf-8?b?R3LDvMOfZQ==?=
Date: Tue, 03 Nov 2026 10:59:58 +0100
Message-ID: <1@mfp>

Received: from the body by nobody; Tue, 03 Nov 2026 12:00:00 +0000
""".replace(b"\n", b"\r\n")


def hop_names(raw: bytes) -> list[str]:
    return [hop.received.by for hop in analyze(raw).hops]


def test_the_report_as_json() -> None:
    report = analyze(MESSAGE)
    document = json.loads(json.dumps(report.to_json()))
    assert document["summary"] == {
        "subject": "Grüße",
        "message_id": "<1@mfp>",
        "from": "Scanner 4. Stock <scanner@contoso.com>",
        "to": "bob@example.net",
        "cc": "",
        "reply_to": "help@contoso.com",
        "date": "2026-11-03T09:59:58+00:00",
        "transit": 7.0,
    }
    first, second = document["hops"]
    assert (
        first.items()
        >= {
            "number": 1,
            "from": "mfp ([10.0.0.9])",
            "by": "relay.contoso.com",
            "with": "SMTP",
            "id": "1",
            "for": "",
            "via": "",
            "time": "2026-11-03T10:00:00+00:00",
            "delay": None,
            "from_ip": "10.0.0.9",
            "role": "relay",
        }.items()
    )
    assert (
        second.items()
        >= {
            "number": 2,
            "from": "relay.contoso.com ([192.0.2.1])",
            "by": "mx.example.net",
            "with": "ESMTPS",
            "id": "2",
            "for": "bob@example.net",
            "via": "",
            "time": "2026-11-03T10:00:07+00:00",
            "local_time": "2026-11-03T11:00:07+01:00",
            "delay": 7.0,
            "share": 1.0,
            "role": "recipient's server",
        }.items()
    )
    assert document["authentication"] == {"spf": "pass", "dkim": "pass", "dmarc": "pass"}
    assert document["findings"] == []
    assert document["antispam"] == []
    assert document["workflow"]["entry"] is None
    assert report.hops[1].received.time == datetime(2026, 11, 3, 10, 0, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    "mangle",
    [
        lambda raw: raw.replace(b"\r\n", b"\n"),
        lambda raw: raw.replace(b"\r\n", b"\r"),
        lambda raw: b"\r\n \r\n\n" + raw,
        lambda raw: raw.partition(b"\r\n\r\n")[0],
        lambda raw: raw.replace(b"\r\n\t", b"\r\n").replace(b"\r\n ", b"\r\n"),
        lambda raw: b"From alice Tue Nov  3 10:00:00 2026\n" + raw,
        lambda raw: raw.decode().encode("utf-16"),
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: b"  " + raw,
    ],
    ids=["LF", "CR", "blank lines", "no body", "lost folding", "mbox", "UTF-16", "UTF-8 with BOM", "indented"],
)
def test_however_it_was_copied_the_report_is_the_same(mangle: Callable[[bytes], bytes]) -> None:
    assert analyze(mangle(MESSAGE)) == analyze(MESSAGE)


def test_lost_folding_in_front_of_what_looks_like_a_field() -> None:
    header = fields(b"Received: from a.example\nfe80::1) by b.example\nTue, 3 Nov 2026 10:00:00 +0000\nTo:bob\n")
    assert by_name(header) == {
        "received": ["from a.example fe80::1) by b.example Tue, 3 Nov 2026 10:00:00 +0000"],
        "to": ["bob"],
    }


def test_latin_1_is_read_where_it_is_no_utf8() -> None:
    assert analyze(b"Subject: Gr\xfc\xdfe\n").summary.subject == "Grüße"


@pytest.mark.parametrize("value", [b"a\x1b[2Jb", b"=?utf-8?q?a=1B=5B2Jb?=", b"a\xc2\x9b[2Jb"])
def test_no_escape_sequence_reaches_a_terminal(value: bytes) -> None:
    assert analyze(b"Subject: " + value).summary.subject.startswith("a [")


def test_nothing_gives_an_empty_report() -> None:
    report = analyze(b"")
    assert (report.hops, report.findings, report.authentication) == ((), (), {})
    assert report.summary.transit is None


def received(*times: str) -> bytes:
    """Hops at these times, the oldest first."""
    made = (f"Received: by h{number}.example; {at}\n" for number, at in enumerate(times, start=1))
    return "".join(reversed(list(made))).encode()


def test_delays_reach_over_a_hop_without_a_time() -> None:
    report = analyze(received("3 Nov 2026 10:00:00 +0000", "no date", "3 Nov 2026 10:00:09 +0000"))
    assert [hop.delay for hop in report.hops] == [None, None, 9.0]
    assert report.summary.transit == 9.0


def test_findings_come_worst_first() -> None:
    slow = received("3 Nov 2026 10:00:00 +0000", "3 Nov 2026 10:10:00 +0000", "3 Nov 2026 10:09:00 +0000", "?")
    loop = b"Received: by loop.example; 3 Nov 2026 10:00:00 +0000\n" * 3
    report = analyze(b"Authentication-Results: x; spf=temperror; dmarc=fail\n" + slow + loop)
    severities = [finding.severity for finding in report.findings]
    assert severities == sorted(severities, key=list(Severity).index)
    assert set(severities) == set(Severity)


PIECES = (
    "Received: |from a.example |(b [192.0.2.1]) |by c |; |3 Nov 2026 10:00:00 +0000|\r\n| |Subject: |=?utf-8?q?|?=|"
    "Authentication-Results: |ARC-Authentication-Results: i=1|ARC-Seal: i=2; cv=fail|DKIM-Signature: d=|spf=|dkim=pass|"
    "dmarc=fail|reason=|header.d=a.example|X-Forefront-Antispam-Report: |CAT:|SCL:9|From: a@b.example|To: |@|(|\xff|"
    "\x00|.mail.protection.outlook.com|mail-a1hn0001.outbound.protection.outlook.com|X-MS-Exchange-CrossTenant-|Hosted"
)
pieces = st.sampled_from(PIECES.encode("latin-1").split(b"|"))


@given(st.lists(pieces | st.binary(max_size=4), max_size=40).map(b"".join))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    json.dumps(analyze(raw).to_json())


@pytest.mark.parametrize(
    "unit",
    [
        b"a:\n",
        b"Received: from a (b [192.0.2.1]) by c with d id e; Tue, 3 Nov 2026 10:00:00 +0000\r\n",
        b"Received: " + b"(" * 1990 + b"\n",
        b"Received: " + b'"' * 1989 + b"\n",
        b"a: b\n c\n",
        b"(",
        b" 3 Nov 26",
        b"a:",
        b" =?utf-8?q?a?=",
        b" (spf=pass",
        b"\t \n",
        b"a.",
        b"1",
        b"a=",
        b'="',
        b";",
        b" dkim=pass;",
        b"X-Forefront-Antispam-Report: SCL:1\n",
        b"Authentication-Results: a; dkim=pass header.d=b.example\nDKIM-Signature: d=b.example; s=c\n",
        b"ARC-Seal: i=1\n",
    ],
)
@pytest.mark.parametrize(
    "start",
    [
        b"",
        b"Received: ",
        b"Subject:",
        b"From: ",
        b"Authentication-Results:",
        b"DKIM-Signature:",
        b"X-Forefront-Antispam-Report:",
    ],
)
def test_a_mebibyte_made_to_be_slow_is_not(start: bytes, unit: bytes) -> None:
    raw = start + unit * (MIB // len(unit))
    began = time.process_time()
    analyze(raw).to_json()
    assert time.process_time() - began < 1


def test_there_is_an_end_to_fields_and_hops() -> None:
    assert len(fields(b"a: b\n" * (FIELD_LIMIT + 1))) == FIELD_LIMIT
    report = analyze(received(*["3 Nov 2026 10:00:00 +0000"] * (HOP_LIMIT + 50)))
    assert len(report.hops) == HOP_LIMIT
    assert hop_names(received("3 Nov 2026 10:00:00 +0000")) == ["h1.example"]
