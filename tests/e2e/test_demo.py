"""`posthouse demo`: what it proves, and that it can fail."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

CLAIMS = (
    "the on-premises relay takes the scan without TLS",
    "the scan arrives at the internal recipient",
    "the scan arrives at the external recipient",
    "a delivery status notification comes back for each",
    "the TLS connector takes the application's mail",
    "it arrives at the internal recipient, over the connector SMTP Relay (TLS)",
    "it arrives at the external recipient, over the connector SMTP Relay (TLS)",
    "a stranger may not relay",
    "a certificate of another name does not help",
    "nobody else may send as contoso.com",
)

PATCHED = """
import sys
from posthouse.cli import main
from posthouse.probe import rehearsal
{patch}
sys.exit(main())
"""


def demo(*program: str, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, *program, "demo"],
        capture_output=True,
        encoding=encoding,
        check=False,
        timeout=100,
        env=os.environ | {"PYTHONIOENCODING": encoding},
    )


def patched_demo(folder: Path, patch: str, *, encoding: str = "utf-8") -> subprocess.CompletedProcess[str]:
    """The demo where something is broken."""
    program = folder / "patched.py"
    program.write_text(PATCHED.format(patch=patch), "utf-8")
    return demo(str(program), encoding=encoding)


def test_it_proves_the_whole_chain() -> None:
    ran = demo("-m", "posthouse")
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert re.findall(r"^  ✓ (.+)$", ran.stdout, re.MULTILINE) == list(CLAIMS)
    assert ran.stdout.endswith("\n10 of 10 claims proved.\n")
    hops = re.findall(r"^ (\d) +(.+?)  +(\S+) +(E?SMTPS?) +(\S+)", ran.stdout, re.MULTILINE)
    assert [hop[:4] for hop in hops] == [
        ("1", "127.0.0.9", "relay.contoso.com", "ESMTP"),
        ("2", "relay.contoso.com ([127.0.0.2])", "contoso-com.mail.protection.example", "ESMTPS"),
        ("3", "contoso-com.mail.protection.example ([127.0.0.3])", "mx.example.net", "ESMTPS"),
    ]


def test_it_fails_where_one_claim_does_not_hold(tmp_path: Path) -> None:
    """In the characters of a Windows code page, which has neither tick nor cross."""
    unrestricted = "restrict_domains_to_ip_addresses = true"
    patch = f'rehearsal._CONTOSO = rehearsal._CONTOSO.replace("{unrestricted}", "")'
    ran = patched_demo(tmp_path, patch, encoding="cp1252")
    assert ran.returncode == 1, ran.stdout + ran.stderr
    assert re.findall(r"^  \+ (.+)$", ran.stdout, re.MULTILINE) == list(CLAIMS[:-1])
    assert "\n  x NOT PROVED: nobody else may send as contoso.com\n" in ran.stdout
    assert ran.stdout.endswith("\n9 of 10 claims proved.\n")


def test_it_fails_where_another_program_has_a_port(tmp_path: Path) -> None:
    patch = """
import socket
taken = socket.create_server(("127.0.0.3", 0))
free = rehearsal._free_port
rehearsal._free_port = lambda address: taken.getsockname()[1] if address == "127.0.0.3" else free(address)
"""
    ran = patched_demo(tmp_path, patch)
    assert ran.returncode == 1
    assert ran.stderr.count("\n") == 1, ran.stderr
    assert ran.stderr.startswith("posthouse: contoso-com.mail.protection.example did not start: ")
    assert "another program is using this port" in ran.stderr


def test_it_fails_where_the_machine_lacks_an_address(tmp_path: Path) -> None:
    patch = """
free = rehearsal._free_port
rehearsal._free_port = lambda address: free("192.0.2.1")
"""
    ran = patched_demo(tmp_path, patch)
    assert (ran.returncode, ran.stderr.count("\n")) == (1, 1)
    assert ran.stderr.startswith("posthouse: this machine has no 192.0.2.1; add it to the loopback interface")
