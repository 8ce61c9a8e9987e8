"""Microsoft's anti-spam headers, field by field."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from posthouse.analysis import HeaderReport, analyze
from posthouse.analysis.antispam import STAMP_LIMIT, compauth_reason, value_of
from posthouse.analysis.antispam_fields import FOREFRONT, MALICIOUS, SPAM

MHA = (
    "ARC",
    "CTRY",
    "LANG",
    "SCL",
    "PCL",
    "SFV",
    "IPV",
    "H",
    "PTR",
    "CIP",
    "CAT",
    "SFTY",
    "SRV",
    "X-CUSTOMSPAM",
    "SFS",
)
"""What Microsoft's Message Header Analyzer knows of X-Forefront-Antispam-Report."""


def test_a_report_is_taken_apart_and_explained() -> None:
    report = analyze(
        b"X-Forefront-Antispam-Report: CIP:2001:db8::1;CTRY:SE;LANG:sv;SCL:-1;SRV:;IPV:CAL;\n"
        b" SFV:SKN;H:relay.contoso.com;PTR:InfoDomainNonexistent;CAT:NONE;SFS:(1)(2);DIR:INB;NEW:7;odd;\n"
    )
    told = {stamp.field: (stamp.value, stamp.meaning) for stamp in report.antispam}
    assert told["CIP"] == ("2001:db8::1", "Connecting IP address")
    assert told["SCL"][1].startswith("Spam confidence level: skipped spam filtering")
    assert told["SRV"] == ("", "Bulk mail")
    assert told["IPV"] == ("CAL", "Verdict on the IP address: on the IP Allow List, so not filtered as spam")
    assert told["PTR"][1] == "Reverse DNS name of the connecting IP address: it has none"
    assert told["DIR"][1] == "Direction: inbound, to a mailbox here"
    assert told["NEW"] == ("7", "")
    assert told[""] == ("odd", "")


def test_whatever_the_message_header_analyzer_decodes_is_decoded() -> None:
    assert set(MHA) <= FOREFRONT.keys()


@pytest.mark.parametrize(
    ("header", "meaning"),
    [
        ("X-Microsoft-Antispam: BCL:6", "Bulk complaint level: a bulk sender that some complain about"),
        ("x-microsoft-antispam: PCL:8", "Phishing confidence level: probably phishing"),
        ("X-MS-Exchange-Organization-SCL: 9", "Spam confidence level: high confidence spam"),
        (
            "x-ms-exchange-crosstenant-fromentityheader: HybridOnPrem",
            "Where it came from: the organization's own servers, over an inbound connector of type OnPremises",
        ),
        ("X-Microsoft-Antispam-Mailbox-Delivery: dest:J", "Folder: Junk Email (seen)"),
        ("X-MS-Exchange-AntiSpam-MessageData-0: aGVsbG8=", "Diagnostics: for Microsoft's support only"),
        ("X-MS-Exchange-Something-New: 1", ""),
    ],
)
def test_other_headers(header: str, meaning: str) -> None:
    [stamp] = analyze(header.encode()).antispam
    assert stamp.meaning == meaning
    assert stamp.value == header.partition(": ")[2].rpartition(":")[2]


def test_others_headers_are_none_of_microsofts() -> None:
    assert analyze(b"X-Mailer: a\nX-Spam-Status: No\nDate: x\n").antispam == ()


def test_another_organizations_report_is_kept_apart() -> None:
    found = analyze(
        b"X-Forefront-Antispam-Report-Untrusted: SCL:9;\nX-Forefront-Antispam-Report: SCL:1;SCL:5\n"
    ).antispam
    assert value_of(found, "X-Forefront-Antispam-Report", "SCL") == "1"
    assert [stamp.value for stamp in found] == ["9", "1", "5"]


@pytest.mark.parametrize(
    ("code", "meaning"),
    [
        ("000", "explicit authentication failed: DMARC says quarantine or reject"),
        ("109", "passed"),
        ("130", "passed, since ARC of a trusted sealer outweighs that DMARC failed"),
        ("601", "implicit authentication failed, for a domain of the recipient's own organization"),
        ("501", ""),
        ("1", "passed"),
        ("", ""),
    ],
)
def test_reasons_of_compauth(code: str, meaning: str) -> None:
    assert compauth_reason(code) == meaning


def test_categories_are_bad_in_one_way() -> None:
    assert {value.upper() for value in FOREFRONT["CAT"].values} == MALICIOUS | SPAM | {"NONE"}
    assert not MALICIOUS & SPAM


def test_there_is_an_end_to_fields() -> None:
    assert len(analyze(b"X-Forefront-Antispam-Report: " + b"A:1;" * 2000).antispam) == STAMP_LIMIT
    assert len(analyze(b"X-EOPAttributedMessage: 0\n" * 2000).antispam) == STAMP_LIMIT


def test_authentication_results_are_told_once(analysis: Callable[[str], HeaderReport]) -> None:
    names = {stamp.header for stamp in analysis("scanner-relay-microsoft-gmail").antispam}
    assert "X-MS-Exchange-Authentication-Results" not in names
    assert "X-Forefront-Antispam-Report" in names
