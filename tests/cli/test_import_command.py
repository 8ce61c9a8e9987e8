"""`posthouse import` and `export --powershell`, as an administrator types them; and a Postfix that moved in."""

from __future__ import annotations

import json
import os
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from posthouse.cli import run
from support.house import House, own_address, wait_for
from support.peers import Peer

MAIN_CF = """
myhostname = relay.contoso.com
mydomain = contoso.com
mydestination =
relay_domains = $mydomain
mynetworks = 192.168.10.0/24
relayhost = [mail.example.net]:587
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = hash:/etc/postfix/sasl_passwd
"""
CONNECTOR = {"Name": "SMTP Relay", "SenderDomains": ["smtp:*;1"], "SenderIPAddresses": ["110.0.0.7"], "Enabled": True}


@pytest.fixture
def main_cf(folder: Path) -> str:
    (folder / "main.cf").write_text(MAIN_CF, "utf-8")
    (folder / "sasl_passwd").write_text("[mail.example.net]:587 relay:S3cretPassw0rd\n", "utf-8")
    return "main.cf"


def write(folder: Path, name: str, *objects: dict[str, Any]) -> str:
    (folder / name).write_text(json.dumps(objects), "utf-8")
    return name


def names(posthouse: Any) -> list[str]:
    return [connector["Name"] for connector in posthouse("connector", "list", "--json").json]


def test_three_tables_then_nothing_without_a_terminal(posthouse: Any, main_cf: str) -> None:
    imported = posthouse("import", main_cf)
    assert imported.status == 1
    assert "nothing was applied, since there is no terminal to ask at; add --yes" in imported.err
    titles = [line for line in imported.out.splitlines() if line.endswith(":")]
    assert titles == ["Understood:", "Not taken, or different here:", "Changes:"]
    assert "set hostname in posthouse.toml" in imported.out
    assert names(posthouse) == []


def test_yes_applies_in_one_transaction_and_is_on_record(posthouse: Any, main_cf: str) -> None:
    assert posthouse("import", main_cf, "--yes").status == 0
    assert names(posthouse) == ["Postfix mynetworks", "Postfix [mail.example.net]:587"]
    acts = {record["act"] for record in posthouse("audit", "--json").json}
    assert acts == {"New-AcceptedDomain", "New-InboundConnector", "New-OutboundConnector", "New-Credential"}
    again = posthouse("import", main_cf)
    assert again.status == 0
    assert "Changes: nothing" in again.out


@pytest.mark.parametrize(("answer", "status"), [("y", 0), ("n", 1)])
def test_at_a_terminal_it_asks(posthouse: Any, main_cf: str, answer: str, status: int) -> None:
    keyboard, terminal = os.openpty()
    os.write(keyboard, f"{answer}\n".encode())
    done = subprocess.run(
        [sys.executable, "-m", "posthouse", "import", main_cf],
        stdin=terminal,
        capture_output=True,
        text=True,
        timeout=60,
    )
    os.close(keyboard)
    os.close(terminal)
    assert (done.returncode, "Apply these changes?" in done.stderr) == (status, True), done.stderr
    assert bool(names(posthouse)) is (status == 0)


def test_a_dry_run_changes_nothing(posthouse: Any, main_cf: str) -> None:
    imported = posthouse("import", main_cf, "--dry-run", "--json")
    assert (imported.status, imported.json.keys()) == (0, {"understood", "not_taken", "changes"})
    assert names(posthouse) == []


def test_a_password_is_shown_nowhere(posthouse: Any, main_cf: str) -> None:
    for words in (("--dry-run",), ("--dry-run", "--json"), ("--yes",)):
        imported = posthouse("import", main_cf, *words)
        assert "S3cret" not in imported.out + imported.err
    assert "S3cret" not in posthouse("audit", "--json").out + posthouse("export").out


def test_an_import_adds_and_replace_removes(posthouse: Any, folder: Path) -> None:
    posthouse("connector", "new", "inbound", "Scanners", "--sender-ip-addresses", "192.0.2.1", "--comment", "ours")
    posthouse("connector", "new", "inbound", "smtp relay", "--sender-ip-addresses", "192.0.2.2", "--comment", "kept")
    posthouse("connector", "new", "outbound", "Internet", "--recipient-domains", "*")
    export = write(folder, "inbound.json", CONNECTOR)
    assert posthouse("import", export, "--yes").status == 0
    assert names(posthouse) == ["Scanners", "smtp relay", "Internet"]
    (merged,) = posthouse("connector", "show", "smtp relay", "--json").json
    assert (merged["SenderIPAddresses"], merged["Comment"]) == (["110.0.0.7"], "kept")
    assert posthouse("import", export, "--yes", "--replace").status == 0
    assert names(posthouse) == ["SMTP Relay", "Internet"]


def test_several_files_are_one_import(posthouse: Any, folder: Path) -> None:
    domains = write(
        folder, "domains.json", {"Name": "contoso.com", "DomainName": "contoso.com", "DomainType": "Authoritative"}
    )
    imported = posthouse("import", write(folder, "inbound.json", CONNECTOR), domains, "--yes", "--json")
    assert imported.status == 0
    assert {line["where"] for line in imported.json["understood"]} == {"inbound.json", "domains.json"}
    assert [domain["Name"] for domain in posthouse("domain", "list", "--json").json] == ["contoso.com"]
    assert names(posthouse) == ["SMTP Relay"]


@pytest.mark.parametrize(
    ("content", "words", "error"),
    [
        ("Dear administrator", (), "it looks like no configuration that is known"),
        ("{", ("--format", "json"), "not JSON"),
        ("<a/>", ("--format", "iis"), "Changes: nothing"),
        ("<!DOCTYPE a><a/>", ("--format", "clixml"), "a document type declaration"),
    ],
)
def test_a_file_that_cannot_be_read(posthouse: Any, folder: Path, content: str, words: Any, error: str) -> None:
    (folder / "file").write_text(content, "utf-8")
    imported = posthouse("import", "file", *words)
    assert error in imported.out + imported.err


def test_a_file_that_is_too_large(posthouse: Any, folder: Path) -> None:
    with (folder / "main.cf").open("wb") as file:
        file.truncate(9 << 20)
    assert "larger than 8 MiB" in posthouse("import", "main.cf").err


def test_what_is_exported_can_be_imported(posthouse: Any, folder: Path) -> None:
    """Ours, in the cmdlets' spelling, is read as a tenant's."""
    posthouse("domain", "new", "contoso.com")
    posthouse("connector", "new", "inbound", "Relay", "--sender-ip-addresses", "110.0.0.7", "--require-tls")
    listed = posthouse("connector", "list", "--json").out
    (folder / "ours.json").write_text(listed, "utf-8")
    assert "Changes: nothing" in posthouse("import", "ours.json").out


def test_the_script_for_a_tenant_runs_here(posthouse: Any, folder: Path) -> None:
    posthouse("connector", "new", "inbound", "It's \u2019ours\u2019, $5", "--sender-ip-addresses", "110.0.0.7")
    before = posthouse("connector", "list", "--json").json
    (folder / "tenant.ps1").write_text(posthouse("export", "--powershell").out, "utf-8")
    assert (folder / "tenant.ps1").read_bytes().startswith(b"\xef\xbb\xbf")
    posthouse("connector", "remove", "inbound", before[0]["Name"])
    assert posthouse("run", "tenant.ps1").status == 0
    assert posthouse("connector", "list", "--json").json == before


EMAILRELAY = "as-server\nforward-to h.example:587\nclient-auth auth\nserver-auth auth\nclient-tls-required\n"
METABASE = """<configuration><IIsSmtpServer Location="/LM/SmtpSvc/1" DefaultDomain="contoso.com" SmartHost="h.example"
SmtpRemoteNDRExpireMinutes="2880"/></configuration>"""
SEND = {"Name": "Out", "AddressSpaces": ["SMTP:*;1"], "SmartHosts": ["h.example"], "RequireTLS": True}


@pytest.mark.parametrize("text", [EMAILRELAY, METABASE, json.dumps(SEND), json.dumps(CONNECTOR)])
def test_a_second_import_finds_nothing_to_change(posthouse: Any, folder: Path, text: str) -> None:
    (folder / "there").write_text(text, "utf-8")
    (folder / "auth").write_text("client plain bob b-secret\nserver plain alice a-secret\n", "utf-8")
    assert posthouse("import", "there", "--yes", "--json").json["changes"]
    assert posthouse("import", "there", "--yes", "--json").json["changes"] == []


def test_what_is_applied_is_what_was_shown(posthouse: Any, main_cf: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody else is faster than the answer to the question."""
    monkeypatch.setattr("posthouse.cli.migration.confirm", lambda *_, **__: run(["domain", "new", "fabrikam.com"]))
    imported = posthouse("import", main_cf)
    assert imported.status == 1
    assert imported.err.endswith("posthouse: somebody has changed the organization since; import again\n")
    assert names(posthouse) == []


# A Postfix moves in


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    made = House(tmp_path / "house", "")
    yield made
    made.clean_up()


def refusal(house: House, source: str, sender: str, recipient: str) -> int:
    with house.smtp(source) as client:
        client.ehlo()
        client.mail(sender)
        return client.rcpt(recipient)[0]


def test_it_relays_as_that_postfix_did(house: House) -> None:
    """Networks may relay, exceptions and strangers not; a domain has its own way, all else the relayhost."""
    printer, exception, stranger = own_address(), own_address(), own_address()
    with Peer() as relayhost, Peer() as branch:
        (house.folder / "main.cf").write_text(
            "myhostname = relay.contoso.com\nmydomain = contoso.com\nmydestination =\nrelay_domains = $mydomain\n"
            f"mynetworks = !{exception} {printer}, {exception}\nsmtpd_relay_restrictions = permit_mynetworks,\n"
            f"  reject_unauth_destination\nrelayhost = [127.0.0.1]:{relayhost.port}\n"
            "transport_maps = texthash:$config_directory/transport\n",
            "utf-8",
        )
        (house.folder / "transport").write_text(f"branch.example smtp:[127.0.0.1]:{branch.port}\n", "utf-8")
        house.run("import", str(house.folder / "main.cf"), "--yes")
        house.start()
        for recipient in ("customer@example.net", "colleague@branch.example", "boss@contoso.com"):
            house.send("printer@contoso.com", recipient, source=printer)
        wait_for(lambda: len(relayhost.messages) == 2 and len(branch.messages) == 1, what="three mails")
        assert branch.messages[0].recipients[0].startswith("RCPT TO:<colleague@branch.example>")
        for client in (exception, stranger):
            assert refusal(house, client, "printer@contoso.com", "customer@example.net") == 550
            assert refusal(house, client, "someone@example.org", "boss@contoso.com") == 250
        with pytest.raises(smtplib.SMTPRecipientsRefused), house.smtp(printer) as client:
            client.sendmail("spoofed@example.org", ["customer@example.net"], b"Subject: x\r\n\r\nx\r\n")
