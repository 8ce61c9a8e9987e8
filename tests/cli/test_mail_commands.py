"""send, queue and trace, against a `posthouse serve` of its own."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

ORGANIZATION = """
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Scanners"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.1"]

[[inbound_connector]]
name = "Printers"
sender_ip_addresses = ["127.0.0.0/24"]

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["user@contoso.com"]

[[outbound_connector]]
name = "Nowhere"
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = {closed}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture
def port(posthouse: Any, folder: Path) -> Iterator[str]:
    """The port of a running relay; recipients outside contoso.com are at a host that refuses connections."""
    port = free_port()
    (folder / "posthouse.toml").write_text(
        f'hostname = "relay.contoso.com"\nworkers = 1\nlog = "json"\n[[listener]]\naddress = "127.0.0.1:{port}"\n'
        '[limits]\nmin_free = 0\n[admin]\naddress = ""\n'
    )
    (folder / "organization.toml").write_text(ORGANIZATION.format(closed=free_port()))
    assert posthouse("apply", "organization.toml").status == 0
    serve = subprocess.Popen([sys.executable, "-m", "posthouse", "serve"], stderr=subprocess.PIPE, text=True)
    assert serve.stderr is not None
    with serve, serve.stderr:
        assert any(json.loads(line)["event"] == "ready" for line in serve.stderr)
        yield str(port)
        serve.terminate()
        assert serve.wait(timeout=30) == 0


def until(found: Callable[[], Any]) -> Any:
    """What `found` gives as soon as that is something."""
    deadline = time.monotonic() + 10
    while not (result := found()):
        assert time.monotonic() < deadline
        time.sleep(0.02)
    return result


def test_a_mail_is_sent_traced_and_queued(posthouse: Any, port: str, folder: Path) -> None:
    sent = posthouse(
        *("send", "--server", "127.0.0.1", "--port", port, "--from", "scanner@contoso.com"),
        *("--to", "user@contoso.com", "--to", "friend@example.net", "--subject", "Scan", "--json"),
    )
    assert sent.status == 0
    assert "S: 220 " in sent.err
    assert [reply["reply"]["code"] for reply in sent.json["replies"]] == [250, 250]

    delivered, *_ = until(lambda: posthouse("trace", "--to", "user@*", "--status", "delivered", "--json").json)
    assert (delivered["sender"], delivered["subject"]) == ("scanner@contoso.com", "Scan")
    assert (delivered["connector"], delivered["outbound_connector"]) == ("Scanners", "Mailboxes")
    assert posthouse("trace", "--since", "1h", "--until", "30m", "--json").json == []

    def deferred(attempts: int) -> list[Any]:
        return [row for row in posthouse("queue", "list", "--json").json if row["attempts"] == attempts]

    (waiting,) = until(lambda: deferred(1))
    assert (waiting["recipient"], waiting["status"], waiting["id"]) == (
        "friend@example.net",
        "waiting",
        delivered["id"],
    )
    assert len(posthouse("queue", "show", waiting["id"], "--json").json) == 2
    shown = posthouse("queue", "show", waiting["id"]).out
    assert (
        re.findall(r"^ (?:reasons)? +(\w+): 127\.0\.0\.1 is in its", shown, re.MULTILINE)
        == ["Scanners", "Printers"] * 2
    )

    assert posthouse("queue", "hold", waiting["id"], "--json").json == {"changed": 1, "in_delivery": 0}
    assert [row["status"] for row in posthouse("queue", "list", "--json").json] == ["held"]
    assert posthouse("queue", "release", "--to", "friend@example.net", "--json").json["changed"] == 1
    until(lambda: deferred(2))
    assert posthouse("queue", "retry", "--all", "--json").json["changed"] == 1
    until(lambda: deferred(3))
    assert posthouse("queue", "drop", waiting["id"], "--json").json["changed"] == 1
    assert posthouse("queue", "list", "--json").json == []
    gone = posthouse("queue", "drop", waiting["id"])
    assert (gone.status, gone.err.count("\n")) == (1, 1)


def test_a_refusal_is_the_exit_status_and_one_line(posthouse: Any, port: str) -> None:
    words = ("--from", "a@fabrikam.com", "--to", "friend@example.net", "--source", "127.0.0.66")
    refused = posthouse("send", "--server", "127.0.0.1", "--port", port, *words)
    assert refused.status == 1
    assert refused.err.splitlines()[-1].startswith("posthouse: friend@example.net: 550 5.7.64 TenantAttribution;")
    assert "550 5.7.64" in refused.out


def test_a_change_is_in_force_when_the_command_returns(posthouse: Any, port: str) -> None:
    words = ("--from", "a@contoso.com", "--to", "user@contoso.com")
    assert posthouse("send", "--server", "127.0.0.1", "--port", port, *words).status == 0
    assert posthouse("connector", "set", "inbound", "Scanners", "--require-tls").status == 0
    refused = posthouse("send", "--server", "127.0.0.1", "--port", port, *words)
    assert "530 5.7.0 Must issue a STARTTLS command first" in refused.err
    assert posthouse("send", "--server", "127.0.0.1", "--port", port, "--tls", "starttls", *words).status == 0


def test_nobody_listens(posthouse: Any) -> None:
    refused = posthouse(
        "send", "--server", "127.0.0.1", "--port", str(free_port()), "--from", "a@b.com", "--to", "c@d.com"
    )
    assert refused.status == 1
    assert refused.out == ""
