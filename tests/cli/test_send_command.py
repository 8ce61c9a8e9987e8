"""`posthouse send` as it is typed: against a real posthouse, and at a terminal."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from net.dns_server import SERVFAIL
from posthouse.net.certificates import Authority
from support.house import House, wait_for
from support.internet import SMTP, Internet
from support.peers import SILENCE, Peer

TENANT = """
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Scanners"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.9"]

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["*"]

[[outbound_connector]]
name = "Nowhere"
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = 1
"""
LOOSE = "workers = 1\n[limits]\nmin_free = 0\nsessions_per_client = 0\n"
USER = ("--from", "app@contoso.com", "--to", "user@contoso.com")


@pytest.fixture(scope="module")
def tenant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Takes mail for contoso.com from everyone, and for others from 127.0.0.9."""
    house = House(tmp_path_factory.mktemp("tenant"), TENANT, LOOSE)
    try:
        house.apply()
        yield house.start()
    finally:
        house.clean_up()


def at(place: House | Peer) -> tuple[str, ...]:
    if isinstance(place, House):
        return "--server", place.address, "--port", str(place.port)
    return "--server", "127.0.0.1", "--port", str(place.port)


# A real posthouse


def test_some_recipients_are_refused_and_explained(posthouse: Any, tenant: House) -> None:
    words = ("send", *at(tenant), *USER, "--to", "friend@example.net")
    ran = posthouse(*words)
    assert ran.status == 1
    assert ran.err.splitlines()[-1].startswith("posthouse: friend@example.net: 550 5.7.64 TenantAttribution;")
    assert "250 2.6.0" in ran.out
    assert re.search(r"What to do +Give the outbound connector the certificate", ran.out)
    assert "https://learn.microsoft.com/" in ran.out

    told = posthouse(*words, "--json").json
    assert told["accepted"] is False
    assert [one["reply"]["code"] for one in told["replies"]] == [250, 550]
    assert [explanation["reply"][:10] for explanation in told["explanations"]] == ["550 5.7.64"]
    assert posthouse(*words, "--source", "127.0.0.9").status == 0


def test_a_whole_message_arrives_byte_for_byte(posthouse: Any, tenant: House, folder: Path) -> None:
    content = b".\r\n..dot\r\n\r\n" + b"long " * 1500 + b"\r\n\xff\xe9\r\n.\r\n\r\n.\r\n"
    (folder / "whole.eml").write_bytes(b"Subject: whole\r\nX-Odd: a\r\n  b\r\n\r\n" + content)
    for _ in range(2):
        assert posthouse("send", *at(tenant), *USER[:2], "--to", "whole@contoso.com", "--raw", "whole.eml").status == 0
    for arrived in tenant.await_mail("whole@contoso.com", 2):
        assert arrived.endswith(b"Subject: whole\r\nX-Odd: a\r\n  b\r\n\r\n" + content)


def test_a_whole_message_with_other_line_ends(posthouse: Any, tenant: House, folder: Path) -> None:
    (folder / "unix.eml").write_bytes(b"Subject: unix\n\n.a\rb\n")
    assert posthouse("send", *at(tenant), *USER[:2], "--to", "unix@contoso.com", "--raw", "unix.eml").status == 0
    (arrived,) = tenant.await_mail("unix@contoso.com")
    assert arrived.endswith(b"Subject: unix\r\n\r\n.a\r\nb\r\n")


def test_notifications_that_were_asked_for_come(posthouse: Any, tenant: House) -> None:
    words = ("--from", "dsn@contoso.com", "--to", "user@contoso.com", "--source", "127.0.0.9")
    assert posthouse("send", *at(tenant), *words, "--notify", "success", "--envid", "job 7").status == 0
    (notification,) = tenant.await_mail("dsn@contoso.com")
    assert b"\r\nOriginal-Envelope-Id: job 7\r\n" in notification

    unasked = posthouse("send", *at(tenant), *USER, "--notify", "success")
    assert "*: the server does not offer DSN: NOTIFY, RET and ENVID are not sent" in unasked.err


def test_many_arrive_once(posthouse: Any, tenant: House) -> None:
    words = ("--from", "app@contoso.com", "--to", "many@contoso.com", "--count", "200", "--concurrency", "8")
    told = posthouse("send", *at(tenant), *words, "--json").json
    assert (told["accepted"], told["count"], told["sent"]) == (True, 200, 200)
    assert told["replies"] == {"250 2.6.0": 200}
    assert 0 < told["latency"]["p50"] <= told["latency"]["p95"] <= told["latency"]["p99"]
    assert told["messages_per_second"] == pytest.approx(200 / told["seconds"], rel=0.01)
    arrived = tenant.await_mail("many@contoso.com", 200)
    ids = {re.findall(rb"^Message-ID: (\S+)", mail, re.MULTILINE)[0] for mail in arrived}
    assert len(arrived) == len(ids) == 200


def test_a_house_that_is_killed_in_mid_run(tmp_path: Path) -> None:
    house = House(tmp_path / "house", TENANT, LOOSE)
    try:
        house.apply()
        house.start()
        sending = start("send", *at(house), *USER, "--count", "1000000", "--concurrency", "4", "--json")
        house.await_mail("user@contoso.com", 50)
        house.kill()
        out, err = sending.communicate(timeout=60)
    finally:
        house.clean_up()
    told = json.loads(out)
    assert sending.returncode == 1
    assert told["sent"] >= 50
    assert told["failed"] <= 4
    assert told["unfinished"] == 1_000_000 - told["sent"] - told["failed"] - told["refused"]
    assert "refused the connection" in " ".join(told["errors"])
    assert re.fullmatch(rf"posthouse: {1_000_000 - told['sent']} of 1000000 mails were not sent: .+\n", err)


# What is sent


def only(peer: Peer) -> str:
    """The content of the one message."""
    (message,) = peer.messages
    return message.content.decode()


@pytest.mark.parametrize("dash", [False, True])
def test_a_body_from_a_file_or_standard_input(
    posthouse: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, dash: bool
) -> None:
    (folder / "body.txt").write_bytes(b"\xef\xbb\xbfLine one\n.\nLine three\n")
    (folder / "body.html").write_bytes(b"<p>Hello</p>")
    with (folder / "body.txt").open() as opened, Peer() as peer:
        monkeypatch.setattr("sys.stdin", opened)
        body = "-" if dash else "body.txt"
        assert posthouse("send", *at(peer), *USER, "--body-file", body, "--html-file", "body.html").status == 0
    assert "\r\n\r\nLine one\r\n.\r\nLine three\r\n" in only(peer)
    assert "\r\n\r\n<p>Hello</p>\r\n" in only(peer)


def test_recipients_in_a_list_with_names(posthouse: Any) -> None:
    with Peer() as peer:
        to = '"Builder, Bob" <bob@contoso.com>, Eve <eve@example.net>,dan@example.net'
        assert posthouse("send", *at(peer), "--from", "Scanner <s@contoso.com>", "--to", to).status == 0
    assert peer.messages[0].recipients == [
        "RCPT TO:<bob@contoso.com>",
        "RCPT TO:<eve@example.net>",
        "RCPT TO:<dan@example.net>",
    ]
    assert 'To: "Builder, Bob" <bob@contoso.com>' in only(peer)


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "give either a server or a domain whose MX is to be found"),
        (("--server", "x", "--mx", "y"), "give either a server or a domain whose MX is to be found"),
        (("--server", "x", "--body", "a", "--body-file", "-"), "--body and --body-file are two ways to say the same"),
        (("--server", "x", "--raw", "binary", "--subject", "a"), "there can be no subject"),
        (("--server", "x", "--body-file", "binary"), "binary: no UTF-8 text; save it as UTF-8, or --attach it"),
        (("--server", "x", "--to", "a\r\nb"), "an address is one line"),
        (("--server", "x", "--key", "binary"), "--key and a certificate's password need --certificate or --pfx"),
        (("--server", "x", "--tls", "none", "--pfx", "app.pfx"), "a client certificate needs TLS"),
        (("--server", "x", "--auth", "xoauth2"), "signing in needs its user"),
        (("--server", "x", "--user", "u"), "--user needs the password: name --password-env or --password-file"),
        (("--server", "x", "--user", "u", "--auth", "xoauth2"), "--user needs the access token"),
        (("--server", "x", "--user", "u", "--password-file", "empty"), "empty: its first line should be the password"),
        (("--server", "x", "--user", "u", "--password-file", "binary"), "binary: no UTF-8 text"),
        (("--mx", "x", "--nameserver", "ns.example.net"), "name server ns.example.net: it should be an IP address"),
        (("--server", "x", "--count", "0"), "Invalid value for '--count'"),
    ],
)
def test_a_wrong_command_line(
    posthouse: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], problem: str
) -> None:
    (folder / "binary").write_bytes(b"\xff\xfe")
    (folder / "empty").write_bytes(b"\n")
    (folder / "app.pfx").write_bytes(Authority.create("CA").issue(["app.contoso.com"]).to_pfx())
    with (folder / "empty").open() as no_terminal:
        monkeypatch.setattr("sys.stdin", no_terminal)
        ran = posthouse("send", *USER, *words)
    assert (ran.status, ran.out, ran.err.count("\n")) == (2, "", 1)
    assert problem in ran.err


# MX


def test_the_mx_of_a_domain_by_the_name_servers_of_the_settings(posthouse: Any, folder: Path) -> None:
    with Internet() as internet:
        internet.exchangers("contoso.com", "10 mx1.contoso.com.", "20 mx2.contoso.com.")
        internet.nobody("mx1.contoso.com")
        peer = internet.host("mx2.contoso.com")
        words = ("send", "--mx", "contoso.com", "--port", str(SMTP), *USER)
        (folder / "posthouse.toml").write_text(internet.settings())
        by_settings = posthouse(*words)
        assert by_settings.status == 0, by_settings.err
        assert "*: MX of contoso.com: 10 mx1.contoso.com, 20 mx2.contoso.com\n" in by_settings.err

        (folder / "posthouse.toml").write_text("[delivery]\nnameservers = ['127.0.0.1:1']\n")
        assert posthouse(*words, "--nameserver", internet.nameserver).status == 0
        assert len(peer.messages) == 2

        internet.zone["broken.example", "MX"] = [SERVFAIL]
        broken = posthouse(*words, "--mx", "broken.example", "--nameserver", internet.nameserver)
    assert (broken.status, broken.out) == (1, "")
    assert "the name servers gave no usable answer" in broken.err.splitlines()[-1]


# Secrets, and a terminal

PASSWORD = "pfx pässword"
LOGIN = "l0gin-pässword"
AUTH = ("AUTH LOGIN PLAIN XOAUTH2", "SMTPUTF8")


@pytest.fixture(scope="module")
def pfx(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("pfx") / "app.pfx"
    file.write_bytes(Authority.create("CA").issue(["app.contoso.com"]).to_pfx(PASSWORD))
    return file


def start(*words: str, **options: Any) -> subprocess.Popen[str]:
    """The command as a process of its own."""
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-m", "posthouse", *words], **streams | options)


class Terminal:
    """A command at a terminal, which is its standard input and error; `shown` is what was on it."""

    def __init__(self, *words: str) -> None:
        self._ours, theirs = pty.openpty()
        self.process = start(*words, stdin=theirs, stderr=theirs, start_new_session=True)
        os.close(theirs)
        self.shown = ""

    def until(self, text: str) -> None:
        while text not in self.shown:
            self.shown += os.read(self._ours, 4096).decode()

    def type(self, line: str) -> None:
        os.write(self._ours, f"{line}\n".encode())

    def ended(self) -> tuple[int, str]:
        """Exit status and standard output."""
        with contextlib.suppress(OSError):  # EIO: nobody has the other side any more
            while data := os.read(self._ours, 4096):
                self.shown += data.decode()
        out, _ = self.process.communicate(timeout=60)
        os.close(self._ours)
        return self.process.returncode, out


def test_the_password_of_a_pfx_is_asked_for_and_not_shown(tenant: House, pfx: Path) -> None:
    terminal = Terminal("send", *at(tenant), *USER, "--pfx", str(pfx))
    terminal.until("Certificate's password: ")
    terminal.type(PASSWORD)
    status, out = terminal.ended()
    assert status == 0, terminal.shown
    assert PASSWORD not in terminal.shown + out
    assert "the server asked for a client certificate; sent: 'CN=app.contoso.com'" in terminal.shown


def test_a_wrong_password_at_the_prompt(tenant: House, pfx: Path) -> None:
    terminal = Terminal("send", *at(tenant), *USER, "--pfx", str(pfx))
    terminal.until("Certificate's password: ")
    terminal.type("wrong")
    status, out = terminal.ended()
    assert (status, out) == (1, "")
    assert terminal.shown.splitlines()[-1] == (
        f"posthouse: {pfx}: wrong password; give the one that the PFX was exported with"
    )


def test_a_pfx_without_a_password_or_a_damaged_one_asks_for_none(tenant: House, tmp_path: Path) -> None:
    plain, damaged = tmp_path / "plain.pfx", tmp_path / "password.pfx"
    plain.write_bytes(Authority.create("CA").issue(["app.contoso.com"]).to_pfx())
    damaged.write_bytes(b"\x30\x82")
    for file, expected in ((plain, 0), (damaged, 1)):
        terminal = Terminal("send", *at(tenant), *USER, "--pfx", str(file))
        assert terminal.ended()[0] == expected
        assert "password:" not in terminal.shown


@pytest.mark.parametrize("way", ["--pfx-password-env", "--pfx-password-file", "--certificate-password-file"])
@pytest.mark.parametrize("password", [PASSWORD, "wrong"])
def test_the_password_of_a_pfx_from_elsewhere(
    posthouse: Any, tenant: House, folder: Path, monkeypatch: pytest.MonkeyPatch, pfx: Path, way: str, password: str
) -> None:
    monkeypatch.setenv("PFX_PASSWORD", password)
    (folder / "password").write_text(f"{password}\r\n", "utf-8")
    given = (way, "PFX_PASSWORD" if way.endswith("env") else "password")
    ran = posthouse("send", *at(tenant), *USER, "--pfx", str(pfx), *given)
    assert ran.status == (0 if password == PASSWORD else 1), ran.err
    assert password not in ran.out + ran.err.replace("wrong password;", "")
    assert ("sent: 'CN=app.contoso.com'" in ran.err) == (password == PASSWORD)


def test_without_a_terminal_nobody_is_asked(posthouse: Any, pfx: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Path(os.devnull).open() as nothing:
        monkeypatch.setattr("sys.stdin", nothing)
        ran = posthouse("send", "--server", "127.0.0.1", *USER, "--pfx", str(pfx))
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == (
        f"posthouse: {pfx}: it is protected by a password; give the one that the PFX was exported with\n"
    )


def test_a_pem_chain_by_its_short_name(posthouse: Any, tenant: House, folder: Path, pfx: Path) -> None:
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, pkcs12

    key, certificate, _ = pkcs12.load_key_and_certificates(pfx.read_bytes(), PASSWORD.encode())
    assert key
    assert certificate
    (folder / "app.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / "app.pem").write_bytes(certificate.public_bytes(Encoding.PEM))
    told = posthouse("send", *at(tenant), *USER, "--cert", "app.pem", "--key", "app.key", "--json").json
    assert told["client_certificate_sent"]
    assert told["client_certificate"] == "CN=app.contoso.com"
    assert told["server_certificate"]["status"] == "SelfSigned"
    assert told["tls"].startswith("TLSv1.3")


@pytest.mark.parametrize(("auth", "what"), [("plain", "Password: "), ("xoauth2", "Access token: ")])
def test_a_login_is_asked_for_and_not_shown(auth: str, what: str) -> None:
    with Peer(extensions=AUTH, AUTH="235 2.7.0 ok") as peer:
        terminal = Terminal("send", *at(peer), *USER, "--tls", "none", "--user", "app", "--auth", auth, "--json")
        terminal.until(what)
        terminal.type(LOGIN)
        status, out = terminal.ended()
    assert status == 0, terminal.shown
    (command,) = [line for line in peer.sessions[0].commands if line.startswith(f"AUTH {auth.upper()} ")]
    everything = terminal.shown + out
    assert LOGIN not in everything
    assert json.dumps(LOGIN)[1:-1] not in everything
    assert command.split()[-1] not in everything
    assert f"C: AUTH {auth.upper()} [hidden]" in terminal.shown


@pytest.mark.parametrize("way", ["--password-env", "--token-env", "--password-file", "--token-file"])
def test_a_login_from_elsewhere(posthouse: Any, folder: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    monkeypatch.setenv("LOGIN", LOGIN)
    (folder / "login").write_text(LOGIN, "utf-8")
    given = (way, "LOGIN" if way.endswith("env") else "login")
    with Peer(extensions=AUTH, AUTH=f"535 5.7.3 Authentication unsuccessful for {LOGIN}") as peer:
        ran = posthouse("send", *at(peer), *USER, "--tls", "none", "--user", "app", "--auth", "plain", *given, "--json")
    assert ran.status == 1
    assert ran.err.splitlines()[-1] == "posthouse: 535 5.7.3 Authentication unsuccessful for [hidden]"
    assert ran.json["explanations"]
    assert LOGIN not in ran.out + ran.err


def test_progress_is_drawn_on_a_terminal_only() -> None:
    with Peer() as peer:
        words = ("send", *at(peer), *USER, "--count", "30", "--concurrency", "2")
        terminal = Terminal(*words)
        status, out = terminal.ended()
        assert (status, "30/30" in terminal.shown) == (0, True), terminal.shown
        assert "messages/s" in out
        silent = start(*words)
        out, err = silent.communicate(timeout=60)
    assert (silent.returncode, err) == (0, "")
    assert re.search(r"sent +30 *\n", out)


def interrupted(peer: Peer, *words: str, after: int) -> tuple[int, str, str]:
    """Exit status, output and errors of a command that gets a Ctrl-C when it has said MAIL so many times."""
    sending = start("send", *at(peer), *USER, *words)
    wait_for(lambda: sum(said.startswith("MAIL") for session in peer.sessions for said in session.commands) == after)
    sending.send_signal(signal.SIGINT)
    out, err = sending.communicate(timeout=60)
    return sending.returncode, out, err


def test_ctrl_c_ends_many_with_what_was_done() -> None:
    with Peer(CONTENT=["250 2.0.0 queued"] * 20 + [SILENCE]) as peer:
        status, out, err = interrupted(peer, "--count", "1000000", after=21)
    assert (status, err) == (1, "posthouse: 999980 of 1000000 mails were not sent: interrupted\n")
    assert re.search(r"sent +20 *\n", out)


def test_ctrl_c_ends_one_after_its_dialogue() -> None:
    with Peer(MAIL=SILENCE) as peer:
        status, out, err = interrupted(peer, after=1)
    assert (status, out) == (130, "")
    assert err.splitlines()[-1] == "C: DATA"
