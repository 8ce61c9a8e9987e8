"""A marked secret in every place that can hold one: in nothing that anybody reads is it, nor in the store's bytes."""

from __future__ import annotations

import base64
import io
import logging
import shlex
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import pytest
import sqlalchemy as sa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from posthouse import observe
from posthouse.admin import AdminError, Administration, Authentication, Face, Items, Role, SignInRefused, totp
from posthouse.cli import run
from posthouse.net.certificates import Authority
from posthouse.settings import Settings
from posthouse.spool import AuditFilter, Store, open_store

SITE = """
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Scanners"
sender_credentials = [{ user = "scanner-2", password_env = "DEVICE" }]

[[outbound_connector]]
name = "Office 365"
recipient_domains = ["*"]
smart_hosts = ["mail.contoso.com"]
client_certificate = { pfx = "cert.pfx", password_env = "PFX" }

[[credential]]
name = "Relay app"
kind = "client_credentials"
user = "relay"
tenant = "contoso.onmicrosoft.com"
client_id = "app"
secret_env = "APP"
"""

COMMANDS = [
    ("export",),
    ("export", "--powershell"),
    ("queue", "list", "--json"),
    ("trace", "--json"),
    ("show", "--json"),
    ("connector", "list", "--json"),
    ("connector", "show", "Office 365", "--json"),
    ("connector", "show", "Scanners"),
    ("domain", "list", "--json"),
    ("admin", "list", "--json"),
    ("token", "list", "--json"),
    ("audit", "--json", "--limit", "1000"),
    ("audit",),
]
"""All that list, show or export."""
MISTAKEN = """
connector set inbound Scanners --sender-credentials device=MARK-first-password
connector set outbound 'Office 365' --client-certificate x.pfx --client-certificate-password-env MARK-first-password
admin new carol --password-env MARK-first-password
send --server 127.0.0.1 --from a@contoso.com --to b@contoso.com --user scanner-2 --password-env MARK-first-password
apply mistaken.toml
import main.cf --yes
"""
"""Secrets where the name of a variable belongs, or in files that can't be taken as they are."""
MISTAKEN_FILE = """
[[credential]]
name = "Relay app"
kind = "password"
user = "relay"
secret_env = "MARK-first-password"
"""
MAIN_CF = """
myhostname = relay.contoso.com
relayhost = [mail.contoso.com]:587
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = inline:{ {[mail.contoso.com]:587 = relay:MARK-first-password},
  {other.example = x:MARK-first-password} }
smtpd_sasl_password_of_ours = MARK-first-password
MARK
"""

Planted = dict[str, list[bytes]]


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.chdir(tmp_path)
    return Settings(data_dir=tmp_path / "data")


@pytest.fixture
def store(settings: Settings) -> Iterator[Store]:
    store = open_store(settings.store_url, settings.data_dir)
    yield store
    store.close()


def forms(*secrets: str | bytes) -> list[bytes]:
    """A secret as it is, and as it may be written somewhere."""
    raw = [secret.encode() if isinstance(secret, str) else secret for secret in secrets]
    return [form for one in raw for form in (one, base64.b64encode(one), base64.b32encode(one), one.hex().encode())]


def plant(store: Store, folder: Path) -> Planted:
    """Put a secret into every place, use them, and make all the mistakes with them."""
    environ = {"DEVICE": "MARK-device-pass", "PFX": "MARK-pfx-password", "APP": "MARK-app-secret"}
    admin, door = Administration(store, environ), Authentication(store)
    identity = Authority.create("Contoso CA").issue(["relay.contoso.com"])
    (folder / "cert.pfx").write_bytes(identity.to_pfx(environ["PFX"]))
    (folder / "site.toml").write_text(SITE, "utf-8")
    key = identity.key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())

    setup = parse_qs(urlsplit(admin.administrators.setup_link("http://127.0.0.1")).query)["secret"][0]
    door.set_up(setup, "alice", "MARK-first-password", face=Face.WEB, origin="192.0.2.7")
    admin.apply(folder / "site.toml")
    codes = totp.new_secret()
    admin.administrators.new("bob", "MARK-second-password", [Role.VIEW_ONLY], totp=codes)
    admin.administrators.set("bob", password="MARK-third-password")
    session = door.sign_in("alice", "MARK-first-password", face=Face.WEB, origin="192.0.2.7")
    token = admin.tokens.new("ci", Role.VIEW_ONLY, 3600)
    door.by_token(token, face=Face.REST, origin="192.0.2.7")
    door.by_session(session, face=Face.WEB, origin="192.0.2.7")
    admin.rotate_key()
    return {
        "setup": forms(setup),
        "pfx key": [key[-100:], base64.b64encode(key)[40:120]],
        "environment": forms(*environ.values()),
        "passwords": forms("MARK-first-password", "MARK-second-password", "MARK-third-password", "MARK-wrong-name"),
        "totp": [codes, base64.b32encode(codes), codes.hex().encode()],
        "session": forms(session),
        "token": forms(token, token.removeprefix("ph_")),
    }


def mistakes(store: Store, folder: Path, planted: Planted) -> str:
    """All error texts, of acts with a marked secret in the wrong place."""
    environ = {"DEVICE": "MARK-device-pass", "PFX": "MARK-app-secret", "APP": "MARK-app-secret"}
    admin, door = Administration(store, environ), Authentication(store)
    web = {"face": Face.WEB, "origin": "192.0.2.7"}
    setup, token = planted["setup"][0].decode(), planted["token"][0].decode()
    credential = {"name": "x", "kind": "password", "secrte": "MARK-app-secret"}
    acts = [
        lambda: door.sign_in("MARK-wrong-name", "MARK-first-password", **web),
        lambda: door.sign_in("bob", "MARK-second-password", "000000", **web),
        lambda: door.set_up(setup, "carol", "MARK-second-password", **web),
        lambda: door.by_token(token + "x", **web),
        lambda: admin.tokens.new("ci", Role.VIEW_ONLY, 3600),
        lambda: admin.administrators.new("alice", "MARK-first-password", [Role.VIEW_ONLY]),
        lambda: admin.administrators.set("nobody", password="MARK-first-password"),
        lambda: Items(admin, "outbound_connector", folder).set(
            "Office 365", {"client_certificate": {"pfx": "cert.pfx", "password_env": "PFX"}}
        ),
        lambda: admin.change(lambda document: {**document, "credential": [credential]}, folder),
        lambda: admin.change(
            lambda document: {**document, "credential": [{**credential, "secret": ["MARK-app-secret"]}]}, folder
        ),
    ]
    errors: list[str] = []
    for act in acts:
        with pytest.raises((AdminError, SignInRefused)) as caught:
            act()
        errors.append(str(caught.value))
    return "\n".join(errors)


def test_no_secret_is_anywhere(
    store: Store, settings: Settings, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    observe.configure("json")
    shown = io.StringIO()
    with redirect_stdout(shown), redirect_stderr(shown), store.reading() as connection:
        connection.execute(sa.text("SELECT 1 FROM message"))  # while it stays open, so does the write-ahead log
        planted = plant(store, tmp_path)
        errors = mistakes(store, tmp_path, planted)
        (tmp_path / "mistaken.toml").write_text(MISTAKEN_FILE, "utf-8")
        (tmp_path / "main.cf").write_text(MAIN_CF, "utf-8")
        assert [run(shlex.split(line)) for line in MISTAKEN.split("\n") if line] == [1, 1, 2, 2, 1, 0]
        for command in COMMANDS:
            assert run(command) == 0
        stored = {file.name: file.read_bytes() for file in settings.data_dir.iterdir() if file.is_file()}
    found = list(Administration(store).audit.find(AuditFilter()))
    places = {
        "commands and logs": shown.getvalue().encode() + caplog.text.encode(),
        "errors": errors.encode(),
        "audit": repr(found).encode(),
        "reprs": repr([Administration(store).administrators.list(), Administration(store).tokens.list()]).encode(),
        **stored,
    }
    leaks = [
        (what, place)
        for what, secrets in planted.items()
        for place, text in places.items()
        if any(secret in text for secret in secrets)
    ]
    assert leaks == []
    assert b"contoso.com" in stored["posthouse.db"] + stored["posthouse.db-wal"]
    assert len(found) > 15
    assert b"Relay app" in places["commands and logs"]
    assert b"argon2" not in places["commands and logs"] + places["audit"] + places["reprs"]
