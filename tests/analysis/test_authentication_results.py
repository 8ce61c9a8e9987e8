"""SPF, DKIM, DMARC, ARC and CompAuth out of what servers write about them."""

from __future__ import annotations

import json
from collections.abc import Callable

import authres
import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.analysis import HeaderReport, analyze
from posthouse.analysis.authentication import Verdict, related


@pytest.mark.parametrize(
    ("value", "results"),
    [
        ("x; spf=pass\nAuthentication-Results: y; spf=fail; dkim=none", {"spf": "pass", "dkim": "none"}),
        ("x; spf=none\nReceived-SPF: pass", {"spf": "none"}),
        ("x; x-spf=fail; iprev=pass (spf=fail)", {}),
        ("x; DKIM = Pass; dkim=fail", {"dkim": "pass"}),
        ("x 1; none", {}),
        ("x; spf=pass (never closed; dkim=fail", {"spf": "pass", "dkim": "fail"}),
        ("x;dmarc=pass(p=REJECT)header.from=a.example;spf/1=pass", {"spf": "pass", "dmarc": "pass"}),
        ('x; spf=pass reason="; dkim=fail"', {"spf": "pass"}),
        ("spf=pass (sender IP is 192.0.2.1) smtp.mailfrom=a.example", {"spf": "pass"}),
    ],
)
def test_results(value: str, results: dict[str, str]) -> None:
    assert analyze(f"Authentication-Results: {value}\n".encode()).authentication == results


@pytest.mark.parametrize(
    ("header", "results"),
    [
        (b"Received-SPF: Fail (protection.outlook.com: ...)\n", {"spf": "fail"}),
        (b"Received-SPF: pass\nAuthentication-Results: x; spf=none\n", {"spf": "none"}),
        (b"X-MS-Exchange-Authentication-Results: spf=pass (sender IP is 192.0.2.1)\n", {"spf": "pass"}),
    ],
)
def test_other_fields_that_hold_results(header: bytes, results: dict[str, str]) -> None:
    assert analyze(header).authentication == results


def test_exchange_online_names_itself_in_the_second_place_or_by_the_field_below() -> None:
    named, unnamed = analyze(
        b"Authentication-Results: spf=none (sender IP is 10.2.3.4)\n smtp.mailfrom=fabrikam.com; contoso.com;\n"
        b" dkim=none (message not signed) header.d=none; dmarc=none action=none header.from=fabrikam.com;\n"
        b" compauth=fail reason=001\n"
        b"Authentication-Results: spf=pass\n"
        b"Received: from a by b.mail.protection.outlook.com with Microsoft SMTP Server id 15; 3 Nov 2026 10:00:00\n"
    ).evidence.assessments
    assert named.server == "contoso.com"
    assert named.verdicts == (
        Verdict("spf", "none", "sender IP is 10.2.3.4", {"smtp.mailfrom": "fabrikam.com"}),
        Verdict("dkim", "none", "message not signed", {"header.d": "none"}),
        Verdict("dmarc", "none", "", {"action": "none", "header.from": "fabrikam.com"}),
        Verdict("compauth", "fail", "", {"reason": "001"}),
    )
    assert unnamed.server == "b.mail.protection.outlook.com"


def test_the_reason_in_words() -> None:
    [assessment] = analyze(
        b"Authentication-Results: x; dkim=fail (body hash did not verify) reason=odd; dmarc=fail action=oreject;\n"
        b" compauth=pass reason=130; compauth=fail reason=555; spf=pass\n"
    ).evidence.assessments
    assert [verdict.why for verdict in assessment.verdicts] == [
        "body hash did not verify odd",
        "action=oreject",
        "reason 130: passed, since ARC of a trusted sealer outweighs that DMARC failed",
        "reason 555: not documented",
        "",
    ]


def test_received_spf_with_its_key_value_pairs() -> None:
    [assessment] = analyze(
        b"Received-SPF: Pass (protection.outlook.com: domain of a.example designates 192.0.2.1)\n"
        b' receiver=protection.outlook.com; client-ip=192.0.2.1; envelope-from="x@a.example"; helo=mx.a.example; pr=C\n'
    ).evidence.assessments
    assert assessment.server == "protection.outlook.com"
    assert assessment.verdicts[0].properties["envelope-from"] == "x@a.example"
    assert assessment.verdicts[0].properties["client-ip"] == "192.0.2.1"


def test_what_the_sender_wrote_himself_counts_nothing() -> None:
    """What stands below all Received fields came with the message, unless the first server put it there: Gmail does."""
    received = b"Received: from a by mx.google.com with ESMTPS id 1; Tue, 3 Nov 2026 10:00:00 +0000\n"
    forged = b"Authentication-Results: mx.bank.example; spf=pass; dkim=pass; dmarc=pass\n"
    report = analyze(received + forged)
    assert report.authentication == {}
    assert [assessment.trusted for assessment in report.evidence.assessments] == [False]
    assert analyze(received + b"Authentication-Results: mx.google.com; spf=fail\n" + forged).authentication == {
        "spf": "fail"
    }


def test_each_signature_has_the_result_that_is_about_it() -> None:
    report = analyze(
        b"Authentication-Results: mx.example.net; dkim=pass header.d=contoso.com header.s=s1;\n"
        b" dkim=fail (bad signature) header.i=@list.example header.s=k; dkim=temperror header.d=other.example\n"
        b"DKIM-Signature: v=1; a=rsa-sha256; d=contoso.com;\n s=s1; b=x\n"
        b"DKIM-Signature: v=1; a=ed25519-sha256; d=contoso.com; s=s2; b=x\n"
        b"DKIM-Signature: v=1; d=list.example; s=k; b=x\n"
        b"From: a@mail.contoso.com\n"
    )
    signatures = report.evidence.signatures
    assert [(made.domain, made.selector, made.algorithm, made.result, made.aligned) for made in signatures] == [
        ("contoso.com", "s1", "rsa-sha256", "pass", True),
        ("contoso.com", "s2", "ed25519-sha256", "", True),
        ("list.example", "k", "", "fail", False),
    ]
    assert report.authentication == {"dkim": "pass"}


def test_the_arc_chain(analysis: Callable[[str], HeaderReport]) -> None:
    chain = analysis("arc-through-a-list").evidence.arc
    assert [(one.instance, one.cv, one.domain, one.selector, one.server, one.complete) for one in chain] == [
        (1, "none", "microsoft.com", "arcselector10001", "mx.microsoft.com", True),
        (2, "pass", "example.org", "arc", "lists.example.org", True),
    ]
    assert [(verdict.method, verdict.result) for verdict in chain[1].verdicts] == [
        ("dkim", "pass"),
        ("spf", "pass"),
        ("arc", "pass"),
    ]


def arc(number: int, cv: str) -> str:
    return (
        f"ARC-Seal: i={number}; cv={cv}; d=a.example\nARC-Message-Signature: a=rsa; i={number}; d=a.example\n"
        f"ARC-Authentication-Results: i={number}; a.example; spf=pass\n"
    )


@pytest.mark.parametrize(
    ("header", "why"),
    [
        ("", ""),
        (arc(2, "pass") + arc(1, "none"), ""),
        (arc(3, "pass") + arc(1, "none"), "instance 2 is missing or not complete"),
        (arc(2, "fail") + arc(1, "none"), "instance 2 says cv=fail"),
        (arc(1, "pass"), "instance 1 says cv=pass"),
        (arc(1, "none") + arc(1, "none"), "instance 1 is missing or not complete"),
        ("ARC-Seal: i=1; cv=none\n", "instance 1 is missing or not complete"),
        ("ARC-Seal: i=\u00b2\nARC-Seal: cv=pass\n", ""),
    ],
)
def test_a_chain_that_cannot_hold(header: str, why: str) -> None:
    assert analyze(header.encode()).evidence.arc_broken() == why


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("contoso.com", "Mail.Contoso.COM.", True),
        ("a.contoso.com", "b.contoso.com", True),
        ("a.co.uk", "b.co.uk", False),
        ("x.a.co.uk", "y.a.co.uk", True),
        ("contoso.de", "fabrikam.de", False),
        ("", "", False),
    ],
)
def test_domains_of_one_organization(one: str, other: str, same: bool) -> None:
    assert related(one, other) is same


words = st.from_regex(r"[a-z][a-z0-9]{0,8}", fullmatch=True)
properties = st.lists(
    st.tuples(st.sampled_from(("smtp", "header", "policy")), words, words), max_size=3, unique_by=lambda it: it[:2]
)


@given(words, st.lists(st.tuples(words, words, properties), min_size=1, max_size=4))
def test_what_authres_writes_is_read_back(
    server: str, results: list[tuple[str, str, list[tuple[str, str, str]]]]
) -> None:
    """The reference library's own serialisation, as the oracle for well-formed fields."""
    written = authres.AuthenticationResultsHeader(
        authserv_id=f"{server}.example",
        results=[
            authres.AuthenticationResult(
                method, result=result, properties=[authres.AuthenticationResultProperty(*one) for one in told]
            )
            for method, result, told in results
        ],
    )
    [read] = analyze(f"{written}\n".encode()).evidence.assessments
    assert read.server == f"{server}.example"
    assert [(verdict.method, verdict.result, dict(verdict.properties)) for verdict in read.verdicts] == [
        (method, result, {f"{kind}.{name}": value for kind, name, value in told}) for method, result, told in results
    ]


@given(st.sampled_from(("Authentication-Results", "Received-SPF", "DKIM-Signature", "ARC-Seal", "From")), st.text())
def test_no_value_makes_it_raise(name: str, value: str) -> None:
    json.dumps(analyze(f"{name}: {value}\nFrom: a@b.example\n".encode("utf-8", "surrogatepass")).to_json())
