import email
import email.message
import email.policy
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.mail import (
    Body,
    Client,
    DsnDuty,
    Envelope,
    MemoryContent,
    Message,
    Notify,
    Outcome,
    Recipient,
    Reply,
    Ret,
    Status,
)
from posthouse.mail.dsn import (
    FULL_LIMIT,
    UNASKED_LIMIT,
    DsnKind,
    compose,
    decode_xtext,
    due,
    encode_xtext,
    returns_content,
    wanted,
)

HEADER = b"Subject: Scan\r\nMessage-ID: <1@mfp.contoso.com>\r\nTo: bob@example.net\r\n\r\n"
CONTENT = HEADER + b"A scan.\r\n"
AT = 1793700000.0

ENVELOPE = Envelope(
    "scanner@contoso.com", (Recipient("bob@example.net"), Recipient("eve@example.net", Notify.FAILURE | Notify.DELAY))
)
UNKNOWN = Reply(550, "5.1.1", "<bob@example.net>: User unknown")
FAILED = Outcome(0, Status.FAILED, UNKNOWN, "mx.example.net [192.0.2.25]", AT + 60)
DEFERRED = Outcome(1, Status.DEFERRED, Reply(451, "4.7.1", "Greylisted"), "mx.example.net [192.0.2.25]", AT + 60)
DELIVERED = Outcome(0, Status.DELIVERED, Reply(250, "2.6.0", "Queued as 77"), "", AT + 60, DsnDuty.FINAL)
RELAYED = replace(DELIVERED, duty=DsnDuty.RELAYED)
PASSED = replace(DELIVERED, duty=DsnDuty.PASSED)


def message_with(envelope: Envelope = ENVELOPE, content: bytes = CONTENT) -> Message:
    return Message("01message", AT, envelope, MemoryContent((content,)), "Scanners", Client("192.0.2.7"))


def dsn(*outcomes: Outcome, envelope: Envelope = ENVELOPE, content: bytes = CONTENT, **given: Any) -> bytes:
    return composed(*outcomes, envelope=envelope, content=content, **given)[1]


def composed(
    *outcomes: Outcome, envelope: Envelope = ENVELOPE, content: bytes = CONTENT, **given: Any
) -> tuple[Envelope, bytes]:
    asked: dict[str, Any] = {"kind": DsnKind.FAILED, "retry_until": None} | given
    return compose(
        message_with(envelope, content),
        outcomes,
        dsn_id="01dsn",
        hostname="relay.contoso.com",
        at=AT + 61,
        returned=content,
        **asked,
    )


def parts(content: bytes) -> tuple[email.message.EmailMessage, ...]:
    parsed = email.message_from_bytes(content, policy=email.policy.default)
    assert parsed.get_content_type() == "multipart/report"
    assert not parsed.defects
    made = tuple(parsed.iter_parts())
    assert len(made) == 3
    return made


def text(content: bytes) -> str:
    return parts(content)[0].get_content()


def status(content: bytes) -> list[email.message.Message]:
    """The groups of fields in the part for programs: the message's, then each recipient's."""
    return parts(content)[1].get_payload()


@pytest.mark.parametrize(
    ("notify", "outcome", "kinds"),
    [
        (Notify.ABSENT, FAILED, {DsnKind.FAILED}),
        (Notify.ABSENT, DEFERRED, set()),
        (Notify.ABSENT, DELIVERED, set()),
        (Notify.ABSENT, RELAYED, set()),
        (Notify.FAILURE, FAILED, {DsnKind.FAILED}),
        (Notify.SUCCESS, FAILED, set()),
        (Notify.DELAY, FAILED, set()),
        (Notify.NEVER, FAILED, set()),
        (Notify.FAILURE | Notify.DELAY, DEFERRED, {DsnKind.DELAYED}),
        (Notify.FAILURE, DEFERRED, set()),
        (Notify.NEVER, DEFERRED, set()),
        (Notify.SUCCESS, DELIVERED, {DsnKind.DELIVERED}),
        (Notify.SUCCESS, RELAYED, {DsnKind.DELIVERED}),
        (Notify.SUCCESS, PASSED, set()),
        (Notify.FAILURE, DELIVERED, set()),
        (Notify.NEVER, RELAYED, set()),
    ],
)
def test_who_wants_which_notification(notify: Notify, outcome: Outcome, kinds: set[DsnKind]) -> None:
    assert {kind for kind in DsnKind if wanted(notify, outcome, kind)} == kinds


def test_what_is_due_leaves_out_the_recipients_that_asked_for_nothing() -> None:
    failed_too = replace(FAILED, recipient=1)
    silent = Envelope("scanner@contoso.com", (Recipient("bob@example.net", Notify.NEVER), ENVELOPE.recipients[1]))
    assert due(ENVELOPE, (FAILED, failed_too), DsnKind.FAILED) == (FAILED, failed_too)
    assert due(silent, (FAILED, failed_too), DsnKind.FAILED) == (failed_too,)


@given(st.sampled_from(DsnKind), st.sampled_from([FAILED, DEFERRED, DELIVERED, RELAYED]), st.sampled_from(list(Notify)))
def test_the_null_reverse_path_never_gets_one(kind: DsnKind, outcome: Outcome, notify: Notify) -> None:
    bounce = Envelope("", (Recipient("bob@example.net", notify), Recipient("eve@example.net", notify)))
    assert due(bounce, (outcome,), kind) == ()


def test_a_failure() -> None:
    envelope, content = composed(FAILED)
    assert envelope == Envelope("", (Recipient("scanner@contoso.com", Notify.NEVER),))
    assert content == (
        b"From: Mail Delivery System <MAILER-DAEMON@relay.contoso.com>\r\n"
        b"To: <scanner@contoso.com>\r\n"
        b"Subject: Undeliverable: Scan\r\n"
        b"Date: Tue, 03 Nov 2026 10:01:01 +0000\r\n"
        b"Message-ID: <01dsn@relay.contoso.com>\r\n"
        b"In-Reply-To: <1@mfp.contoso.com>\r\n"
        b"References: <1@mfp.contoso.com>\r\n"
        b"Auto-Submitted: auto-replied\r\n"
        b"MIME-Version: 1.0\r\n"
        b"Content-Type: multipart/report; report-type=delivery-status;\r\n"
        b' boundary="=_01dsn"\r\n'
        b"\r\n"
        b"This is a delivery status notification in MIME format.\r\n"
        b"\r\n"
        b"--=_01dsn\r\n"
        b"Content-Type: text/plain; charset=us-ascii\r\n"
        b"\r\n"
        b"This is the mail system at relay.contoso.com.\r\n"
        b"\r\n"
        b"Your message could not be delivered to the recipients below.\r\n"
        b"\r\n"
        b"bob@example.net\r\n"
        b"    mx.example.net [192.0.2.25] said: 550 5.1.1 <bob@example.net>: User\r\n"
        b"    unknown\r\n"
        b"\r\n"
        b"Subject: Scan\r\n"
        b"Received: Tue, 03 Nov 2026 10:00:00 +0000\r\n"
        b"Message id at this system: 01message\r\n"
        b"\r\n"
        b"--=_01dsn\r\n"
        b"Content-Type: message/delivery-status\r\n"
        b"\r\n"
        b"Reporting-MTA: dns; relay.contoso.com\r\n"
        b"Arrival-Date: Tue, 03 Nov 2026 10:00:00 +0000\r\n"
        b"\r\n"
        b"Final-Recipient: rfc822; bob@example.net\r\n"
        b"Action: failed\r\n"
        b"Status: 5.1.1\r\n"
        b"Remote-MTA: dns; mx.example.net\r\n"
        b"Diagnostic-Code: smtp; 550 5.1.1 <bob@example.net>: User unknown\r\n"
        b"Last-Attempt-Date: Tue, 03 Nov 2026 10:01:00 +0000\r\n"
        b"\r\n"
        b"--=_01dsn\r\n"
        b"Content-Type: message/rfc822\r\n"
        b"\r\n" + CONTENT + b"\r\n"
        b"--=_01dsn--\r\n"
    )


def test_a_delay_says_until_when_we_try() -> None:
    content = dsn(DEFERRED, kind=DsnKind.DELAYED, retry_until=AT + 3600)
    _, recipient = status(content)
    assert recipient["Action"] == "delayed"
    assert recipient["Status"] == "4.7.1"
    assert recipient["Will-Retry-Until"] == "Tue, 03 Nov 2026 11:00:00 +0000"
    assert "until Tue, 03 Nov 2026 11:00:00 +0000" in text(content)
    assert b"Subject: Delayed: Scan\r\n" in content


def test_a_failure_is_final_whatever_the_schedule_says() -> None:
    assert dsn(FAILED, retry_until=AT + 3600) == dsn(FAILED)


@pytest.mark.parametrize(
    ("outcome", "action", "title"), [(DELIVERED, "delivered", b"Delivered"), (RELAYED, "relayed", b"Relayed")]
)
def test_a_success_says_whether_the_message_arrived_or_only_left(outcome: Outcome, action: str, title: bytes) -> None:
    content = dsn(outcome, kind=DsnKind.DELIVERED)
    assert status(content)[1]["Action"] == action
    assert b"Subject: " + title + b": Scan\r\n" in content


def test_several_recipients_have_a_group_each() -> None:
    content = dsn(DELIVERED, replace(RELAYED, recipient=1), kind=DsnKind.DELIVERED)
    assert [group["Final-Recipient"] for group in status(content)[1:]] == [
        "rfc822; bob@example.net",
        "rfc822; eve@example.net",
    ]
    assert [group["Action"] for group in status(content)[1:]] == ["delivered", "relayed"]
    assert b"Subject: Delivered: Scan\r\n" in content


@pytest.mark.parametrize(
    ("ret", "size", "kind", "body", "whole"),
    [
        (None, UNASKED_LIMIT, DsnKind.FAILED, Body.SEVEN_BIT, True),
        (None, UNASKED_LIMIT + 1, DsnKind.FAILED, Body.SEVEN_BIT, False),
        (Ret.FULL, UNASKED_LIMIT + 1, DsnKind.FAILED, Body.EIGHT_BIT, True),
        (Ret.FULL, FULL_LIMIT + 1, DsnKind.FAILED, Body.SEVEN_BIT, False),
        (Ret.HDRS, 1000, DsnKind.FAILED, Body.SEVEN_BIT, False),
        (Ret.FULL, 1000, DsnKind.DELAYED, Body.SEVEN_BIT, False),
        (Ret.FULL, 1000, DsnKind.DELIVERED, Body.SEVEN_BIT, False),
    ],
)
def test_how_much_of_the_message_comes_back(ret: Ret | None, size: int, kind: DsnKind, body: Body, whole: bool) -> None:
    envelope = replace(ENVELOPE, ret=ret, body=body)
    message = message_with(envelope, HEADER + b"x" * (size - len(HEADER)))
    assert returns_content(message, kind) is whole
    returned = parts(dsn(FAILED, envelope=envelope, content=b"".join(message.content.chunks()), kind=kind))[2]
    assert returned.get_content_type() == ("message/rfc822" if whole else "text/rfc822-headers")
    if not whole:
        assert returned.get_payload() == HEADER.decode()


def test_what_the_sender_gave_us_to_recognise_it_by_comes_back_decoded() -> None:
    recipient = Recipient("bob@example.net", orcpt="rfc822;bob+2Bscan@old.example.net")
    content = dsn(FAILED, envelope=Envelope("scanner@contoso.com", (recipient,), envid="job+2B42+3Da"))
    message, group = status(content)
    assert message["Original-Envelope-Id"] == "job+42=a"
    assert group["Original-Recipient"] == "rfc822; bob+scan@old.example.net"
    assert group["Final-Recipient"] == "rfc822; bob@example.net"


def test_a_fault_of_our_own_names_no_remote_host() -> None:
    local = Outcome(0, Status.FAILED, Reply(550, "5.4.7", "Delivery time expired"), "", AT)
    group = status(dsn(local))[1]
    assert group["Remote-MTA"] is None
    assert group["Diagnostic-Code"] == "x-posthouse; 550 5.4.7 Delivery time expired"


@pytest.mark.parametrize("enhanced", ["", "5.7", "5.1.1\r\nX: y"])
def test_without_a_proper_enhanced_code_the_status_says_only_the_class(enhanced: str) -> None:
    assert status(dsn(replace(FAILED, reply=Reply(550, enhanced, "no"))))[1]["Status"] == "5.0.0"


def test_a_header_that_is_not_plain_is_encoded_and_comes_back_as_it_was() -> None:
    header = "Subject: Grüße\r\nX-Long: ".encode() + b"x" * 2000 + b"\r\nX-Latin: \xe9\r\n\r\n"
    envelope, content = composed(FAILED, envelope=replace(ENVELOPE, ret=Ret.HDRS), content=header + b"body\r\n")
    assert content.isascii()
    assert envelope.body is Body.SEVEN_BIT
    assert max(map(len, content.splitlines())) <= 998
    assert parts(content)[2].get_payload(decode=True) == header
    assert email.message_from_bytes(content, policy=email.policy.default)["Subject"] == "Undeliverable: Grüße"


def test_content_of_8_bits_stays_so_and_the_envelope_says_it() -> None:
    envelope, content = composed(FAILED, content=HEADER + "Grüße\r\n".encode())
    assert envelope.body is Body.EIGHT_BIT
    assert "Grüße\r\n".encode() in content
    assert parts(content)[2]["Content-Transfer-Encoding"] == "8bit"


def test_a_recipient_in_utf8_is_written_in_7_bits_for_a_sender_in_ascii() -> None:
    envelope, content = composed(FAILED, envelope=Envelope("scanner@contoso.com", (Recipient("bücher+=@example.net"),)))
    assert not envelope.smtputf8
    assert content.isascii()
    assert status(content)[1]["Final-Recipient"] == r"utf-8; b\x{FC}cher\x{2B}\x{3D}@example.net"
    assert "bücher+=@example.net" in text(content)


def test_a_sender_in_utf8_gets_everything_in_utf8() -> None:
    smtputf8 = Envelope("jörg@contoso.com", (Recipient("bücher@example.net"),), smtputf8=True)
    envelope, content = composed(FAILED, envelope=smtputf8, content="Subject: Grüße\r\n\r\n".encode())
    assert (envelope.smtputf8, envelope.body) == (True, Body.EIGHT_BIT)
    assert "To: <jörg@contoso.com>\r\n".encode() in content
    assert "Final-Recipient: utf-8; bücher@example.net\r\n".encode() in content
    assert b"Content-Type: message/global-delivery-status\r\n" in content
    assert b"Content-Type: message/global\r\n" in content


EVIL = "a\r\nBcc: x\r\n\r\n--=_01dsn\r\n\x00\x1b[2J\u2028é"


@given(st.sampled_from([EVIL, EVIL * 200, "x" * 5000, "\r\n.\r\n"]) | st.text(max_size=60))
def test_nothing_that_others_said_gets_out_of_its_line(evil: str) -> None:
    outcome = Outcome(0, Status.FAILED, Reply(550, evil, evil), evil, AT)
    xtext = encode_xtext(evil)
    envelope = Envelope("scanner@contoso.com", (Recipient("bob@example.net", orcpt=f"rfc822;{xtext}"),), envid=xtext)
    content = dsn(outcome, envelope=envelope)
    assert len(status(content)) == 2
    assert {name.lower() for group in status(content) for name in group} <= {
        "reporting-mta", "original-envelope-id", "arrival-date", "original-recipient", "final-recipient",
        "action", "status", "remote-mta", "diagnostic-code", "last-attempt-date",
    }  # fmt: skip
    assert content.isascii()
    assert max(map(len, content.split(b"\r\n"))) <= 998
    assert content.count(b"\n") == content.count(b"\r") == content.count(b"\r\n")
    assert b"\x1b" not in content


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"]), max_size=20))
def test_xtext_reads_what_it_writes(words: str) -> None:
    written = encode_xtext(words)
    assert decode_xtext(written) == words
    assert set(written) <= set(map(chr, range(33, 127))) - {"="}


@pytest.mark.parametrize(
    ("xtext", "words"), [("a+2Bb", "a+b"), ("a+2bb", "a+b"), ("a+zz+2", "a+zz+2"), ("+FF", "\ufffd"), ("", "")]
)
def test_xtext_that_is_none_stays_as_it_is(xtext: str, words: str) -> None:
    assert decode_xtext(xtext) == words
