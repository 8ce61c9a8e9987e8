"""Other addresses for senders, in envelope and header."""

from __future__ import annotations

import time
from email import message_from_bytes, policy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.organization import Rewriting
from posthouse.organization.fields import Invalid, rewriting
from posthouse.organization.rewriting import Rewriter

EVERYONE = Rewriter([Rewriting("*", "scanner@contoso.com")])
MAP = Rewriter(
    [
        Rewriting("fax@printers.local", "office@contoso.com"),
        Rewriting("@printers.local", "@contoso.com"),
        Rewriting("*", "relay@contoso.com"),
    ]
)


def header(*lines: str) -> bytes:
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


@pytest.mark.parametrize(
    ("address", "becomes"),
    [
        ("fax@printers.local", "office@contoso.com"),
        ("FAX@Printers.Local", "office@contoso.com"),
        ("tray-2@printers.local", "tray-2@contoso.com"),
        ('"tray 2"@printers.local', '"tray 2"@contoso.com'),
        ("root@elsewhere.example", "relay@contoso.com"),
        ("root", "relay@contoso.com"),
        ("", ""),
    ],
)
def test_the_most_exact_rule_counts(address: str, becomes: str) -> None:
    assert MAP.address(address) == becomes


@pytest.mark.parametrize("domain", ["bücher.example", "BÜCHER.example.", "xn--bcher-kva.example"])
def test_a_domain_in_any_of_its_forms(domain: str) -> None:
    rewriter = Rewriter([Rewriting("fax@xn--bcher-kva.example", "office@contoso.com")])
    assert rewriter.address(f"fax@{domain}") == "office@contoso.com"


def test_an_address_that_would_need_smtputf8_is_refused() -> None:
    """The device that is rewritten, and its mail, may know nothing of it."""
    with pytest.raises(Invalid, match="write one in ASCII"):
        rewriting("skåner@contoso.com")
    assert rewriting("a@bücher.example") == Rewriting("*", "a@xn--bcher-kva.example")


def test_a_sender_without_a_rule_stays() -> None:
    rewriter = Rewriter([Rewriting("@printers.local", "@contoso.com")])
    block = header("From: anna@contoso.com", "Subject: x")
    assert rewriter.address("anna@contoso.com") == "anna@contoso.com"
    assert rewriter.header(block) is block


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ("a@x.example", "scanner@contoso.com"),
        ("<a@x.example>", "<scanner@contoso.com>"),
        ("Scanner 2 <a@x.example>", "Scanner 2 <scanner@contoso.com>"),
        ('"Scanner, 2 <b@y.example>" <a@x.example>', '"Scanner, 2 <b@y.example>" <scanner@contoso.com>'),
        ("a@x.example (b@y.example)", "scanner@contoso.com (b@y.example)"),
        ("(one (two) c@z.example) a@x.example", "(one (two) c@z.example) scanner@contoso.com"),
        ("b@y.example <a@x.example>", "b@y.example <scanner@contoso.com>"),
        ('"a \\" b"@x.example', "scanner@contoso.com"),
        ('A <"a b"@x.example>', "A <scanner@contoso.com>"),
        ("<@route.example,@two.example:a@x.example>", "<@route.example,@two.example:scanner@contoso.com>"),
        ("=?utf-8?q?Sk=C3=A5nner?= <a@x.example>", "=?utf-8?q?Sk=C3=A5nner?= <scanner@contoso.com>"),
        ("Skånner <å@x.example>", "Skånner <scanner@contoso.com>"),
        ("A <a@x.example>, b@x.example", "scanner@contoso.com"),
        ("Scanners: a@x.example, B <b@x.example>;", "scanner@contoso.com"),
    ],
)
def test_the_address_in_a_from_however_it_is_written(value: str, becomes: str) -> None:
    rewritten = EVERYONE.header(header("Subject: x", f"From: {value}", "To: b@y.example"))
    assert rewritten == header(f"Reply-To: {value}", "Subject: x", f"From: {becomes}", "To: b@y.example")


@pytest.mark.parametrize(
    ("value", "becomes"),
    [
        ("Scanner 2", "Scanner 2 <scanner@contoso.com>"),
        ("Scanner <>", "Scanner <scanner@contoso.com>"),
        ("", "scanner@contoso.com"),
        ('"Scanner 2', "Scanner 2 <scanner@contoso.com>"),
        ("Scanner (2", "Scanner  2 <scanner@contoso.com>"),
        ("Scanner\\", "Scanner <scanner@contoso.com>"),
    ],
)
def test_a_from_without_an_address_gets_one_and_nobody_is_to_reply_to_what_was_there(value: str, becomes: str) -> None:
    assert EVERYONE.header(header("Subject: x", f"From: {value}")) == header("Subject: x", f"From: {becomes}")


def test_each_of_several_senders() -> None:
    """Where they stay several: Exchange wants a Sender for them (550 5.1.20), and for one twice too."""
    block = header("From: Fax <fax@printers.local>, tray-2@printers.local", "Reply-To: r@x.example")
    assert MAP.header(block) == header("From: Fax <office@contoso.com>, tray-2@contoso.com", "Reply-To: r@x.example")


def test_a_second_from_is_rewritten_too() -> None:
    block = header("From: a@x.example", "Subject: x", "From: b@x.example")
    assert EVERYONE.header(block) == header(
        "Reply-To: a@x.example", "From: scanner@contoso.com", "Subject: x", "From: scanner@contoso.com"
    )


def test_a_folded_from_and_a_sender() -> None:
    block = header("FROM: Somebody", "  <a@x.example>", "Sender: a@x.example", "Subject: x")
    assert EVERYONE.header(block) == header(
        "Reply-To: Somebody",
        "  <a@x.example>",
        "FROM: Somebody",
        "  <scanner@contoso.com>",
        "Sender: scanner@contoso.com",
        "Subject: x",
    )


def test_a_reply_to_that_is_there_stays_the_only_one() -> None:
    block = header("From: a@x.example", "Reply-To: desk@contoso.com")
    assert EVERYONE.header(block) == header("From: scanner@contoso.com", "Reply-To: desk@contoso.com")


def test_a_from_in_the_subject_is_none() -> None:
    block = header("Subject: x", " From: a@x.example", "X-From: b@y.example")
    assert EVERYONE.header(block) is block


@given(st.text(alphabet='ab@<>"()\\,;: \t=.', max_size=60))
def test_whatever_a_from_holds_nothing_else_changes(value: str) -> None:
    block = header("Subject: x", f"From: {value}", "Reply-To: r@x.example", "To: b@y.example")
    rewritten = EVERYONE.header(block)
    parsed = message_from_bytes(rewritten, policy=policy.compat32)
    assert (parsed["Subject"], parsed["To"], parsed["Reply-To"]) == ("x", "b@y.example", "r@x.example")
    assert "scanner@contoso.com" in parsed["From"]


@pytest.mark.parametrize("unit", ['"', '\\"', "(", "<", '<"', "a@", "a@x ", '"a"@', "\r\n "])
def test_a_hostile_from_takes_linear_time(unit: str) -> None:
    def seconds(count: int) -> float:
        block = b"From: " + unit.encode() * count + b"\r\n\r\n"
        begin = time.process_time()
        EVERYONE.header(block)
        return time.process_time() - begin

    seconds(2000)
    assert seconds(160_000) < 40 * max(seconds(10_000), 0.002)
