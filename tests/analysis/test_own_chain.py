"""The analyzer on mail that our own three houses really passed on."""

from __future__ import annotations

from pathlib import Path

from posthouse.analysis import analyze
from posthouse.probe.rehearsal import SCANNER, rehearsal
from posthouse.probe.send import SendOptions, send
from support.house import wait_for

FRIEND = "friend@example.net"


def test_a_scan_over_relay_tenant_and_recipient(tmp_path: Path) -> None:
    with rehearsal(tmp_path) as chain:
        send(
            SendOptions(
                server=chain.site.address,
                port=chain.site.port,
                sender="scanner@contoso.com",
                recipients=(FRIEND,),
                tls="none",
                source=SCANNER,
            )
        )
        wait_for(lambda: chain.internet.mailbox(FRIEND))
        report = analyze(chain.internet.mailbox(FRIEND)[0])
    assert [(step.role, step.host, step.connector) for step in report.workflow.steps] == [
        ("relay", "relay.contoso.com", "Scanners"),
        ("Exchange Online Protection", "contoso-com.mail.protection.example", "SMTP Relay (Non-TLS)"),
        ("recipient's server", "mx.example.net", ""),
    ]
    assert (report.workflow.entry, report.workflow.as_expected) == ("connector", True)
    assert [hop.received.tls_version for hop in report.hops] == ["", "TLS1.3", "TLS1.3"]
    assert report.findings == ()
