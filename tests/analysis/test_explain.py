"""Replies in whatever shows them, and the best of what is known about each."""

import time
from collections.abc import Callable

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from posthouse.analysis import explain, explain_reply
from posthouse.analysis.bounce import REPLY_LIMIT, replies_in
from posthouse.analysis.knowledge import entries
from posthouse.mail import Reply

MIB = 1 << 20


def replies(text: str | bytes) -> list[str]:
    return [explanation.reply for explanation in explain(text)]


def titles(text: str | bytes) -> list[str]:
    return [explanation.title for explanation in explain(text)]


def test_an_explanation_as_json() -> None:
    (explanation,) = explain("550 5.7.68 TenantInboundAttribution; Direct Send not allowed")
    assert explanation.to_json() == {
        "reply": "550 5.7.68 TenantInboundAttribution; Direct Send not allowed",
        "title": explanation.title,
        "causes": list(explanation.causes),
        "remedies": list(explanation.remedies),
        "sources": list(explanation.sources),
        "permanent": True,
    }
    assert any(source.startswith("https://techcommunity.microsoft.com/") for source in explanation.sources)
    assert any("`reject_direct_send" in remedy for remedy in explanation.remedies)


@pytest.mark.parametrize(
    ("text", "permanent"), [("550 5.1.1 no", True), ("451 no", False), ("4.4.7", False), ("User unknown", None)]
)
def test_whether_it_is_final(text: str, permanent: bool | None) -> None:
    assert [explanation.permanent for explanation in explain(text)] == [permanent]


POSTFIX_LOG = """Nov 24 10:00:00 mx postfix/smtp[7]: 4F2: to=<b@example.net>, delay=4.5.1, dsn=5.7.51, status=bounced \
(host mx[192.0.2.25] said: 550 5.7.51 no (in reply to RCPT TO command))"""
EXIM_LOG = """2026-11-24 10:00:00 1gs ** b@example.net R=dns T=smtp H=mx [192.0.2.25]:25: SMTP error from remote mail \
server after RCPT TO:<b@example.net>: 550 no"""


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("550 5.7.1 no", ["550 5.7.1 no"]),
        ("550", ["550"]),
        ("5.7.708", ["5.7.708"]),
        ("Status code: 5.7.708", ["5.7.708"]),
        ("> 550 5.7.1 no", ["550 5.7.1 no"]),
        ("C: RCPT TO:<b@example.net>\nS: 550 no\nC: QUIT\nS: 221 bye", ["550 no"]),
        (" ~> RCPT TO:<b@example.net>\n<** 550 no\n ~> QUIT", ["550 no"]),
        (">>> RCPT To:<b@example.net>\n<<< 553 5.1.3 no", ["553 5.1.3 no"]),
        ("SMTP>> RCPT TO:<b@example.net>\nSMTP<< 550 no", ["550 no"]),
        ("550-5.7.26 a\n550-5.7.26 b\n550 5.7.26 c", ["550 5.7.26 a b c"]),
        ("550-5.7.26 a 550-5.7.26 b 550 5.7.26 c", ["550 5.7.26 a b c"]),
        ("550-a\n550-b\n550 c", ["550 a b c"]),
        ("Remote Server returned '550 5.7.51 no'", ["550 5.7.51 no"]),
        ("mx #<mx #5.7.51 smtp;530 5.7.51 no> #SMTP#", ["530 5.7.51 no"]),
        ("#550 5.7.51 no ##", ["550 5.7.51 no"]),
        ("Sorry, it didn't work out. (#5.7.51)", ["5.7.51 Sorry, it didn't work out."]),
        (POSTFIX_LOG, ["550 5.7.51 no"]),
        (EXIM_LOG, ["550 no"]),
        ('{"event": "deferred", "reply": "451 4.7.51 no"}', ["451 4.7.51 no"]),
        ("[{LED=450 4.4.316 Connection refused [Message=Socket error code 10061]};{MSG=}]", None),
    ],
)
def test_a_reply_is_found_where_it_stands(text: str, expected: list[str] | None) -> None:
    found = replies(text)
    assert found == expected if expected else len(found) == 1


@pytest.mark.parametrize(
    "text",
    [
        "",
        "hello",
        "Received: from a by b id 15.20.7135.17",
        "size 550 bytes at 10.5.7.1",
        "SPF and a virus",
        "1550 5.7.1x",
        "12:30:45",
    ],
)
def test_other_numbers_are_no_replies(text: str) -> None:
    assert explain(text) == ()


def test_folded_lines_belong_together() -> None:
    text = "<b@example.net>: host mx[192.0.2.25] said: 554 5.7.1\n    <b@example.net>: Relay\n    access denied\n\nNext"
    assert replies(text) == ["554 5.7.1 <b@example.net>: Relay access denied"]


def test_each_line_of_a_log_is_its_own() -> None:
    assert replies("451 4.3.1 Insufficient system resources\n554 5.7.1 Relay access denied\nthen nothing") == [
        "451 4.3.1 Insufficient system resources",
        "554 5.7.1 Relay access denied",
    ]


def test_what_was_accepted_is_explained_only_where_nothing_was_refused() -> None:
    dialogue = "220 mx ESMTP\n250 2.1.0 Sender OK\n{}\n221 bye"
    assert replies(dialogue.format("550 5.7.1 no")) == ["550 5.7.1 no"]
    assert len(explain(dialogue.format(""))) == 1


def test_the_same_is_said_once() -> None:
    assert len(explain("550 5.1.1 <a@b.example>: User unknown\n550 5.1.1 <c@b.example>: User unknown")) == 1


def test_what_is_special_comes_before_what_codes_mean_in_general() -> None:
    first, second = explain("550 5.5.2 odd\n550 5.7.51 TenantInboundAttribution; Rejecting")
    assert first.reply.startswith("550 5.7.51")
    assert second.reply == "550 5.5.2 odd"


def test_a_reply_that_quotes_another_is_explained_by_that_one() -> None:
    expired = "Delivery time expired; the last answer was: 451 4.4.1 mx.example.net [192.0.2.25]:25: Connection refused"
    refused = explain("451 4.4.1 mx.example.net [192.0.2.25]:25: Connection refused")[0].title
    explanation = explain_reply(Reply(550, "5.4.7", expired))
    assert explanation.title == refused == titles(f"550 5.4.7 {expired}")[0]
    assert explanation.reply == f"550 5.4.7 {expired}"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (
            "SmtpException: the client was not authenticated. The server response was: 5.7.57 Client not authenticated",
            "5.7.57 Client not authenticated",
        ),
        (
            "smtplib.SMTPDataError: (554, b'5.2.252 SendAsDenied; a@contoso.com not allowed to send as b@contoso.com')",
            "554 5.2.252 SendAsDenied; a@contoso.com not allowed to send as b@contoso.com",
        ),
        ("{'b@example.net': (550, b\"5.1.1 There isn't such a user\")}", "550 5.1.1 There isn't such a user"),
        ("SMTPAuthenticationError: (535, b'Incorrect authentication data')", "535 Incorrect authentication data"),
    ],
)
def test_replies_as_net_and_python_quote_them(text: str, told: str) -> None:
    assert replies(text) == [told]
    assert titles(text) == titles(told)


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Send-MailMessage : Unable to read data from the transport connection: net_io_connectionclosed.", "hung up"),
        ("An existing connection was forcibly closed by the remote host", "hung up"),
        ("smtplib.SMTPServerDisconnected: Connection unexpectedly closed", "hung up"),
        ("No connection could be made because the target machine actively refused it 192.0.2.25:25", "nothing listens"),
        (
            "A connection attempt failed because the connected party did not properly respond after a period of time",
            "timed out",
        ),
    ],
)
def test_what_windows_and_python_say_without_a_reply(text: str, title: str) -> None:
    assert title in titles(text)[0]


def test_words_alone_will_do() -> None:
    assert len(titles("b@example.net\n  Unrouteable address")) == 1
    assert titles("Relay access denied") == titles("554 5.7.1 Relay access denied")


def test_a_reply_can_never_take_over_a_terminal() -> None:
    assert "\x1b" not in explain_reply(Reply(550, "5.1.1", "no\x1b[2J\nway")).reply


def test_bytes_and_utf_16_as_windows_writes_it() -> None:
    assert replies(b"550 5.1.1 no \xff") == ["550 5.1.1 no \N{REPLACEMENT CHARACTER}"]
    assert replies("550 5.1.1 no\r\n".encode("utf-16")) == ["550 5.1.1 no"]


def test_no_more_than_so_many_replies_are_taken() -> None:
    log = "\n".join(f"550 5.7.1 number {number}" for number in range(REPLY_LIMIT + 50))
    assert len(list(replies_in(log))) == REPLY_LIMIT


WORDS = (
    "550 ",
    "550",
    "5.7.1",
    "#",
    ":",
    ";",
    "'",
    "(",
    ")",
    "<",
    ">",
    "-",
    " ",
    "\n",
    "\r\n",
    "\n\n",
    "S: ",
    "said: ",
)
MIME = (
    "\n--b\n",
    "Content-Type: message/delivery-status\n\n",
    "Content-Transfer-Encoding: base64\n",
    "Content-Transfer-Encoding: quoted-printable\n",
    "Action: failed\n",
)
FIELDS = ("Content-Type: multipart/report; boundary=b\n\n", "Diagnostic-Code: ", "Status: ", "no such user", "\x1b")
PIECES = st.sampled_from(WORDS + MIME + FIELDS)


def test_a_number_too_long_for_python_in_html() -> None:
    assert explain(b"Content-Type: text/html\n\n&#" + b"9" * 5000 + b";<p>550 5.1.1 no such user</p>")


@given(st.one_of(st.binary(max_size=300), st.text(max_size=300), st.lists(PIECES, max_size=40).map("".join)))
def test_whatever_the_text_is(text: str | bytes) -> None:
    for explanation in explain(text):
        assert explanation.title
        assert explanation.reply.isprintable() or "\n" not in explanation.reply


@given(st.integers(0, 999), st.text(max_size=12), st.text(max_size=60))
@example(550, "5.7.x", "")
@example(550, "5.7.\N{SUPERSCRIPT TWO}", "")
def test_whatever_the_reply_is(code: int, enhanced: str, text: str) -> None:
    explanation = explain_reply(Reply(code, enhanced, text))
    assert explanation.causes
    assert explanation.remedies


MULTIPART = b"Content-Type: multipart/mixed; boundary=b\n\n"
STATUS = b"\n--b\nContent-Type: message/delivery-status\n\n"


@pytest.mark.parametrize(
    "hostile",
    [
        lambda size: b"550-" * (size // 4),
        lambda size: b"550 5.7.1 " * (size // 10),
        lambda size: b"5.5.5" * (size // 5),
        lambda size: b"550" + b" " * size,
        lambda size: b":" + b" " * size,
        lambda size: b" a\n" * (size // 3),
        lambda size: b"550-\n" * (size // 5),
        lambda size: b"250 ok\n" * (size // 7),
        lambda size: b"relay access denied\n" * (size // 20),
        lambda size: b"<" * size,
        lambda size: MULTIPART + b"\n--b\n" * (size // 5),
        lambda size: MULTIPART + b"\n--b\nContent-Type: multipart/mixed; boundary=b\n\n" * (size // 48),
        lambda size: MULTIPART + b"\n--b\nContent-Type: text/html\n\n" + b"<p" * (size // 2),
        lambda size: MULTIPART + STATUS + b"Status: 5.1.1\n\n" * (size // 15),
        lambda size: b"Content-Type: text/plain\n" + b"X: y\n" * (size // 5),
    ],
)
def test_time_grows_with_the_length_only(hostile: Callable[[int], bytes]) -> None:
    entries()
    taken: list[float] = []
    for size in (MIB // 4, MIB):
        began = time.process_time()
        explain(hostile(size))
        taken.append(time.process_time() - began)
    assert taken[1] < 8 * taken[0] + 0.2
