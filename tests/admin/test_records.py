"""What a change of the organization leaves in the audit log, whichever way it was made."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from posthouse.admin import Actor, AdminError, Administration, Face, Items, Role, local_actor
from posthouse.admin.audit import organization_records
from posthouse.settings import Settings
from posthouse.spool import AuditFilter, AuditRecord, Store, open_store

SITE = """
reject_direct_send = true

[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Scanners"
sender_ip_addresses = ["192.168.0.0/24"]
sender_credentials = [{ user = "scanner-2", password = "tray-4" }]

[limits]
message_size = "10 MiB"
"""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    settings = Settings(data_dir=tmp_path / "data")
    store = open_store(settings.store_url, settings.data_dir)
    yield store
    store.close()


@pytest.fixture
def admin(store: Store) -> Administration:
    return Administration(store, {}, actor=Actor("alice", (Role.ORGANIZATION_MANAGEMENT,), Face.WEB, "192.0.2.7"))


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "site.toml").write_text(SITE, "utf-8")
    return tmp_path / "site.toml"


def records(admin: Administration) -> list[AuditRecord]:
    """Oldest first."""
    return list(admin.audit.find(AuditFilter()))[::-1]


def told(admin: Administration) -> list[tuple[str, str, dict[str, tuple[Any, Any]]]]:
    return [
        (one.act, one.object, {change.key: (change.before, change.after) for change in one.changes})
        for one in records(admin)
    ]


def test_a_file_is_told_as_the_cmdlets_that_would_do_the_same(admin: Administration, site: Path) -> None:
    admin.apply(site)
    organization, transport, domain, connector = told(admin)
    assert organization == ("Set-OrganizationConfig", "", {"RejectDirectSend": (None, True)})
    assert transport == ("Set-TransportConfig", "", {"Limits": (None, {"message_size": "10 MiB"})})
    assert domain[:2] == ("New-AcceptedDomain", "contoso.com")
    assert connector[:2] == ("New-InboundConnector", "Scanners")
    assert connector[2]["SenderIPAddresses"] == (None, ["192.168.0.0/24"])
    assert connector[2]["SenderCredentials"] == (None, [{"user": "scanner-2"}])
    assert {(one.who, one.face, one.origin, one.outcome.value) for one in records(admin)} == {
        ("alice", "web", "192.0.2.7", "ok")
    }


def test_the_same_file_again_is_no_act(admin: Administration, site: Path) -> None:
    admin.apply(site)
    before = records(admin)
    admin.apply(site)
    admin.apply(site, dry_run=True)
    assert records(admin) == before


def test_an_item_that_goes_is_told_with_all_it_said(admin: Administration, site: Path, tmp_path: Path) -> None:
    admin.apply(site)
    Items(admin, "inbound_connector", tmp_path).remove("scanners")
    act, name, changes = told(admin)[-1]
    assert (act, name) == ("Remove-InboundConnector", "Scanners")
    assert changes["SenderIPAddresses"] == (["192.168.0.0/24"], None)


def test_a_changed_password_is_told_without_it(admin: Administration, site: Path, tmp_path: Path) -> None:
    admin.apply(site)
    login = {"user": "scanner-2", "password": "tray-5"}
    Items(admin, "inbound_connector", tmp_path).set("Scanners", {"sender_credentials": [login]})
    shown = [{"user": "scanner-2"}]
    assert told(admin)[-1] == ("Set-InboundConnector", "Scanners", {"SenderCredentials": (shown, shown)})


def test_what_fails_is_on_record_with_the_reason(admin: Administration, site: Path, tmp_path: Path) -> None:
    with pytest.raises(AdminError) as caught:
        Items(admin, "inbound_connector", tmp_path).new("Printers", {"sender_ip_addresses": ["192.0.2.0/33"]})
    site.write_text("[[", "utf-8")
    with pytest.raises(AdminError):
        admin.apply(site)
    first, second = records(admin)
    assert (first.act, first.object, first.outcome.value) == ("New-InboundConnector", "Printers", "failed")
    assert first.reason == str(caught.value)
    assert (second.act, second.outcome.value, second.reason[:8]) == ("Set-OrganizationConfig", "failed", "not TOML")


def test_what_is_stored_but_not_in_force_yet_has_not_failed(
    admin: Administration, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("posthouse.admin.administration._IN_FORCE_SECONDS", 0.0)
    monkeypatch.setattr(Administration, "_behind", lambda *_: 1)
    with pytest.raises(AdminError, match="it is stored, but"):
        Items(admin, "accepted_domain", tmp_path).new("contoso.com", {})
    assert [one.outcome.value for one in records(admin)] == ["ok"]


@pytest.mark.parametrize("cursor", ["", "x", "1.x"])
def test_a_cursor_that_is_none_is_said(admin: Administration, cursor: str) -> None:
    with pytest.raises(AdminError, match="is no cursor"):
        admin.audit.page(AuditFilter(), 10, cursor)


def test_many_changes_take_no_longer_than_they_are() -> None:
    """An import may bring thousands of items: each is shown once, and not once for every other."""
    items = [{"name": f"d{number}.example", "type": "Authoritative"} for number in range(5000)]
    began = time.monotonic()
    assert len(organization_records(local_actor(), {}, {"accepted_domain": items})) == 5000
    assert time.monotonic() - began < 5
