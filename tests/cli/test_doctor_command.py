"""`posthouse doctor` as it is typed."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from support.house import own_address
from support.internet import Internet
from support.peers import SILENCE, Peer

Posthouse = Callable[..., Any]

ORGANIZATION = """
[[accepted_domain]]
name = "contoso.test"

[[inbound_connector]]
name = "Scanners"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.0/8"]

[[outbound_connector]]
name = "Smart host"
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = {port}
"""


@pytest.fixture(scope="module")
def nameserver() -> Iterator[str]:
    """Knows no domain."""
    with Internet() as internet:
        yield internet.nameserver


@pytest.fixture
def relay(folder: Path, posthouse: Posthouse, nameserver: str) -> Callable[[int], None]:
    """An organization whose smart host listens on a port."""

    def relay(port: int) -> None:
        (folder / "posthouse.toml").write_text(
            f'hostname = "relay.contoso.test"\n[[listener]]\naddress = "{own_address()}:2525"\n'
            f'[delivery]\nnameservers = ["{nameserver}"]\n[limits]\nmin_free = 0\n',
            "utf-8",
        )
        (folder / "organization.toml").write_text(ORGANIZATION.format(port=port), "utf-8")
        assert posthouse("apply", "organization.toml").status == 0

    return relay


def test_a_line_for_each_step_below_its_subject(posthouse: Posthouse, relay: Callable[[int], None]) -> None:
    with Peer(RCPT="550 5.7.64 TenantAttribution; Relay Access Denied") as peer:
        relay(peer.port)
        ran = posthouse("doctor", "--external", "bob@example.net")
    assert ran.status == 1
    lines = ran.out.splitlines()
    assert lines[:2] == ["configuration settings", "  ok       hostname is relay.contoso.test"]
    assert f"  ok       127.0.0.1 [127.0.0.1]:{peer.port} is reached" in lines[lines.index("connector Smart host") :]
    refused = next(number for number, line in enumerate(lines) if "for the external recipient bob@example.net" in line)
    assert lines[refused].startswith("  failed   ")
    assert [line[:12].strip() for line in lines[refused + 1 : refused + 3]] == [lines[refused + 1].strip()[:1], "-"]


def test_json_is_an_array_of_steps(posthouse: Posthouse, relay: Callable[[int], None]) -> None:
    with Peer() as peer:
        relay(peer.port)
        steps = posthouse("doctor", "smart host", "--json").json
    assert {tuple(step) for step in steps} == {("area", "subject", "status", "text", "remedy", "explanation")}
    assert [step["status"] for step in steps if step["area"] == "configuration"] == ["ok"] * 7


def test_nothing_to_look_at_is_an_array_too(posthouse: Posthouse, folder: Path) -> None:
    (folder / "posthouse.toml").write_text("workers = -1\n", "utf-8")
    ran = posthouse("doctor", "--json")
    assert (ran.status, [step["status"] for step in ran.json]) == (1, ["failed"])


@pytest.mark.parametrize(
    "words",
    [
        ("--ip", "here"),
        ("--timeout", "0"),
        ("--sent",),
        ("--from", "nobody"),
        ("--internal", "Bob <bob@contoso.com>"),
        ("--external", "bob@example.net\r\nRSET"),
        ("--external", "\ud800@example.net"),
    ],
)
def test_a_wrong_command_line(posthouse: Posthouse, words: tuple[str, ...]) -> None:
    ran = posthouse("doctor", *words)
    assert (ran.status, ran.out) == (2, "")
    assert len(ran.err.splitlines()) == 1


def test_ctrl_c_ends_it_after_what_is_known(relay: Callable[[int], None], folder: Path) -> None:
    with Peer(CONNECT=SILENCE) as peer:
        relay(peer.port)
        doctor = subprocess.Popen(
            [sys.executable, "-m", "posthouse", "doctor", "--json"],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert peer.contacted.wait(30)
        doctor.send_signal(signal.SIGINT)
        shown, errors = doctor.communicate(timeout=30)
    assert json.loads(shown)[0]["text"] == "hostname is relay.contoso.test"
    assert (doctor.returncode, errors) == (1, "")
