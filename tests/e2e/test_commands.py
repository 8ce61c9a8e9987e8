"""Commands as they are typed: those of the documentation, bad ones, and what they change in a running relay."""

from __future__ import annotations

import re
import shlex
import smtplib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import sqlalchemy as sa
import trustme

from posthouse.net.certificates import Authority
from posthouse.settings import Settings
from posthouse.spool import open_store
from posthouse.spool.schema import version
from support.house import House, MakeHouse, wait_for
from support.peers import Peer
from support.programs import output_of

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]

TENANT = """
[[accepted_domain]]
name = "contoso.com"

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["*"]
"""


def typed_in(document: Path) -> list[str]:
    """The command lines in a document's fenced blocks."""
    blocks = re.findall(r"^```\w*\n(.*?)^```", document.read_text("utf-8"), re.MULTILINE | re.DOTALL)
    return [line for block in blocks for line in block.splitlines() if line.startswith(("posthouse ", "make "))]


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse) -> House:
    """Knows contoso.com and its mailboxes, and nobody who may relay."""
    made = shared_house(TENANT, "\n[delivery]\nretry_after = ['1s']\n")
    made.apply()
    return made.start()


# The documentation's commands


def run_as_typed(house: House, line: str) -> None:
    """One line of a document, in the house's folder."""
    program, *words = shlex.split(line.replace("127.0.0.1", house.address), comments=True)
    if program == "make":
        assert f"posthouse {words[0]}\n".replace("run", "serve") in output_of("make", "--dry-run", *words, folder=ROOT)
    elif words == ["serve"]:
        house.start()
    else:
        command = [sys.executable, "-m", "posthouse", *words]
        subprocess.run(command, cwd=house.folder, check=True, capture_output=True, timeout=60)


@pytest.mark.parametrize("document", [pytest.param(one, id=one.name) for one in DOCUMENTS if typed_in(one)])
def test_the_commands_of_a_document_run_in_their_order(house: MakeHouse, document: Path) -> None:
    """With the files that the document shows beside them."""
    newcomer = house("")
    for name, text in re.findall(r"^```toml\n# (\S+)\n(.*?)^```", document.read_text("utf-8"), re.M | re.S):
        (newcomer.folder / name).write_text(text, "utf-8")
    for line in typed_in(document):
        run_as_typed(newcomer, line)


def test_the_readme_has_commands() -> None:
    words = {" ".join(line.split()[:2]) for line in typed_in(ROOT / "README.md")}
    assert words >= {"make demo", "make run", "posthouse apply", "posthouse serve", "posthouse send", "posthouse trace"}


# Bad input


def one_line(ran: subprocess.CompletedProcess[str], status: int) -> str:
    assert (ran.returncode, ran.stdout) == (status, ""), ran.stderr
    (told,) = [line for line in ran.stderr.splitlines() if not line.startswith("{")]
    assert told.startswith("posthouse: ")
    return told


def bad_outbound(certificate: str) -> str:
    return f'[[outbound_connector]]\nname = "Office 365"\nsmart_hosts = ["mx"]\nclient_certificate = {certificate}\n'


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ('colour = "red"\n', "colour: unknown key; allowed here: "),
        ('[[inbound_connector]]\nname = "A"\nsender_ip_addresses = ["10.0.0.0/33"]\n', '"10.0.0.0/33" is not an IP'),
        ('[[inbound_connector]]\nname = "A"\n' * 2, "another inbound_connector has this name"),
        (bad_outbound('{ certificate = "app.pem" }'), "{ certificate, key }"),
        (bad_outbound('{ pfx = "app.pfx", password_env = "WRONG" }'), "wrong password"),
    ],
    ids=["unknown key", "bad CIDR", "two of one name", "certificate without its key", "wrong PFX password"],
)
def test_of_a_bad_organization_nothing_is_applied(relay: House, tmp_path: Path, text: str, problem: str) -> None:
    authority = Authority.create("CA")
    (tmp_path / "app.pem").write_bytes(authority.certificate_pem)
    (tmp_path / "app.pfx").write_bytes(authority.issue(["app.contoso.com"]).to_pfx("right"))
    (tmp_path / "bad.toml").write_text(f'{text}\n[[accepted_domain]]\nname = "half.example"\n', "utf-8")
    before = relay.read("connector", "list"), relay.read("domain", "list")

    told = one_line(relay.run("apply", str(tmp_path / "bad.toml"), check=False, WRONG="wrong"), 1)

    assert told.startswith(f"posthouse: {tmp_path / 'bad.toml'}: ")
    assert problem in told
    assert (relay.read("connector", "list"), relay.read("domain", "list")) == before


@pytest.mark.parametrize(
    ("listener", "problem"),
    [
        ('certificate = "relay.pem"', "relay.pem: "),
        ('certificate = "relay.pfx"\ncertificate_password_env = "WRONG"', "relay.pfx: wrong password"),
        ('key = "relay.key"', "a key needs its certificate"),
        ('colour = "red"', "colour; allowed here: "),
    ],
    ids=["certificate without its key", "wrong PFX password", "key without its certificate", "unknown key"],
)
def test_with_a_bad_listener_serve_does_not_start(house: MakeHouse, listener: str, problem: str) -> None:
    relay = house(TENANT, f'\n[[listener]]\naddress = "ADDRESS:2525"\n{listener}\n')
    issued = trustme.CA().issue_cert("relay.test")
    issued.cert_chain_pems[0].write_to_path(relay.folder / "relay.pem")
    (relay.folder / "relay.pfx").write_bytes(Authority.create("CA").issue(["relay.test"]).to_pfx("right"))
    assert problem in one_line(relay.run("serve", check=False, WRONG="wrong"), 1)


@pytest.mark.parametrize("words", ["frobnicate", "apply", "connector new inbound A --colour red"])
def test_a_wrong_command_line(relay: House, words: str) -> None:
    told = one_line(relay.run(*words.split(), check=False), 2)
    assert "see posthouse" in told
    assert [connector["Name"] for connector in relay.read("connector", "list")] == ["Mailboxes"]


def test_a_store_from_a_newer_version_is_left_alone(house: MakeHouse) -> None:
    relay = house(TENANT)
    settings = Settings(data_dir=relay.data_dir)
    store = open_store(settings.store_url, settings.data_dir)
    with store.transaction() as connection:
        connection.execute(sa.update(version).values(version_num="9999"))
    store.close()
    for words in (("serve",), ("apply", str(relay.folder / "organization.toml"))):
        assert "newer" in one_line(relay.run(*words, check=False), 1)


# What they change in a running relay


def reply_to(relay: House, recipient: str, source: str = "", sender: str = "a@contoso.com") -> str:
    """What a fresh session is told: at MAIL if that is refused, else at RCPT."""
    with relay.smtp(source) as client:
        client.ehlo()
        code, text = client.mail(sender)
        if code == 250:
            code, text = client.rcpt(recipient)
    return f"{code} {text.decode()}"


def deliver(relay: House, recipient: str, source: str) -> None:
    with relay.smtp(source) as client:
        client.sendmail("a@contoso.com", [recipient], "Subject: x\r\n\r\nx\r\n")


@pytest.fixture
def partners() -> Iterator[tuple[Peer, Peer]]:
    with Peer() as first, Peer() as second:
        yield first, second


def test_a_domain_is_accepted_from_new_to_remove(relay: House) -> None:
    assert reply_to(relay, "user@fabrikam.com").startswith("550 5.7.64 ")
    relay.run("domain", "new", "fabrikam.com")
    relay.send("a@example.net", "user@fabrikam.com")
    relay.await_mail("user@fabrikam.com")
    relay.run("domain", "remove", "fabrikam.com")
    assert reply_to(relay, "user@fabrikam.com").startswith("550 5.7.64 ")


def test_connectors_let_mail_in_and_out_from_new_to_remove(relay: House, partners: tuple[Peer, Peer]) -> None:
    printer, moved = "127.0.0.55", "127.0.0.56"
    first, second = partners
    route = ("--recipient-domains", "partner.test", "--smart-hosts", "127.0.0.1")
    relay.run("connector", "new", "outbound", "Partner", *route, "--port", str(first.port))
    with pytest.raises(smtplib.SMTPRecipientsRefused):
        deliver(relay, "user@partner.test", printer)

    proof = ("--connector-type", "OnPremises", "--sender-ip-addresses")
    relay.run("connector", "new", "inbound", "Printers", *proof, printer)
    deliver(relay, "user@partner.test", printer)
    wait_for(lambda: len(first.messages) == 1)

    relay.run("connector", "set", "outbound", "Partner", "--port", str(second.port))
    relay.run("connector", "set", "inbound", "Printers", "--sender-ip-addresses", moved)
    assert reply_to(relay, "user@partner.test", printer).startswith("550 5.7.64 ")
    deliver(relay, "user@partner.test", moved)
    wait_for(lambda: len(second.messages) == 1)
    shown = {connector["Name"]: connector for connector in relay.read("connector", "list")}
    assert shown["Printers"]["SenderIPAddresses"] == [moved]
    assert relay.read("connector", "show", "partner")[0]["Port"] == second.port

    relay.run("connector", "set", "inbound", "Printers", "--require-tls")
    assert reply_to(relay, "user@partner.test", moved).startswith("530 5.7.0 ")

    relay.run("connector", "remove", "inbound", "Printers")
    assert reply_to(relay, "user@partner.test", moved).startswith("550 5.7.64 ")
    relay.run("connector", "remove", "outbound", "Partner")
    assert len(first.messages) == len(second.messages) == 1


def test_an_output_that_lacks_a_character_shows_its_number(relay: House) -> None:
    relay.run("connector", "new", "inbound", "Drucker №5")
    shown = relay.run("connector", "list", PYTHONIOENCODING="cp1252").stdout
    assert r"Drucker \u21165" in shown
    relay.run("connector", "remove", "inbound", "Drucker №5")
