"""A new key: every kind of secret that an organization and its administrators have is still what it was."""

from __future__ import annotations

import time
from contextlib import closing
from pathlib import Path

from posthouse.admin import Administration, Authentication, Face, Role, totp
from posthouse.net.certificates import Authority
from posthouse.spool import Secrets, open_store

SITE = """
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Scanners"
sender_credentials = [{ user = "scanner", password = "tray-4-tray" }]

[[outbound_connector]]
name = "Partner"
recipient_domains = ["*"]
smart_hosts = ["mail.contoso.com"]
client_certificate = { pfx = "cert.pfx", password = "pfx" }

[[credential]]
name = "Password"
kind = "password"
user = "relay"
secret = "submission"

[[credential]]
name = "App"
kind = "client_credentials"
user = "relay@contoso.com"
tenant = "contoso.onmicrosoft.com"
client_id = "app"
secret = "app-secret"

[[credential]]
name = "App by certificate"
kind = "client_credentials"
user = "relay@contoso.com"
tenant = "contoso.onmicrosoft.com"
client_id = "app"
certificate = { pfx = "other.pfx", password = "pfx" }
"""
PASSWORD = "correct horse battery"
CODES = b"s" * 20


def test_each_kind_of_secret_is_kept(tmp_path: Path) -> None:
    authority = Authority.create("CA")
    for name in ("cert", "other"):
        (tmp_path / f"{name}.pfx").write_bytes(authority.issue([f"{name}.contoso.com"]).to_pfx("pfx"))
    (tmp_path / "site.toml").write_text(SITE, "utf-8")
    data = tmp_path / "data"
    with closing(open_store(f"sqlite:///{data / 'posthouse.db'}", data)) as store:
        admin, secrets, door = Administration(store), Secrets(store), Authentication(store)
        admin.apply(tmp_path / "site.toml")
        admin.administrators.new("alice", PASSWORD, [Role.ORGANIZATION_MANAGEMENT], totp=CODES)
        token = admin.tokens.new("ci", Role.VIEW_ONLY, 3600)
        before = {name: secrets.get(name) for name in secrets.names()}
        key = (data / "secrets.key").read_bytes()
        exported = admin.export()

        assert admin.rotate_key() == len(before) == 5
        assert (data / "secrets.key").read_bytes() != key
        assert {name: secrets.get(name) for name in secrets.names()} == before
        assert {b"submission", b"app-secret", CODES} <= set(before.values())

        (tmp_path / "exported.toml").write_text(exported, "utf-8")
        assert admin.apply(tmp_path / "exported.toml").changes == ()
        assert door.by_token(token, face=Face.REST, origin="192.0.2.7").name.endswith("ci")
        code = totp.code_at(CODES, int(time.time()) // 30)
        assert door.sign_in("alice", PASSWORD, code, face=Face.WEB, origin="192.0.2.7")
