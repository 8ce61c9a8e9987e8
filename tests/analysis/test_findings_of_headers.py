"""What an expert would point out in whole headers, and what in single fields."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from posthouse.analysis import HeaderReport, analyze


def told(report: HeaderReport) -> list[tuple[str, str, str]]:
    """Severity, header, and how the text begins."""
    return [(finding.severity, finding.header, " ".join(finding.text.split()[:4])) for finding in report.findings]


@pytest.mark.parametrize(
    ("name", "findings"),
    [
        ("scanner-relay-microsoft-gmail", []),
        ("relay-to-mailbox", []),
        ("mailbox-to-gmail", [("warning", "DKIM-Signature", "DKIM passed for contoso.onmicrosoft.com,")]),
        (
            "direct-send",
            [
                ("error", "X-Forefront-Antispam-Report", "Microsoft 365 judged the"),
                ("error", "Authentication-Results", "DMARC gave fail at"),
                ("warning", "X-MS-Exchange-CrossTenant-FromEntityHeader", "Mail from contoso.com came"),
                ("warning", "Authentication-Results", "SPF gave softfail at"),
                ("warning", "Authentication-Results", "CompAuth gave fail at"),
                ("warning", "X-Microsoft-Antispam-Mailbox-Delivery", "It was put into"),
                ("warning", "Message-ID", "There is no Message-ID:"),
                ("warning", "Received", "Hop 1 from mfp"),
                ("info", "Authentication-Results", "DKIM gave none at"),
            ],
        ),
        (
            "high-risk-pool",
            [
                ("warning", "Received", "It left Microsoft 365"),
                ("warning", "X-Forefront-Antispam-Report", "Microsoft 365 judged the"),
            ],
        ),
        (
            "relay-pool",
            [
                ("warning", "Received", "It left Microsoft 365"),
                ("warning", "Authentication-Results", "DMARC gave fail at"),
                ("warning", "DKIM-Signature", "DKIM passed for contoso.onmicrosoft.com,"),
                ("info", "Received", "Hop 2 to HK2PEPF00006FB4.mail.protection.outlook.com"),
            ],
        ),
        (
            "arc-through-a-list",
            [
                ("warning", "Authentication-Results", "DKIM gave fail at"),
                ("warning", "Authentication-Results", "DMARC gave fail at"),
            ],
        ),
        (
            "spam-from-outside",
            [
                ("error", "X-Forefront-Antispam-Report", "Microsoft 365 judged the"),
                ("error", "Authentication-Results", "DMARC gave fail at"),
                ("warning", "Authentication-Results", "SPF gave fail at"),
                ("warning", "Authentication-Results", "CompAuth gave fail at"),
                ("warning", "From", "From comes 2 times:"),
                ("warning", "Received", "By hop 1 (mail.bank.example)"),
                ("warning", "Received", "Hop 2 from mail.spam.example"),
                ("info", "Authentication-Results", "DKIM gave none at"),
            ],
        ),
        ("hybrid-loop", [("error", "Received", "The message passed mail.contoso.com")]),
    ],
)
def test_whole_headers(
    analysis: Callable[[str], HeaderReport], name: str, findings: list[tuple[str, str, str]]
) -> None:
    assert told(analysis(name)) == findings


def test_one_in_full(analysis: Callable[[str], HeaderReport]) -> None:
    texts = [finding.text for finding in analysis("direct-send").findings]
    assert texts[0] == (
        "Microsoft 365 judged the message bad: SCL 5 (spam); SFV SPM (marked as spam by the filter); "
        "CAT SPOOF (spoofing). Look at what it holds and whether its sender is authenticated; "
        "report it to Microsoft if that is wrong."
    )
    assert texts[4] == (
        "CompAuth gave fail at BN1PEPF00004682.mail.protection.outlook.com (reason 601: implicit authentication "
        "failed, for a domain of the recipient's own organization): Microsoft 365 does not believe that From is "
        "genuine. Make SPF or DKIM pass for the domain in From."
    )


def hop(number: int, time: str, rest: str = "with ESMTPS") -> str:
    return f"Received: from h{number - 1}.example by h{number}.example {rest} id {number}; 3 Nov 2026 {time} +0000\n"


def way(*hops: str) -> list[str]:
    """The texts of the findings about these hops, oldest first."""
    return [finding.text for finding in analyze("".join(reversed(hops)).encode()).findings]


def test_a_hop_that_took_most_of_the_time() -> None:
    assert way(hop(1, "10:00:00"), hop(2, "10:00:20"), hop(3, "10:00:21")) == []
    [text] = way(hop(1, "10:00:00"), hop(2, "10:00:40"), hop(3, "10:00:41"))
    assert text.startswith("Hop 2 to h2.example took 40 s, 98% of the whole: it waited at h1.example.")
    [slow, slower] = way(hop(1, "10:00:00"), hop(2, "10:06:00"), hop(3, "13:00:00"))
    assert "6 min, 3% of the whole" in slow
    assert "3 h, 97% of the whole" in slower


def test_a_wrong_clock() -> None:
    [slow] = way(hop(1, "10:00:00"), hop(2, "09:59:00"), hop(3, "10:00:02"))
    assert slow.startswith("The clock of hop 2 (h2.example) is 60 s slow:")
    [forged] = way(hop(1, "23:00:00"), hop(2, "10:00:00"), hop(3, "10:00:02"))
    assert forged.startswith("By hop 1 (h1.example) it was 13 h later than by the others:")


def test_no_date() -> None:
    assert way(hop(1, "10:00:00"), "Received: by h2.example; soon\n") == [
        "Hop 2 by h2.example has no date that can be read"
    ]


@pytest.mark.parametrize(
    ("source", "rest", "severities"),
    [
        ("a (93.184.215.14)", "with ESMTP", ["warning"]),
        ("a (93.184.215.14)", "with Microsoft SMTP Server", ["warning"]),
        ("a (93.184.215.14)", "with Microsoft SMTP Server (TLS)", []),
        ("a (93.184.215.14)", "with Microsoft SMTP Server (version=TLS1_3, cipher=X)", []),
        ("a (93.184.215.14)", "with Microsoft SMTP Server (version=TLS1_0, cipher=X)", ["warning"]),
        ("a (10.0.0.9)", "with Microsoft SMTP Server (version=TLS1_0, cipher=X)", ["info"]),
        ("a (93.184.215.14)", "with ESMTPSA", []),
        ("a (93.184.215.14)", "with UTF8SMTPS", []),
        ("a (10.0.0.9)", "with SMTP", []),
        ("a (93.184.215.14)", "with HTTPS", []),
        ("a", "with SMTP", []),
    ],
)
def test_encryption(source: str, rest: str, severities: list[str]) -> None:
    report = analyze(f"Received: from {source} by b.example {rest} id 1; 3 Nov 2026 10:00:00 +0000\n".encode())
    assert [finding.severity for finding in report.findings] == severities


def test_loops() -> None:
    """One host thrice; its filters and list managers, and Exchange's services, on one host are one visit."""
    round_trip = "Received: by {}.example with ESMTPS id 1; 3 Nov 2026 10:00:00 +0000\n"
    visits = [round_trip.format(name) for name in "abababc"]
    assert [text.partition(":")[0] for text in way(*visits)] == [
        "The message passed a.example 3 times",
        "The message passed b.example 3 times",
    ]
    filtered = (
        "Received: from mx.example.net by a.example with ESMTPS id 1; 3 Nov 2026 10:00:00 +0000\n",
        "Received: from a.example ([127.0.0.1]) by localhost with ESMTP id 2; 3 Nov 2026 10:00:00 +0000\n",
        "Received: from localhost ([127.0.0.1]) by a.example with ESMTP id 3; 3 Nov 2026 10:00:00 +0000\n",
        "Received: from localhost (localhost [::1]) by a.example with ESMTP id 4; 3 Nov 2026 10:00:00 +0000\n",
    )
    assert way(*filtered) == []
    exchange = "Received: by a.example with Microsoft SMTP Server (TLS) id 1; 3 Nov 2026 10:00:00 +0000\n"
    assert way(*[exchange] * 4) == []


def test_too_many_hops() -> None:
    texts = way(*(hop(number, "10:00:00") for number in range(1, 28)))
    assert texts == ["27 hops are unusually many. Relays refuse mail as looping from 30 to 50 on."]


def report(*lines: str) -> HeaderReport:
    fields = ("From: a@contoso.com", "Date: Tue, 3 Nov 2026 10:00:00 +0000", "Message-ID: <1@a>")
    return analyze("\n".join((*lines, *fields)).encode())


def message(*lines: str) -> list[tuple[str, str, str]]:
    return told(report(*lines))


@pytest.mark.parametrize(
    ("results", "findings"),
    [
        ("spf=pass; dkim=pass; dmarc=pass", []),
        ("spf=softfail; dkim=none; dmarc=pass", [("info", "SPF gave softfail at")]),
        ("spf=fail", [("warning", "SPF gave fail at")]),
        ("spf=permerror", [("warning", "SPF gave permerror at")]),
        ("dmarc=fail (p=NONE)", [("warning", "DMARC gave fail at")]),
        ("dmarc=fail (p=REJECT)", [("error", "DMARC gave fail at")]),
        ("dmarc=fail action=quarantine", [("error", "DMARC gave fail at")]),
        ("dmarc=fail (p=NONE sp=REJECT dis=NONE)", [("warning", "DMARC gave fail at")]),
        ("dmarc=none", [("info", "DMARC gave none at")]),
        ("arc=fail", [("warning", "ARC gave fail at")]),
        ("spf=hello; dkim=neutral", []),
    ],
)
def test_authentication(results: str, findings: list[tuple[str, str]]) -> None:
    found = message(f"Authentication-Results: mx; {results}")
    assert [(severity, text) for severity, _, text in found] == findings


def texts(*lines: str) -> list[str]:
    return [finding.text for finding in report(*lines).findings]


def test_nobody_is_told_to_let_a_forger_send() -> None:
    spf, dmarc = texts("Authentication-Results: mx.example.net; spf=fail; dmarc=fail")
    assert "If the mail is genuine, add" in spf
    assert "If the mail is genuine, make" in dmarc


def test_a_list_is_named_as_the_cause() -> None:
    results = "Authentication-Results: mx.example.net; dkim=fail; dmarc=fail"
    for text in texts(results, "List-Id: <users.lists.example.org>"):
        assert text.endswith("write its own address into From.")
    assert not any("mailing list" in text for text in texts(results))


def test_a_gateway_in_front_of_microsoft_365_is_named_as_the_cause() -> None:
    """SPF judges the address of the recipient's own gateway then."""
    at_microsoft = "Received: from gw.example by X.mail.protection.outlook.com with ESMTPS; 3 Nov 2026 10:00:01 +0000"
    at_gateway = "Received: from out.contoso.com by gw.example with ESMTPS; 3 Nov 2026 10:00:00 +0000"
    results = "Authentication-Results: spf=fail smtp.mailfrom=contoso.com"
    assert "Enhanced Filtering for Connectors" in texts(results, at_microsoft, at_gateway)[0]
    assert "Enhanced Filtering" not in texts(results, at_microsoft)[0]


def test_a_broken_arc_chain() -> None:
    assert message("ARC-Seal: i=2; cv=pass") == [("warning", "ARC-Seal", "The ARC chain is")]


@pytest.mark.parametrize(
    ("report", "severities"),
    [
        ("SCL:1;SFV:NSPM;CAT:NONE", []),
        ("SCL:-1;SFV:SKN;CAT:NONE", []),
        ("SCL:5", ["warning"]),
        ("SFV:SKB", ["warning"]),
        ("CAT:BULK", ["warning"]),
        ("CAT:MALW", ["error"]),
        ("SCL:\u00b2;CAT:new", []),
    ],
)
def test_spam(report: str, severities: list[str]) -> None:
    assert [severity for severity, *_ in message(f"X-Forefront-Antispam-Report: {report}")] == severities


def test_missing_and_repeated_fields() -> None:
    assert told(analyze(b"Subject: a\nFrom: \n")) == [
        ("warning", "From", "There is no From:"),
        ("warning", "Date", "There is no Date:"),
        ("warning", "Message-ID", "There is no Message-ID:"),
    ]
    assert message("Message-ID: <2@b>") == [("warning", "Message-ID", "Message-ID comes 2 times:")]


@pytest.mark.parametrize(
    ("received", "findings"),
    [
        ("10:00:05", []),
        ("09:00:00", [("warning", "Date", "The message was dated")]),
        ("12:00:00", [("info", "Date", "The message was dated")]),
    ],
)
def test_the_senders_clock(received: str, findings: list[tuple[str, str, str]]) -> None:
    assert message(f"Received: from a by b with ESMTPS id 1; 3 Nov 2026 {received} +0000") == findings


def test_mail_of_others_from_the_internet_is_usual() -> None:
    header = "X-MS-Exchange-Organization-MessageDirectionality: Incoming"
    assert message(header, "To: user@fabrikam.example") == []
    to_colleague = (header, "To: user@contoso.com")
    assert [(severity, name) for severity, name, _ in message(*to_colleague)] == [("warning", header.partition(":")[0])]
    genuine = "Authentication-Results: mx; dmarc=pass"
    assert [severity for severity, *_ in message(*to_colleague, genuine)] == ["info"]
    assert "a service that sends for you" in texts(*to_colleague, genuine)[0]
