import email
import time
from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.mail.headers import (
    INTERNAL_PREFIXES,
    completed,
    format_date,
    received_line,
    remove,
    split,
    survey,
    well_formed,
)
from posthouse.mail.message import Client

HOSTNAME = "relay.contoso.com"
ID = "01arz3ndektsv4rrffq69g5fa"
MIB = 1 << 20
NAMES = ("Received", "Date", "Message-ID", "From", "Subject", "To", "X-Mailer", "X-MS-Exchange-Organization-SCL")


def field(name: str, space: str, lines: list[str]) -> bytes:
    return (name + space + ":" + "\r\n\t".join(lines) + "\r\n").encode()


names = st.sampled_from(NAMES).flatmap(lambda name: st.sampled_from((name, name.lower(), name.upper())))
lines = st.lists(st.text("ab:;=?<>@. ", max_size=12), min_size=1, max_size=3)
fields = st.lists(st.builds(field, names, st.sampled_from(("", " ", "\t ")), lines), min_size=1, max_size=8)
shaped_bytes = st.lists(
    st.sampled_from((b"\r\n", b"\n", b" ", b"\t", b":", b"Received", b"by", b"=?utf-8?q?", b"?=", b"x-ms-exchange-"))
    | st.binary(max_size=4),
    max_size=30,
).map(b"".join)


@pytest.mark.parametrize(
    ("header", "body"),
    [
        (b"Subject: a\r\nTo: b\r\n\r\n", b"body\r\n"),
        (b"Subject: a\r\n\r\n", b""),
        (b"Subject: a\r\n", b""),
        (b"Subject: folded\r\n more\r\n\tand more\r\n\r\n", b"body\r\n"),
        (b"Subject: a\r\n \r\nTo: a line of white space is folding, not the end\r\n\r\n", b"body\r\n"),
        (b"subject : space before the colon\r\n\r\n", b"To: body\r\n"),
        (b"From alice Tue Nov  3 10:00:00 2026\r\nSubject: mbox\r\n\r\n", b"body\r\n"),
        (b"\r\n", b"body right away\r\n"),
        (b"", b"No header at all: with a colon\r\n"),
        (b"", b" folded: under nothing\r\n"),
        (b"Subject: no blank line\r\n", b"Hello Bob,\r\nfoo: bar\r\n"),
        (b"Subject: a\r\n", b"H\xc3\xa9: no name of a field\r\n\r\n"),
        (b"Subject: a\r\n", b": no name\r\n\r\n"),
        (b"", b""),
    ],
)
def test_the_header_ends_at_its_blank_line_or_before_what_is_no_field(header: bytes, body: bytes) -> None:
    assert split(header + body) == len(header)


@given(fields, st.binary(max_size=40))
def test_split_finds_the_blank_line_behind_any_fields(header: list[bytes], body: bytes) -> None:
    block = b"".join(header) + b"\r\n"
    assert split(block + body) == len(block)


@given(st.one_of(fields.map(b"".join), shaped_bytes), st.binary(max_size=20))
def test_a_cut_header_is_never_taken_for_a_whole_one(block: bytes, body: bytes) -> None:
    content = block + b"\r\n" + body
    whole = split(content)
    assert all(split(content[:cut]) in (cut, whole) for cut in range(len(content)))


@pytest.mark.parametrize(
    ("block", "mended"),
    [
        (b"", b"\r\n"),
        (b"Subject: a\r\n", b"Subject: a\r\n\r\n"),
        (b"Subject: a", b"Subject: a\r\n\r\n"),
        (b"From alice Tue Nov  3 10:00:00 2026\r\nSubject: a\r\n\r\n", b"Subject: a\r\n\r\n"),
        (b"From alice Tue Nov  3 10:00:00 2026\r\n", b"\r\n"),
    ],
)
def test_a_malformed_header_is_closed_and_loses_the_mbox_line(block: bytes, mended: bytes) -> None:
    assert well_formed(block) == mended
    assert well_formed(mended) is mended


def test_a_line_before_a_mended_header_never_swallows_the_body() -> None:
    content = b"Subject: a\r\nnot a field\r\nX-MS-Exchange-Organization-SCL: -1\r\n"
    end = split(content)
    sent = email.message_from_bytes(b"Received: x\r\n" + well_formed(content[:end]) + content[end:])
    assert sent.keys() == ["Received", "Subject"]
    assert sent.get_payload() == "not a field\r\nX-MS-Exchange-Organization-SCL: -1\r\n"


def test_survey_of_a_scan() -> None:
    facts = survey(
        b"received: from a\r\n\tby RELAY.contoso.com with ESMTP; date\r\n"
        b"Received: from b by relay.contoso.com.evil.example; by other.example\r\n"
        b"Received: by relay.contoso.com\r\n"
        b"DATE : Tue, 3 Nov 2026 10:00:00 +0100\r\n"
        b"Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?=\r\n =?utf-8?Q?_aus?= =?iso-8859-1?B?S/ZsbiE=?= (scan)\r\n"
        b"Subject: a second one\r\n"
        b"Message-Id:\r\n <1@printer>\r\n\r\n",
        HOSTNAME,
    )
    assert (facts.received, facts.received_by_us) == (3, 2)
    assert (facts.has_date, facts.has_message_id, facts.has_from) == (True, True, False)
    assert facts.subject == "Grüße ausKöln! (scan)"
    assert facts.message_id == "<1@printer>"


@given(fields)
def test_survey_agrees_with_the_email_package(header: list[bytes]) -> None:
    block = b"".join(header) + b"\r\n"
    reference = email.message_from_bytes(block.replace(b"\t :", b":").replace(b" :", b":"))
    facts = survey(block, HOSTNAME)
    assert facts.received == len(reference.get_all("received", []))
    assert facts.has_date == ("date" in reference)
    assert facts.has_message_id == ("message-id" in reference)
    assert facts.has_from == ("from" in reference)


@pytest.mark.parametrize(
    ("value", "subject"),
    [
        (b" plain ", "plain"),
        (b" raw \xc3\xbc and \xff", "raw ü and \ufffd"),
        (b"tab\tnul\x00 end", "tab nul  end"),
        (b"csi\xc2\x9b31m\xe2\x80\xa8line", "csi 31m line"),
        (b"=?utf-8?q?csi=C2=9B31m=E2=80=A8line?=", "csi 31m line"),
        (b"=?nonsense?q?a?=", "=?nonsense?q?a?="),
        (b"=?utf-8?b?!?=", ""),
        (b"=?utf-8?b?w7w?=", "ü"),
        (b"=?utf-8?q?=C3?= =?utf-8?q?=BC?=", "ü"),
        (b"=?utf-8*de?q?=0D=0ABcc:_x?=", " Bcc: x"),
        (b"=?unicode-escape?q?=5Cud800?=", "=?unicode-escape?q?=5Cud800?="),
        (b"=?utf-7?q?+2AA-?=", "?"),
        (b"=?hex?q?00?=", "00"),
        (b"x" * 5000, "x" * 255),
        (b"=?utf-8?q?" + b"=F0=9F=98=80" * 255 + b"?=", "\U0001f600" * 255),
    ],
)
def test_subjects_are_decoded_and_fit_to_be_stored(value: bytes, subject: str) -> None:
    assert survey(b"Subject:" + value + b"\r\n\r\n", HOSTNAME).subject == subject


@given(shaped_bytes)
def test_no_bytes_make_them_raise(content: bytes) -> None:
    end = split(content)
    block = content[:end]
    facts = survey(block, HOSTNAME)
    (facts.subject + facts.message_id).encode()
    assert "\x00" not in facts.subject + facts.message_id
    cleaned = remove(block, INTERNAL_PREFIXES)
    assert survey(cleaned, HOSTNAME).received == facts.received
    assert well_formed(block).endswith(b"\r\n")


def test_remove_takes_whole_fields_and_nothing_else() -> None:
    kept = b"To: a\r\nSubject: folded\r\n X-MS-Exchange-Organization-SCL: is text here\r\nX-MS-Exchange-Other: 1\r\n"
    block = (
        b"X-MS-Exchange-Organization-SCL: -1\r\n"
        + kept
        + b"x-ms-exchange-organization-authas : Internal\r\n\tfolded\r\n folded again\r\n"
        + b"X-MS-EXCHANGE-CROSSPREMISES-A:1\r\n"
        + b"X-MS-Exchange-Organization-\r\n\r\n"
    )
    assert remove(block, INTERNAL_PREFIXES) == kept + b"\r\n"


@given(fields)
def test_remove_agrees_with_a_filter_over_the_fields(header: list[bytes]) -> None:
    block = b"".join(header) + b"\r\n"
    kept = [one for one in header if not one.lower().startswith(b"x-ms-exchange-organization-")]
    cleaned = remove(block, INTERNAL_PREFIXES)
    assert cleaned == b"".join(kept) + b"\r\n"
    assert (cleaned is block) == (len(kept) == len(header))


def trace_line(**given: Any) -> bytes:
    defaults: dict[str, Any] = {
        "client": Client("192.0.2.7", "mfp.contoso.com", "ESMTPS"),
        "hostname": HOSTNAME,
        "message_id": ID,
        "recipient": "bob@example.net",
        "at": 1793700000.9,
        "tls": "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits)",
        "connector": "SMTP Relay (TLS)",
    }
    return received_line(**(defaults | given))


def test_our_trace_line() -> None:
    assert trace_line() == (
        b"Received: from mfp.contoso.com (unknown [192.0.2.7])\r\n"
        b"\tby relay.contoso.com with ESMTPS id 01arz3ndektsv4rrffq69g5fa\r\n"
        b"\t(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))\r\n"
        b"\t(connector SMTP Relay (TLS))\r\n"
        b"\tfor <bob@example.net>;\r\n"
        b"\tTue, 03 Nov 2026 10:00:00 +0000\r\n"
    )


def test_our_trace_line_without_what_is_not_known() -> None:
    line = trace_line(client=Client("2001:db8::7"), recipient=None, tls="", connector=None)
    assert line == (
        b"Received: from unknown (unknown [IPv6:2001:db8::7])\r\n"
        b"\tby relay.contoso.com with ESMTP id 01arz3ndektsv4rrffq69g5fa;\r\n"
        b"\tTue, 03 Nov 2026 10:00:00 +0000\r\n"
    )


@pytest.mark.parametrize("evil", ["a\r\nBcc: x", "a) by evil.example (", "a;b", "a\\", "((a", "\x00", "é\n"])
def test_nothing_a_stranger_says_gets_out_of_its_place(evil: str) -> None:
    plain = trace_line()
    line = trace_line(client=Client("192.0.2.7", evil, "ESMTPS"), connector=evil)
    assert line.isascii()
    assert [part.split()[0] for part in line.splitlines()] == [part.split()[0] for part in plain.splitlines()]
    for mark in (b"(", b")", b";", b"\\"):
        assert line.count(mark) <= plain.count(mark)
    assert survey(line, HOSTNAME).received_by_us == 1


@given(st.integers(min_value=0, max_value=253402300799))
def test_dates_are_what_the_email_package_reads(at: int) -> None:
    assert parsedate_to_datetime(format_date(at + 0.999)).timestamp() == at


def test_missing_fields_are_completed() -> None:
    add = {"reverse_path": "mfp@contoso.com", "hostname": HOSTNAME, "message_id": ID, "at": 1793700000}
    date, own_id, sender = (
        b"Date: Tue, 03 Nov 2026 10:00:00 +0000\r\n",
        b"Message-ID: <01arz3ndektsv4rrffq69g5fa@relay.contoso.com>\r\n",
        b"From: <mfp@contoso.com>\r\n",
    )
    assert completed(survey(b"To: a\r\n\r\n", HOSTNAME), **add) == date + own_id + sender
    assert completed(survey(b"Date: x\r\nmessage-id: y\r\n\r\n", HOSTNAME), **add) == sender
    assert completed(survey(b"Date: x\r\nMessage-ID: y\r\nFrom: z\r\n\r\n", HOSTNAME), **add) == b""


def test_mail_of_the_null_reverse_path_is_from_the_system() -> None:
    facts = survey(b"Date: x\r\nMessage-ID: y\r\n\r\n", HOSTNAME)
    added = completed(facts, reverse_path="", hostname=HOSTNAME, message_id=ID, at=0)
    assert added == b"From: <MAILER-DAEMON@relay.contoso.com>\r\n"


@pytest.mark.parametrize(
    "unit",
    [
        b"a",
        b"a:\r\n",
        b"Received: by relay.contoso.com\r\n",
        b"Received: by\r\n ",
        b" ",
        b"\r\n ",
        b"Subject: =?utf-8?q?",
        b"=?a?b?",
        b" by",
        b"X-MS-Exchange-Organization-a: b\r\n c\r\n",
    ],
)
@pytest.mark.parametrize("start", [b"", b"Subject:", b"Received:"])
def test_a_mebibyte_made_to_be_slow_is_not(start: bytes, unit: bytes) -> None:
    content = start + unit * (MIB // len(unit))
    began = time.process_time()
    block = content[: split(content)]
    survey(content, HOSTNAME)
    remove(content, INTERNAL_PREFIXES)
    well_formed(block)
    assert time.process_time() - began < 0.5
