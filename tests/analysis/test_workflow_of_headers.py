"""Which way messages went: whole headers as Exchange Online, Gmail, Postfix, Exchange and Posthouse write them."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from posthouse.analysis import HeaderReport, analyze
from posthouse.mail.headers import received_line
from posthouse.mail.message import Client

RELAY, EOP, EXO, RECIPIENT = "relay", "Exchange Online Protection", "Exchange Online", "recipient's server"


@pytest.mark.parametrize(
    ("name", "steps", "entry", "pool", "as_expected"),
    [
        (
            "scanner-relay-microsoft-gmail",
            [(RELAY, (1,)), (EOP, (2,)), (EXO, (3, 4)), (RECIPIENT, (5, 6))],
            "connector",
            "normal",
            True,
        ),
        ("relay-to-mailbox", [(RELAY, (1,)), (EOP, (2,)), (EXO, (3, 4, 5))], "connector", None, True),
        ("mailbox-to-gmail", [(EXO, (1, 2)), (RECIPIENT, (3, 4))], "mailbox", "normal", None),
        ("direct-send", [(EOP, (1,)), (EXO, (2,))], "internet", None, False),
        (
            "high-risk-pool",
            [(RELAY, (1,)), (EOP, (2,)), (EXO, (3,)), (RECIPIENT, (4,))],
            "connector",
            "high-risk",
            True,
        ),
        ("relay-pool", [(RELAY, (1,)), (EOP, (2,)), (EXO, (3,)), (RECIPIENT, (4,))], "connector", "relay", True),
        ("arc-through-a-list", [(EXO, (1,)), (RECIPIENT, (2,)), (RECIPIENT, (3, 4))], "mailbox", "normal", None),
        ("spam-from-outside", [(RELAY, (1,)), (EOP, (2,)), (EXO, (3,))], "internet", None, False),
    ],
)
def test_the_way(
    analysis: Callable[[str], HeaderReport],
    name: str,
    steps: list[tuple[str, tuple[int, ...]]],
    entry: str,
    pool: str | None,
    as_expected: bool | None,
) -> None:
    workflow = analysis(name).workflow
    assert [(step.role, step.hops) for step in workflow.steps] == steps
    assert (workflow.entry, workflow.pool, workflow.as_expected) == (entry, pool, as_expected)


def test_tenant_and_connecting_server(analysis: Callable[[str], HeaderReport]) -> None:
    workflow = analysis("scanner-relay-microsoft-gmail").workflow
    assert workflow.origin == "mfp ([192.168.0.3])"
    assert workflow.tenant == "43083d15-7273-40c1-b7db-39efd9ccc17a"
    assert workflow.connecting_ip == "198.51.100.25"
    assert workflow.evidence == "X-MS-Exchange-CrossTenant-FromEntityHeader"


def stamp(by: str, connector: str | None, at: float) -> bytes:
    return received_line(
        client=Client("192.0.2.9", helo="before.example", protocol="ESMTP"),
        hostname=by,
        message_id="019A",
        recipient=None,
        at=at,
        tls="",
        connector=connector,
    )


def test_our_own_stamps_name_the_connector() -> None:
    header = (
        stamp("mx.example.net", None, 3)
        + stamp("contoso-com.mail.protection.example", "SMTP Relay (TLS)", 2)
        + stamp("relay.contoso.com", "Drucker \u00dc", 1)
    )
    workflow = analyze(header).workflow
    assert [(step.role, step.connector) for step in workflow.steps] == [
        (RELAY, "Drucker \u00dc"),
        (EOP, "SMTP Relay (TLS)"),
        (RECIPIENT, ""),
    ]
    assert (workflow.entry, workflow.evidence, workflow.as_expected) == ("connector", "Received", True)


@pytest.mark.parametrize(
    ("host", "role"),
    [
        ("contoso-com.mail.protection.outlook.com", EOP),
        ("contoso-com.o-v1.mx.microsoft", EOP),
        ("DM6NAM11FT088.eop-nam11.prod.protection.outlook.com.", EOP),
        ("AM0PR04MB1.eurprd04.prod.outlook.com", EXO),
        ("BN9PR03CA0225.outlook.office365.com", EXO),
        ("BN6PR01MB3089.prod.exchangelabs.com", EXO),
        ("mail.protection.outlook.com.evil.example", RECIPIENT),
        ("notoutlook.com", RECIPIENT),
    ],
)
def test_roles_by_name(host: str, role: str) -> None:
    report = analyze(f"Received: by {host}; Tue, 3 Nov 2026 10:00:00 +0000\n".encode())
    assert report.workflow.role(report.hops[0]) == role


@pytest.mark.parametrize(
    ("source", "pool"),
    [
        ("EUR01-DB5-obe.outbound.protection.outlook.com (40.107.15.54)", "normal"),
        ("mail-bn8nam11hn2200.outbound.protection.outlook.com ([52.100.171.200])", "high-risk"),
        ("APC01-PSA-obe.outbound.protection.outlook.com (40.95.53.166)", "relay"),
        ("x (mail-psaapc01rlhn2166.outbound.protection.outlook.com [192.0.2.1])", "relay"),
        ("mail.example (198.51.100.1)", None),
    ],
)
def test_pools(source: str, pool: str | None) -> None:
    header = f"Received: from {source} by mx.example.net with ESMTPS id 1; Tue, 3 Nov 2026 10:00:00 +0000\n"
    assert analyze(header.encode()).workflow.pool == pool


def test_from_another_tenant_it_can_not_be_told_whether_it_used_a_connector_there() -> None:
    report = analyze(
        b"Received: from X-obe.outbound.protection.outlook.com (40.107.1.1) by b.mail.protection.outlook.com;"
        b" Tue, 3 Nov 2026 10:00:02 +0000\n"
        b"Received: from a by A.prod.outlook.com; Tue, 3 Nov 2026 10:00:01 +0000\n"
        b"X-MS-Exchange-CrossTenant-FromEntityHeader: Internet\n"
    )
    assert (report.workflow.entry, report.workflow.as_expected) == ("internet", None)


def test_without_microsoft_the_recipients_servers_are_those_in_one_place_at_the_end() -> None:
    hosts = ("2002:a05:6214::1", "mx.google.com", "relay.contoso.com", "app.contoso.com")
    header = "".join(f"Received: by {host} with ESMTPS id 1; 3 Nov 2026 10:00:00 +0000\n" for host in hosts)
    steps = analyze(header.encode()).workflow.steps
    assert [(step.role, step.hops) for step in steps] == [(RELAY, (1, 2)), (RECIPIENT, (3, 4))]


def test_nothing_has_no_way() -> None:
    workflow = analyze(b"Subject: a\n").workflow
    assert (workflow.origin, workflow.steps, workflow.entry, workflow.pool) == ("", (), None, None)
