"""Bad input: one clear line each, the right exit status, nothing on standard output, and nothing half done."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import sqlalchemy as sa

from posthouse.net.certificates import Authority
from posthouse.settings import Settings
from posthouse.spool import open_store
from posthouse.spool.schema import version

DOMAIN = '[[accepted_domain]]\nname = "contoso.com"\n'
CONNECTOR = '[[inbound_connector]]\nname = "Scanners"\n'


def outbound(certificate: str) -> str:
    return f'[[outbound_connector]]\nname = "Office 365"\nsmart_hosts = ["mx"]\nclient_certificate = {certificate}\n'


def one_line(ran: Any, status: int) -> str:
    assert ran.status == status, ran
    assert ran.out == ""
    assert ran.err.startswith("posthouse: ")
    assert ran.err.count("\n") == 1
    return ran.err


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ((), "Missing command; see posthouse --help"),
        (("foo",), "No such command 'foo'"),
        (("apply",), "Missing argument 'FILE'; see posthouse apply --help"),
        (("apply", "none.toml"), "none.toml"),
        (("show", "--config", "none.toml"), "none.toml"),
        (("connector", "new", "inbound", "A", "--frobnicate"), "No such option: --frobnicate"),
        (("connector", "new", "inbound", "A", "--connector-type", "Cloud"), "'Cloud' is not one of 'OnPremises'"),
        (("connector", "set", "outbound", "A", "--client-certificate-password-env", "X"), "needs --client-certificate"),
        (("domain", "new", "contoso.com", "--type", "External"), "'External' is not one of 'Authoritative'"),
        (("queue", "drop"), "or --all for all of them"),
        (("queue", "list", "--status", "lost"), '"lost" is no status; write one of waiting, held'),
        (("trace", "--since", "yesterday"), '"yesterday" is no time; write it like 2026-11-24'),
        (("headers", "none.eml"), "none.eml"),
        (("send", "--server", "127.0.0.1", "--from", "a@contoso.com"), "Missing option '--to'"),
        (("send", "--server", "x", "--from", "a", "--to", "b", "--notify", "always"), "NOTIFY=always"),
        (("send", "--server", "x", "--from", "a", "--to", "b", "--user", "c", "--password-env", "UNSET"), "no UNSET"),
    ],
)
def test_a_wrong_command_line(posthouse: Any, words: tuple[str, ...], problem: str) -> None:
    assert problem in one_line(posthouse(*words), 2)


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ("hostnme = 'x'", "posthouse.toml: unknown key hostnme; allowed here: hostname"),
        ("[limits]\nmessage_size = 'big'", 'limits.message_size = "big": it should be a size'),
        ("[[listener]]", "listener.0.address: this key is missing"),
        ("=", "posthouse.toml: not TOML"),
    ],
)
def test_bad_settings(posthouse: Any, folder: Path, settings: str, problem: str) -> None:
    (folder / "posthouse.toml").write_text(settings)
    for command in ("serve", "show", "export"):
        assert problem in one_line(posthouse(command), 1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (DOMAIN + "frobnicate = 1\n", 'accepted_domain "contoso.com": frobnicate: unknown key'),
        ("frobnicate = 1\n" + DOMAIN, "frobnicate: unknown key"),
        (
            DOMAIN + CONNECTOR + 'sender_ip_addresses = ["10.0.0.0/40"]\n',
            '"10.0.0.0/40" is not an IP address or network',
        ),
        (DOMAIN + CONNECTOR + CONNECTOR, "another inbound_connector has this name"),
        (DOMAIN + outbound('{ certificate = "cert.pem", key = "cert.pem" }'), "no PEM private key"),
        (DOMAIN + outbound('{ certificate = "cert.pem" }'), "{ certificate, key }"),
        (DOMAIN + outbound('{ pfx = "cert.pfx", password = "wrong" }'), "wrong password"),
        (DOMAIN + outbound('{ pfx = "none.pfx" }'), "none.pfx: No such file or directory"),
        (DOMAIN + outbound('{ pfx = "cert.pfx", password_env = "UNSET" }'), "the environment has no UNSET"),
        (DOMAIN + CONNECTOR + 'sender_credentials = [{ user = "a" }]\n', "user a has no password; set password_env"),
        ("[[accepted_domain", "not TOML"),
    ],
)
def test_a_bad_organization_file_is_not_applied(posthouse: Any, folder: Path, text: str, problem: str) -> None:
    identity = Authority.create("CA").issue(["relay.contoso.com"])
    (folder / "cert.pfx").write_bytes(identity.to_pfx("right"))
    (folder / "cert.pem").write_bytes(Authority.create("CA").certificate_pem)
    (folder / "organization.toml").write_text(text)
    error = one_line(posthouse("apply", "organization.toml"), 1)
    assert error.startswith("posthouse: organization.toml: ")
    assert problem in error
    assert posthouse("domain", "list", "--json").json == []


def test_each_problem_of_a_file_has_its_line(posthouse: Any, folder: Path) -> None:
    (folder / "organization.toml").write_text('[[accepted_domain]]\nname = "a..b"\ntype = "Foo"\n')
    ran = posthouse("apply", "organization.toml")
    assert [line.startswith("posthouse: organization.toml: ") for line in ran.err.splitlines()] == [True, True]


@pytest.mark.parametrize("command", ["serve", "export"])
def test_an_unwritable_data_dir(posthouse: Any, folder: Path, command: str) -> None:
    (folder / "file").write_text("in the way")
    (folder / "posthouse.toml").write_text('data_dir = "file/data"\n[[listener]]\naddress = "127.0.0.1:0"\n')
    assert "file/data" in one_line(posthouse(command), 1)


@pytest.mark.parametrize("command", ["serve", "export"])
def test_a_store_from_a_newer_version(posthouse: Any, folder: Path, command: str) -> None:
    (folder / "posthouse.toml").write_text('[[listener]]\naddress = "127.0.0.1:0"\n')
    settings = Settings(data_dir=folder / "data")
    store = open_store(settings.store_url, settings.data_dir)
    with store.transaction() as connection:
        connection.execute(sa.update(version).values(version_num="9999"))
    store.close()
    assert "newer" in one_line(posthouse(command), 1)


def test_a_port_in_use(posthouse: Any, folder: Path) -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as taken:
        address = f"127.0.0.1:{taken.getsockname()[1]}"
        (folder / "posthouse.toml").write_text(f'[[listener]]\naddress = "{address}"\n')
        assert address in one_line(posthouse("serve"), 1)


def test_a_bug_keeps_its_traceback(posthouse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("posthouse.settings.load", broken)
    with pytest.raises(ZeroDivisionError):
        posthouse("export")
