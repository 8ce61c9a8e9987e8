from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.analysis.received import Received, Source, parse_received
from posthouse.mail import Client
from posthouse.mail.headers import received_line

TEN = datetime(2026, 11, 3, 10, tzinfo=UTC)


def understood(
    source: Source, by: str = "", protocol: str = "", *, time: datetime | None = TEN, **rest: str
) -> Received:
    known: dict[str, Any] = {"id": "", "recipient": "", "via": "", "tls": ""} | rest
    return Received(source, by, protocol, time=time, **known)


STYLES = {
    "postfix": (
        (
            "from a.example (b.example [192.0.2.1]) (using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)"
            " key-exchange X25519) (No client certificate requested) by mx.example.net (Postfix) with ESMTPS id 4Q5abc"
            " for <bob@example.net>; Tue,  3 Nov 2026 10:00:00 +0000 (UTC)"
        ),
        understood(
            Source("a.example", "b.example", "192.0.2.1", "a.example"),
            "mx.example.net",
            "ESMTPS",
            id="4Q5abc",
            recipient="bob@example.net",
            tls="TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519",
        ),
    ),
    "postfix, client without a name": (
        "from mfp (unknown [IPv6:2001:db8::7]) by relay (Postfix) with SMTP id 1; Tue, 3 Nov 2026 10:00:00 +0000",
        understood(Source("mfp", "", "2001:db8::7", "mfp"), "relay", "SMTP", id="1"),
    ),
    "exim": (
        (
            "from foo.example ([192.0.2.1]:4321 helo=bar.example) by mx.example.org with esmtpsa (TLS1.3)"
            " tls TLS_AES_256_GCM_SHA384 (Exim 4.96) (envelope-from <a@b.example>) id 1abc-0001-AB for bob@example.net;"
            " Tue, 03 Nov 2026 11:00:00 +0100"
        ),
        understood(
            Source("foo.example", "foo.example", "192.0.2.1", "bar.example"),
            "mx.example.org",
            "esmtpsa",
            id="1abc-0001-AB",
            recipient="bob@example.net",
            tls="TLS1.3 TLS_AES_256_GCM_SHA384",
        ),
    ),
    "exim, client without a name": (
        (
            "from [192.0.2.1] (helo=foo.example) by mx.example.org with esmtp (Exim 4.92) id 1abc;"
            " Tue, 03 Nov 2026 10:00:00 +0000"
        ),
        understood(Source("192.0.2.1", "", "192.0.2.1", "foo.example"), "mx.example.org", "esmtp", id="1abc"),
    ),
    "exchange online protection": (
        (
            "from relay.contoso.com (203.0.113.5) by AM5EUR03FT012.mail.protection.outlook.com (10.152.16.10)"
            " with Microsoft SMTP Server (version=TLS1_3, cipher=TLS_AES_256_GCM_SHA384) id 15.20.9137.17"
            " via Frontend Transport; Tue, 3 Nov 2026 10:00:00 +0000"
        ),
        understood(
            Source("relay.contoso.com", "", "203.0.113.5", "relay.contoso.com"),
            "AM5EUR03FT012.mail.protection.outlook.com",
            "Microsoft SMTP Server",
            id="15.20.9137.17",
            via="Frontend Transport",
            tls="version=TLS1_3, cipher=TLS_AES_256_GCM_SHA384",
        ),
    ),
    "exchange, between mailbox servers": (
        (
            "from AM0PR01MB1.exchangelabs.com ([fe80::1]) by AM0PR01MB2.exchangelabs.com ([fe80::2%5]) with mapi"
            " id 15.20.9137.018; Tue, 3 Nov 2026 10:00:00 +0000"
        ),
        understood(
            Source("AM0PR01MB1.exchangelabs.com", "", "fe80::1", "AM0PR01MB1.exchangelabs.com"),
            "AM0PR01MB2.exchangelabs.com",
            "mapi",
            id="15.20.9137.018",
        ),
    ),
    "exchange 2013 on premises": (
        (
            "from mfp.contoso.local (10.0.0.9) by ex.contoso.local (10.0.0.1) with Microsoft SMTP Server (TLS)"
            " id 15.0.1497.2; Tue, 3 Nov 2026 10:00:00 +0000"
        ),
        understood(
            Source("mfp.contoso.local", "", "10.0.0.9", "mfp.contoso.local"),
            "ex.contoso.local",
            "Microsoft SMTP Server",
            id="15.0.1497.2",
            tls="TLS",
        ),
    ),
    "gmail": (
        (
            "from mail-sor-f41.google.com (mail-sor-f41.google.com. [209.85.220.41]) by mx.google.com with SMTPS"
            " id d2e1a7.12.2026.11.03.02.00.00 for <bob@example.net> (Google Transport Security);"
            " Tue, 03 Nov 2026 02:00:00 -0800 (PST)"
        ),
        understood(
            Source("mail-sor-f41.google.com", "mail-sor-f41.google.com", "209.85.220.41", "mail-sor-f41.google.com"),
            "mx.google.com",
            "SMTPS",
            id="d2e1a7.12.2026.11.03.02.00.00",
            recipient="bob@example.net",
        ),
    ),
    "gmail, inside": (
        "by 2002:a05:6000:1a88:b0:3a4:f7f2 with SMTP id abc123csp1; Tue, 3 Nov 2026 02:00:00 -0800 (PST)",
        understood(Source(), "2002:a05:6000:1a88:b0:3a4:f7f2", "SMTP", id="abc123csp1"),
    ),
    "sendmail": (
        (
            "from host.example (host.example [192.0.2.9] (may be forged)) by mx.example.com (8.17.1/8.17.1) with ESMTPS"
            " id 5A3 (version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 verify=NOT) for <x@example.com>;"
            " Tue, 3 Nov 2026 05:00:00 -0500 (EST)"
        ),
        understood(
            Source("host.example", "host.example", "192.0.2.9", "host.example"),
            "mx.example.com",
            "ESMTPS",
            id="5A3",
            recipient="x@example.com",
            tls="version=TLSv1.3 cipher=TLS_AES_256_GCM_SHA384 bits=256 verify=NOT",
        ),
    ),
    "iis": (
        (
            "from mfp ([10.0.0.5]) by srv.contoso.local with Microsoft SMTPSVC(10.0.14393.4169);"
            "\t Tue, 3 Nov 2026 11:00:00 +0100"
        ),
        understood(Source("mfp", "", "10.0.0.5", "mfp"), "srv.contoso.local", "Microsoft SMTPSVC"),
    ),
    "qmail": (
        "from unknown (HELO mail.example.com) (192.0.2.1) by ns1.example.org with SMTP; 3 Nov 2026 10:00:00 -0000",
        understood(Source("unknown", "", "192.0.2.1", "mail.example.com"), "ns1.example.org", "SMTP"),
    ),
    "qmail, inside": ("(qmail 12345 invoked by uid 89); 3 Nov 2026 10:00:00 -0000", understood(Source())),
    "opensmtpd": (
        (
            "from localhost (localhost [127.0.0.1]) by h.example (OpenSMTPD) with ESMTPSA id abc"
            " (TLSv1.3:TLS_AES_256_GCM_SHA384:256:NO) for <x@example.net>; Tue, 3 Nov 2026 10:00:00 +0000 (UTC)"
        ),
        understood(
            Source("localhost", "localhost", "127.0.0.1", "localhost"),
            "h.example",
            "ESMTPSA",
            id="abc",
            recipient="x@example.net",
            tls="TLSv1.3:TLS_AES_256_GCM_SHA384:256:NO",
        ),
    ),
    "mimecast": (
        (
            "from x.example (y.example [192.0.2.3]) by relay.mimecast.com with ESMTP with STARTTLS"
            " (version=TLSv1.2, cipher=TLS_X) id uk-mta-1; Tue, 03 Nov 2026 10:00:00 +0000"
        ),
        understood(
            Source("x.example", "y.example", "192.0.2.3", "x.example"),
            "relay.mimecast.com",
            "ESMTP with STARTTLS",
            id="uk-mta-1",
            tls="version=TLSv1.2, cipher=TLS_X",
        ),
    ),
    "sendgrid": (
        "by filter0001.sendgrid.net with SMTP id filter0001-1-5; 2026-11-03 10:00:00.123 +0000 UTC m=+1.2",
        understood(Source(), "filter0001.sendgrid.net", "SMTP", id="filter0001-1-5"),
    ),
    "without a semicolon": (
        "from a.example by b.example with SMTP Tue, 3 Nov 2026 10:00:00 +0000",
        understood(Source("a.example", "", "", "a.example"), "b.example", "SMTP"),
    ),
    "with a comment that never ends": (
        "from a.example (b.example [192.0.2.1] by c.example with SMTP; Tue, 3 Nov 2026 10:00:00 +0000",
        understood(Source("a.example", "", "", "a.example"), "c.example", "SMTP"),
    ),
    "without a date": (
        "from a.example by b.example with SMTP",
        understood(Source("a.example", "", "", "a.example"), "b.example", "SMTP", time=None),
    ),
    "of something else": ("nonsense", understood(Source(), time=None)),
    "of nothing": ("", understood(Source(), time=None)),
}


@pytest.mark.parametrize("style", STYLES)
def test_styles(style: str) -> None:
    value, expected = STYLES[style]
    assert without_more(parse_received(value)) == expected


def without_more(received: Received) -> Received:
    return replace(received, tls_version="", cipher="", client_certificate="", user="", raw="")


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
    assert without_more(parse_received(line.decode().replace("\r\n\t", " ").removeprefix("Received: "))) == understood(
        Source("mfp.contoso.com", "", "192.0.2.7", "mfp.contoso.com"),
        "relay.contoso.com",
        "ESMTPS",
        id="01arz3ndektsv4rrffq69g5fa",
        recipient="bob@example.net",
        tls="TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
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


words = st.sampled_from(
    ["from", "by", "with", "id", "for", "via", "(", ")", '"', ";", "[192.0.2.1]", "a.example", "helo="]
)


@given(st.text() | st.lists(words | st.text(max_size=3), max_size=30).map(" ".join))
def test_no_value_makes_it_raise(value: str) -> None:
    assert isinstance(parse_received(value), Received)
