"""Marked secrets while a posthouse runs: what clients type, what scripts hold, what next hops are told."""

from __future__ import annotations

import base64
import io
import smtplib
import ssl
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from posthouse.cli import run
from posthouse.net.certificates import Authority
from support.house import House, wait_for

MARK = "MARKED-secret-of-the-test"
WRONG = "MARKED-wrong-of-the-test"
ORGANIZATION = """
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Scanners"
connector_type = "OnPremises"
sender_credentials = [{ user = "scanner", password_env = "DEVICE" }]

[[outbound_connector]]
name = "Nowhere"
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = 1
tls_settings = "DomainValidation"
credential = ["Relay"]
client_certificate = { pfx = "cert.pfx", password_env = "PFX" }

[[credential]]
name = "Relay"
kind = "password"
user = "relay"
secret_env = "APP"
"""
SCRIPT = f"""
$password = ConvertTo-SecureString '{MARK}' -AsPlainText -Force
$credential = New-Object System.Management.Automation.PSCredential('scanner', $password)
$login = @{{User='other'; Password='{MARK}'}}
New-InboundConnector -Name Other -SenderDomains * -SenderCredentials $login
New-InboundConnector -Name Other -SenderDomains * -SenderCredentials $login
Set-InboundConnector Nobody -SenderCredentials $login
$password
$credential
$credential | Format-List *
$credential | ConvertTo-Json
Send-MailMessage -From a@contoso.com -To b@contoso.com -Subject x -SmtpServer 127.0.0.1 -Port 1 -Credential $credential
Get-InboundConnector | Format-List *
Get-OutboundConnector | ConvertTo-Json -Depth 9
Search-AdminAuditLog | ConvertTo-Json -Depth 9
"""
ENVIRONMENT = {"DEVICE": MARK, "PFX": MARK, "APP": MARK, "WRONG": WRONG}


@pytest.fixture
def house(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[House]:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)
    made = House(tmp_path / "house", "", '\n[delivery]\nretry_after = ["1h"]\n')
    (made.folder / "cert.pfx").write_bytes(Authority.create("CA").issue(["relay.contoso.com"]).to_pfx(MARK))
    made.apply(ORGANIZATION)
    made.start()
    yield made
    made.clean_up()


def sign_in(house: House) -> None:
    """With the right password and a mail, with a wrong one, and where none belongs."""
    trusting = ssl.create_default_context()
    trusting.check_hostname, trusting.verify_mode = False, ssl.CERT_NONE
    with house.smtp() as client:
        client.starttls(context=trusting)
        with pytest.raises(smtplib.SMTPAuthenticationError):
            client.login("scanner", WRONG)
        client.login("scanner", MARK)
        client.sendmail("scanner@contoso.com", ["customer@example.net"], b"Subject: a scan\r\n\r\nx\r\n")
    with house.smtp() as client:
        client.ehlo()
        for line in (f"AUTH PLAIN {encoded(MARK)}", f"AUTH {MARK}", f"PASS {MARK}", f"AUTH LOGIN {encoded(MARK)}"):
            assert client.docmd(line)[0] >= 500


def encoded(secret: str) -> str:
    return base64.b64encode(f"\0scanner\0{secret}".encode()).decode()


def shown(house: House) -> str:
    """What all the commands print that show, look, try and explain."""
    (house.folder / "script.ps1").write_text(SCRIPT, "utf-8")
    (message,) = wait_for(lambda: house.read("queue", "list"), what="the mail in the queue")
    server = (
        "--server",
        house.address,
        "--port",
        str(house.port),
        "--tls",
        "starttls",
        "--from",
        "scanner@contoso.com",
    )
    commands = [
        ("queue", "show", message["id"]),
        ("queue", "show", message["id"], "--json"),
        ("trace",),
        ("trace", "--json"),
        ("doctor", "--timeout", "2"),
        ("doctor", "--timeout", "2", "--json"),
        ("run", str(house.folder / "script.ps1")),
        ("send", *server, "--to", "b@contoso.com", "--user", "scanner", "--password-env", "DEVICE"),
        ("send", *server, "--to", "b@contoso.com", "--user", "scanner", "--password-env", "WRONG", "--json"),
        ("show", "--json"),
        ("export",),
        ("export", "--powershell"),
        ("audit", "--json", "--limit", "1000"),
        ("audit",),
    ]
    with redirect_stdout(io.StringIO()) as printed, redirect_stderr(printed):
        for command in commands:
            run([*command, "--config", str(house.config)])
    return printed.getvalue()


def test_no_secret_leaves_a_posthouse_that_runs(house: House) -> None:
    sign_in(house)
    places = {"commands": shown(house).encode(), "log": house.log.read_bytes()}
    house.stop()
    places |= {file.name: file.read_bytes() for file in house.data_dir.rglob("*") if file.is_file()}
    forms = [form for secret in (MARK, WRONG) for form in (secret, encoded(secret), secret.encode().hex())]
    leaks = [(form, place) for form in forms for place, text in places.items() if form.encode() in text]
    assert leaks == []
    for trace in (b"Authentication unsuccessful", b"a scan", b"SecureString", b"Nowhere", b"New-InboundConnector"):
        assert trace in places["commands"], trace
