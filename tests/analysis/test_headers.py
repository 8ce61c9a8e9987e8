"""The headers of `headers/` as they come out of mail programs, ticket systems and editors: always the same fields."""

import email
import email.policy
import random
import re
import sysconfig
import textwrap
import time
from collections.abc import Callable
from email.message import EmailMessage
from email.parser import BytesHeaderParser
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.analysis.headers import FIELD_LIMIT, LIMIT, Field, by_name, fields
from posthouse.analysis.hops import Hop, hops
from posthouse.analysis.received import parse_received
from posthouse.analysis.report import HOP_LIMIT

WHOLE = sorted((Path(__file__).parent / "headers").glob("*.txt"))
BODY = "\n\nSee below\nReceived: from the body by nobody; Tue, 3 Nov 2026 10:00:00 +0000\nSubject: no\n"
AUTHORS = re.compile(r"\n(?=(?:From|To|Date|Subject|Message-ID|MIME-Version|Content-Type):)")
GMAIL_TABLE = """\
Original Message
Message ID\t<1@mfp>
Created at:\tTue, Nov 3, 2026 at 10:00 AM (Delivered after 7 seconds)
From:\tScanner <scanner@contoso.com>
To:\tbob@example.net
Subject:\tA scan
SPF:\tPASS with IP 203.0.113.5 Learn more
DKIM:\t'PASS' with domain contoso.com Learn more
DMARC:\t'PASS' Learn more
Download Original Copy to clipboard
"""


def understood(raw: bytes) -> list[tuple[str, str]]:
    return [(field.name, " ".join(field.value.split())) for field in fields(raw)]


def by_line(change: Callable[[str], str]) -> Callable[[str], str]:
    return lambda text: "\n".join(change(line) for line in text.split("\n"))


def unfolded(text: str) -> list[str]:
    return text.replace("\n\t", " ").replace("\n ", " ").split("\n")


def wrapped_anew(text: str) -> str:
    """As a mail program wraps what is pasted: in the middle of values, without a sign of it."""
    lines = (textwrap.wrap(line, 72, break_long_words=False, break_on_hyphens=False) for line in unfolded(text))
    return "\n".join(part for parts in lines for part in parts)


MANGLED: dict[str, Callable[[str], str]] = {
    "nothing": lambda text: text,
    "with its body": lambda text: text + BODY,
    "CRLF": lambda text: (text + BODY).replace("\n", "\r\n"),
    "CR": lambda text: (text + BODY).replace("\n", "\r"),
    "CR CR LF": lambda text: (text + BODY).replace("\n", "\r\r\n"),
    "CRLF here and LF there": lambda text: (text + BODY).replace("\n", "\r\n", 7),
    "blank lines above": lambda text: "\n \r\n\t\n" + text + BODY,
    "an mbox line": lambda text: "From scanner@contoso.com Tue Nov  3 10:00:00 2026\n" + text + BODY,
    "Outlook's old first line": lambda text: "Microsoft Mail Internet Headers Version 2.0\n" + text,
    "a blank line after each": lambda text: (text + BODY).replace("\n", "\n\n"),
    "a blank line between fields": lambda text: "\n\n".join(wrapped_anew(line) for line in unfolded(text)),
    "a blank line between folded fields": lambda text: re.sub(r"\n(?![ \t])", "\n\n", text),
    "a blank line below the trace": lambda text: AUTHORS.sub("\n\n", text, count=1) + BODY,
    "lost folding": by_line(str.strip),
    "lost folding, with its body": lambda text: by_line(str.strip)(text) + BODY,
    "wrapped anew": wrapped_anew,
    "unfolded": lambda text: "\n".join(unfolded(text)),
    "tabs to spaces": lambda text: text.expandtabs(8),
    "spaces to no-break spaces": lambda text: text.replace(" ", "\xa0"),
    "white space behind": by_line(lambda line: line + " \t"),
    "indented": by_line(lambda line: "    " + line),
    "indented at the first line": lambda text: "  " + text,
    "quoted": by_line(lambda line: "> " + line),
    "quoted without a space": by_line(lambda line: ">" + line),
    "quoted twice": by_line(lambda line: "> > " + line),
    "quoted, with its body": lambda text: by_line(lambda line: f"> {line}".rstrip())(text + BODY),
    "prose above": lambda text: f"Hello,\n\nwhere has it been? Here are\nthe headers:\n\n{text}\n\nRegards: Bob\n",
    "prose right above": lambda text: "The headers as I have them, and thank you\n" + text,
    "a forwarded message above": lambda text: (
        f"FW: late\n\nFrom: Bob\nSent: Tuesday\nTo: Help\nSubject: late\n\n{text}"
    ),
    "an answer above": lambda text: "On Tuesday, Bob wrote:\n\n" + by_line(lambda line: "> " + line)(text),
    "Gmail's table above": lambda text: f"{GMAIL_TABLE}\n{text}",
    "Gmail's table right above": lambda text: GMAIL_TABLE + text,
    "zero width spaces": lambda text: text.replace("\n", "\u200b\n\ufeff"),
    "quotes and hyphens of a word processor": lambda text: text.replace('"', "\u201d").replace("-0", "\u20130"),
}


@pytest.mark.parametrize("file", WHOLE, ids=lambda file: file.stem)
@pytest.mark.parametrize("mangle", MANGLED.values(), ids=MANGLED)
def test_however_it_was_copied_the_fields_are_the_same(mangle: Callable[[str], str], file: Path) -> None:
    text = file.read_text(encoding="utf-8").partition("\n\n")[0]
    expected = [(name, " ".join(value.split())) for name, value in email.message_from_string(text).raw_items()]
    assert understood(mangle(text).encode()) == expected


@pytest.mark.parametrize(
    "charset", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-32", "cp1252", "iso-8859-1", "iso-8859-15"]
)
def test_charsets(charset: str) -> None:
    assert by_name(fields("Subject: Grüße\r\nTo: bob\r\n".encode(charset))) == {"subject": ["Grüße"], "to": ["bob"]}


def test_a_body_in_another_charset_does_no_harm_to_the_header() -> None:
    assert by_name(fields("Subject: Grüße".encode() + b"\n\nGr\xfc\xdfe")) == {"subject": ["Grüße"]}


def test_what_a_word_processor_makes_of_a_subject_is_the_authors_business() -> None:
    assert fields("Subject: “Hi” – ho".encode()) == (Field(0, "Subject", "“Hi” – ho"),)


@pytest.mark.parametrize("value", ["a\x1b[2Jb", "a\x9b2Jb", "a\u202eb", "a\x00b", "a\u2028b"])
def test_nothing_gets_out_that_could_take_over_a_terminal(value: str) -> None:
    ((_, text),) = understood(f"X: {value}\nY: ".encode())[:1]
    assert text.isprintable()
    assert text.startswith("a")
    assert text.endswith("b")


@pytest.mark.parametrize(
    ("raw", "expected"),
    [
        # What a lost fold leaves may look like a field.
        ("Received: from a\nfe80::1) by b\n2001:db8::1 x\n10:00:00 +0000\nTo:bob", "Received|To"),
        ("DKIM-Signature: v=1; h=from\nto:subject:date;\nb=ab:c\nTo: bob", "DKIM-Signature|To"),
        ("X-Forefront-Antispam-Report:\nCIP:192.0.2.1;\nSCL:1;DIR:INB\nTo: bob", "X-Forefront-Antispam-Report|To"),
        ("X-A: see\nhttps://contoso.com/a\nTo: bob", "X-A|To"),
        # Where folding is kept it is one.
        ("DKIM-Signature: v=1;\n h=from;\nTo:bob", "DKIM-Signature|To"),
        ("X-A.b_c/d: 1\nX-1:\nTo : bob", "X-A.b_c/d|X-1|To"),
        # A line of white space ends nothing where the header goes on below it.
        ("From: a\nX-A: b\n \n\t\n c\n \nTo: d\n \nbody", "From|X-A|To"),
        # A blank line ends a header.
        ("From: a\nX-A: b\n\nTo: c", "From|X-A"),
        ("Subject: a\nX-A: b\n\nReceived: 3 boxes\nTo: b", "Subject|X-A"),
        ("From: a\nDate: b\nMessage-ID: c\n\nReceived: from d by e\n", "From|Date|Message-ID"),
        ("Received: from a\nX-A: b\n\nbody: 1 2\n\nTo: b", "Received|X-A|body|To"),
        ("Received: from a\nX-A: b\n\nbody\n\nTo: b", "Received|X-A"),
        ("", ""),
        ("no field at all\n\nneither here", ""),
    ],
)
def test_where_fields_and_headers_begin_and_end(raw: str, expected: str) -> None:
    assert "|".join(field.name for field in fields(raw.encode())) == expected


names = st.from_regex(r"[A-Za-z][A-Za-z0-9-]{0,20}", fullmatch=True)
texts = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=30)
values = st.lists(texts, min_size=1, max_size=4).map("\r\n\t".join) | st.tuples(texts, texts).map("\r\n \t\r\n ".join)
REQUIRED = (("Received", "from a by b"), ("From", "a@b.example"), ("Date", "Tue, 3 Nov 2026 10:00:00 +0000"))


@given(st.lists(st.tuples(names, values), max_size=8), st.lists(st.tuples(names, values), max_size=3), st.randoms())
def test_a_message_as_it_is_on_disk_is_read_as_by_pythons_email(
    header: list[tuple[str, str]], body: list[tuple[str, str]], order: random.Random
) -> None:
    lines = [*REQUIRED, *header]
    order.shuffle(lines)
    raw = "\r\n".join([*map(": ".join, lines), "", *map(": ".join, body)]).encode()
    expected = email.message_from_bytes(raw, policy=email.policy.compat32).raw_items()
    assert understood(raw) == [(name, " ".join(str(value).split())) for name, value in expected]


def written(policy: email.policy.Policy) -> bytes:
    message = EmailMessage()
    message["Received"] = "from a by b with SMTP id 1 for <bob@example.net>; Tue, 3 Nov 2026 10:00:00 +0000"
    message["From"] = "Scanner 4, Lager Süd <scanner@contoso.com>"
    message["Date"] = "Tue, 3 Nov 2026 10:00:00 +0000"
    message["Subject"] = "Grüße " * 30
    message.set_content("Received: from the body\n")
    message.add_attachment(b"From: x\n\n", maintype="application", subtype="octet-stream")
    return message.as_bytes(policy=policy)


POLICIES = (email.policy.SMTP, email.policy.SMTPUTF8, email.policy.default, email.policy.SMTP.clone(max_line_length=30))
PYTHONS_OWN = [
    file.read_bytes()
    for file in sorted(Path(sysconfig.get_path("stdlib"), "test").rglob("*"))
    if file.suffix == ".eml" or (file.suffix == ".txt" and file.parent.name == "data")
]


@pytest.mark.parametrize("raw", [*map(written, POLICIES), *PYTHONS_OWN])
def test_messages_that_python_writes_and_tests_its_email_with(raw: bytes) -> None:
    header = BytesHeaderParser(policy=email.policy.compat32).parsebytes(raw)
    expected = [(name, " ".join(str(value).split())) for name, value in header.raw_items()]
    assert len(read(raw)) == sum(name.lower() == "received" for name, _ in expected)
    if not header.defects:
        assert [name for name, _ in understood(raw)] == [name for name, _ in expected]


def read(raw: bytes) -> tuple[Hop, ...]:
    return hops(parse_received(value) for value in reversed(by_name(fields(raw)).get("received", [])[:HOP_LIMIT]))


PIECES = (
    b"Received: |from a.example |(b [192.0.2.1]) |by c |; |3 Nov 2026 10:00:00 +0000|\r\n|\n\n| |> |Subject: |From: |"
    b"\x00|\xff|\xfe\xff|\xe2\x80\x8b|Copy to clipboard\n|DKIM-Signature: "
).split(b"|")


@given(st.lists(st.sampled_from(PIECES) | st.binary(max_size=4), max_size=40).map(b"".join))
def test_no_bytes_make_it_raise(raw: bytes) -> None:
    assert all(hop.number for hop in read(raw))


@given(st.data())
def test_no_damage_to_a_real_header_makes_it_raise(data: st.DataObject) -> None:
    raw = data.draw(st.sampled_from(WHOLE)).read_bytes()
    start, end = sorted((data.draw(st.integers(0, len(raw))), data.draw(st.integers(0, len(raw)))))
    way = read(raw[:start] + data.draw(st.binary(max_size=5)) + raw[end:])
    assert sum(hop.share for hop in way) < 1.001


SLOW = (
    b"\0", b"\xff", b">", b"> \n", b"\n", b" \n\t", b"\r\r", b" a\n", b"a:\n", b"a:\n\n", b"    a: b\n", b"a: b\n c\n",
    b"\t\tx", b"(", b"a", b"a) (", b'a"', b"1.", b"fe80::", b"[192.0.2.1 ", b"3 Nov 26 ", b"10:00:00 ", b"TLS1 ",
    b'DN="CN=', b"(helo=",
)  # fmt: skip


@pytest.mark.parametrize("unit", SLOW)
@pytest.mark.parametrize("start", [b"", b"Received: from a (cipher= "])
def test_a_mebibyte_made_to_be_slow_is_not(start: bytes, unit: bytes) -> None:
    lines = b"\n" not in unit and start != b""
    line = (start + unit * (8192 // len(unit)) + b"\n") if lines else start + unit * (LIMIT // len(unit))
    raw = line * (LIMIT // len(line))
    began = time.process_time()
    read(raw)
    assert time.process_time() - began < 2  # a third of a second, and room for a slower machine


def test_there_is_an_end_to_fields() -> None:
    assert len(fields(b"a: b\n" * (FIELD_LIMIT + 1))) == FIELD_LIMIT


def test_what_stands_behind_the_limit_is_not_looked_at() -> None:
    cut = "ä".encode() * (LIMIT // 2) + b"\nTo: bob"
    assert [field.name for field in fields(b"X:" + cut)] == ["X"]
