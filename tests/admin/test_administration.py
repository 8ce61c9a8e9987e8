"""An administrator's acts on a real store: checked, in one transaction, in force when they return."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest
import sqlalchemy as sa

from posthouse.admin import AdminError, Administration, Items
from posthouse.net.certificates import Identity, load_pfx
from posthouse.organization import Organization
from posthouse.relay.house import hold_data_dir, node_name
from posthouse.settings import Settings
from posthouse.spool import Organizations, Secrets, Store, open_store
from posthouse.spool.schema import worker

PFX_PASSWORD = "Pfx-Passw0rd"

SITE = """
trusted_roots = ["own-ca.pem"]

[[accepted_domain]]
name = "contoso.com"
type = "InternalRelay"

[[inbound_connector]]
name = "Scanners"
connector_type = "OnPremises"
sender_domains = ["*"]
sender_ip_addresses = ["192.168.0.0/24"]
sender_credentials = [{ user = "scanner-2", password_env = "SCANNER_2" }]

[[outbound_connector]]
name = "Office 365"
recipient_domains = ["*"]
smart_hosts = ["contoso-com.mail.protection.outlook.com"]
client_certificate = { pfx = "cert.pfx", password_env = "PFX_PASSWORD" }

[[credential]]
name = "Smart host"
kind = "password"
user = "relay"
secret_env = "SCANNER_2"

[delivery]
retry_after = ["2m", "1h"]

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
    return Administration(store, {"SCANNER_2": "tray-4", "PFX_PASSWORD": PFX_PASSWORD})


@pytest.fixture
def site(etc: Path) -> Path:
    (etc / "site.toml").write_text(SITE, "utf-8")
    return etc / "site.toml"


def revision_of(store: Store) -> int:
    return Organizations(store).revision()


def test_a_file_is_applied_whole(admin: Administration, site: Path) -> None:
    applied = admin.apply(site)
    assert [(change.act, change.item or change.key) for change in applied.changes] == [
        ("change", "trusted_roots"),
        ("change", "delivery"),
        ("change", "limits"),
        ("add", 'accepted_domain "contoso.com"'),
        ("add", 'inbound_connector "Scanners"'),
        ("add", 'outbound_connector "Office 365"'),
        ("add", 'credential "Smart host"'),
    ]
    organization = admin.organization()
    assert organization.limits.message_size == 10 << 20
    assert organization.delivery.retry_after == (120, 3600)
    assert organization.password_hash("scanner-2")


def test_its_secrets_are_stored_encrypted(admin: Administration, site: Path, store: Store, identity: Identity) -> None:
    admin.apply(site)
    (connector,) = admin.organization().outbound
    assert connector.client_certificate is not None
    secrets = Secrets(store)
    assert load_pfx(secrets.get(connector.client_certificate.secret), None).certificate == identity.certificate
    (credential,) = admin.organization().credentials
    assert secrets.get(credential.secret) == b"tray-4"
    in_the_clear = [file.name for file in store.data_dir.iterdir() if b"tray-4" in file.read_bytes()]
    assert in_the_clear == []


def test_applying_it_again_changes_nothing(admin: Administration, site: Path, store: Store) -> None:
    admin.apply(site)
    assert admin.apply(site).changes == ()
    assert revision_of(store) == 1


def test_what_is_exported_keeps_everything_when_applied(
    admin: Administration, site: Path, store: Store, tmp_path: Path
) -> None:
    admin.apply(site)
    exported = tmp_path / "exported.toml"
    exported.write_text(admin.export(), "utf-8")
    assert Administration(store, {}).apply(exported).changes == ()


def test_an_export_holds_no_secret(admin: Administration, site: Path, identity: Identity) -> None:
    admin.apply(site)
    exported = admin.export()
    assert identity.thumbprint in exported
    assert 'user = "scanner-2"' in exported
    assert not any(secret in exported for secret in ("tray-4", "argon2", "certificate/", "credential/"))


def test_what_a_file_lacks_is_removed_with_its_secrets(admin: Administration, site: Path, store: Store) -> None:
    admin.apply(site)
    site.write_text('[[accepted_domain]]\nname = "contoso.com"\ntype = "InternalRelay"\n')
    assert {change.act for change in admin.apply(site).changes} == {"change", "remove"}
    assert Secrets(store).names() == frozenset()


def test_a_dry_run_shows_the_difference_and_does_nothing(admin: Administration, site: Path, store: Store) -> None:
    assert len(admin.apply(site, dry_run=True).changes) == 7
    assert admin.organization() == Organization()
    assert Secrets(store).names() == frozenset()


@pytest.mark.parametrize(
    ("replaced", "by", "problem"),
    [
        ("sender_domains", "sender_domain", 'inbound_connector "Scanners": sender_domain: unknown key'),
        ("192.168.0.0/24", "192.168.0.0/33", '"192.168.0.0/33" is not an IP address or network'),
        ("contoso.com", "contoso..com", "name"),
        ('password_env = "PFX_PASSWORD"', 'password = "wrong"', "wrong password"),
        ('"PFX_PASSWORD"', '"UNSET"', "the environment has no UNSET"),
        ('pfx = "cert.pfx", password_env = "PFX_PASSWORD"', 'certificate = "cert.pem"', "{ certificate, key }"),
        ("own-ca.pem", "none.pem", "trusted_roots: none.pem: No such file"),
        ("[[credential]]", "[[credential", "not TOML"),
    ],
)
def test_nothing_is_half_applied(
    admin: Administration, site: Path, store: Store, replaced: str, by: str, problem: str
) -> None:
    admin.apply(site)
    before = admin.export()
    text = SITE.replace('["192.168.0.0/24"]', '["192.168.0.0/24", "10.0.0.1"]')
    site.write_text(text.replace(replaced, by))
    with pytest.raises(AdminError, match="^" + str(site)) as caught:
        admin.apply(site)
    assert problem in caught.value.lines[0]
    assert (admin.export(), revision_of(store)) == (before, 1)


def test_two_connectors_of_one_name_are_refused(admin: Administration, etc: Path) -> None:
    file = etc / "twice.toml"
    file.write_text('[[inbound_connector]]\nname = "Scanners"\n\n[[inbound_connector]]\nname = "SCANNERS"\n')
    with pytest.raises(AdminError, match="another inbound_connector has this name"):
        admin.apply(file)


class TestItems:
    def test_a_connector_comes_changes_and_goes(self, admin: Administration, tmp_path: Path) -> None:
        items = Items(admin, "inbound_connector", tmp_path)
        items.new("Scanners", {"connector_type": "OnPremises", "sender_ip_addresses": ["192.0.2.7"], "rate_limit": 10})
        items.set("scanners", {"require_tls": True, "rate_limit": None})
        (connector,) = admin.organization().inbound
        assert (connector.require_tls, connector.rate_limit, connector.is_on_premises) == (True, None, True)
        items.remove("Scanners")
        assert admin.organization().inbound == ()

    def test_one_that_is_not_there_is_named_with_those_that_are(self, admin: Administration, tmp_path: Path) -> None:
        domains = Items(admin, "accepted_domain", tmp_path)
        domains.new("contoso.com", {})
        with pytest.raises(AdminError, match=r'there is no accepted domain "fabrikam.com"; there are: contoso.com'):
            domains.remove("fabrikam.com")

    def test_a_name_is_given_once(self, admin: Administration, tmp_path: Path) -> None:
        domains = Items(admin, "accepted_domain", tmp_path)
        domains.new("contoso.com", {})
        with pytest.raises(AdminError, match="another accepted_domain has this name"):
            domains.new("contoso.com", {})

    def test_the_rest_keeps_its_secrets(self, admin: Administration, site: Path, store: Store, tmp_path: Path) -> None:
        admin.apply(site)
        before, names = admin.organization(), Secrets(store).names()
        Items(admin, "outbound_connector", tmp_path).set("Office 365", {"throttle": {"connections": 3}})
        assert Secrets(store).names() == names
        assert admin.organization().inbound == before.inbound
        assert admin.organization().outbound[0].client_certificate == before.outbound[0].client_certificate

    def test_a_part_of_a_throttle_leaves_the_others(self, admin: Administration, site: Path, tmp_path: Path) -> None:
        admin.apply(site)
        items = Items(admin, "outbound_connector", tmp_path)
        items.set("Office 365", {"throttle": {"connections": 3, "messages_per_minute": 30}})
        items.set("Office 365", {"throttle": {"connections": None}})
        throttle = admin.organization().outbound[0].throttle
        assert (throttle.connections, throttle.messages_per_minute) == (None, 30)

    def test_what_does_nothing_is_said(self, admin: Administration, tmp_path: Path) -> None:
        applied = Items(admin, "outbound_connector", tmp_path).new("Internet", {})
        assert applied.notices == (
            'outbound_connector "Internet": it carries nothing; set recipient_domains or all_accepted_domains',
        )


def test_a_change_by_somebody_else_is_not_lost(admin: Administration, store: Store, tmp_path: Path) -> None:
    others = iter(["fabrikam.com", "northwind.com"])

    def edit(document: dict[str, object]) -> dict[str, object]:
        if (name := next(others, None)) is not None:
            Items(Administration(store, {}), "accepted_domain", tmp_path).new(name, {})
        domains = document.get("accepted_domain", [])
        assert isinstance(domains, list)
        return {**document, "accepted_domain": [*domains, {"name": "contoso.com"}]}

    admin.change(edit, tmp_path)
    assert sorted(admin.organization().domain_names) == ["contoso.com", "fabrikam.com", "northwind.com"]


class TestInForce:
    """It returns when every living worker says that it has the new revision."""

    @pytest.fixture
    def register(self, store: Store) -> Callable[[str, float], int]:
        def register(node: str, heartbeat_at: float) -> int:
            values = {"node": node, "pid": os.getpid(), "started_at": heartbeat_at, "heartbeat_at": heartbeat_at}
            with store.transaction() as connection:
                insert = worker.insert().values(**values, revision=0).returning(worker.c.id)
                return connection.execute(insert).scalar_one()

        return register

    def test_it_waits_for_a_worker(
        self, admin: Administration, store: Store, tmp_path: Path, register: Callable[[str, float], int]
    ) -> None:
        register("elsewhere", time.time())
        took_over = False

        def take_over() -> None:
            nonlocal took_over
            while revision_of(store) < 1:
                time.sleep(0.01)
            took_over = True
            with store.transaction() as connection:
                connection.execute(sa.update(worker).values(revision=1))

        thread = Thread(target=take_over)
        thread.start()
        Items(admin, "accepted_domain", tmp_path).new("contoso.com", {})
        assert took_over
        thread.join()

    def test_it_says_so_when_one_does_not_follow(
        self,
        admin: Administration,
        tmp_path: Path,
        register: Callable[[str, float], int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("posthouse.admin.administration._IN_FORCE_SECONDS", 0.1)
        register("elsewhere", time.time())
        with pytest.raises(AdminError, match="it is stored, but 1 workers don't have it in force yet"):
            Items(admin, "accepted_domain", tmp_path).new("contoso.com", {})

    def test_the_silent_are_not_waited_for(
        self, admin: Administration, tmp_path: Path, register: Callable[[str, float], int]
    ) -> None:
        register("elsewhere", time.time() - 31)
        Items(admin, "accepted_domain", tmp_path).new("contoso.com", {})

    def test_of_this_node_nobody_is_waited_for_without_a_serve(
        self, admin: Administration, tmp_path: Path, store: Store, register: Callable[[str, float], int]
    ) -> None:
        register(node_name(store.data_dir), time.time())
        (store.data_dir / "serve.lock").touch()
        Items(admin, "accepted_domain", tmp_path).new("contoso.com", {})

    def test_of_this_node_all_are_waited_for_under_a_serve(
        self,
        admin: Administration,
        tmp_path: Path,
        store: Store,
        register: Callable[[str, float], int],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr("posthouse.admin.administration._IN_FORCE_SECONDS", 0.1)
        register(node_name(store.data_dir), time.time())
        with hold_data_dir(store.data_dir), pytest.raises(AdminError, match="don't have it in force yet"):
            Items(admin, "accepted_domain", tmp_path).new("contoso.com", {})
