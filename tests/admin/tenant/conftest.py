"""A tenant: Entra, the admin API and the MX endpoint; and the store of a relay that is to use them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from net.tls_peers import identity_of, pem_of
from posthouse.admin import Actor, Administration, Role, local_actor
from posthouse.admin.tenant import Tenant
from posthouse.net.certificates import self_signed
from posthouse.settings import Settings
from posthouse.spool import Store, open_store
from standins.entra import Entra, Registration
from standins.exchange import Exchange
from standins.mx import Mx

OpenTenant = Callable[..., Tenant]

ORGANIZATION = """
trusted_roots = ['''{root}''']

[[accepted_domain]]
name = "contoso.test"

[[credential]]
name = "Tenant app"
kind = "client_credentials"
tenant = "{entra.tenant}"
client_id = "{app.client_id}"
certificate = {{ pfx = "app.pfx" }}
authority = "{entra.url}"

[[outbound_connector]]
name = "By address"
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = {mx.port}
source_address = "127.0.0.7"
tls_settings = "CertificateValidation"

[[outbound_connector]]
name = "By certificate"
enabled = false
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = {mx.port}
tls_settings = "CertificateValidation"
client_certificate = {{ pfx = "relay.pfx" }}
"""


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def entra(authority: trustme.CA) -> Iterator[Entra]:
    with Entra(authority) as running:
        yield running


@pytest.fixture
def exchange(authority: trustme.CA, entra: Entra) -> Iterator[Exchange]:
    with Exchange(authority, entra) as running:
        running.domains["contoso.test"] = "Authoritative"
        running.connectors.takes_reserved = True
        yield running


@pytest.fixture
def mx(authority: trustme.CA, exchange: Exchange) -> Iterator[Mx]:
    with Mx(authority, exchange, host="127.0.0.1") as running:
        yield running


@pytest.fixture
def app(entra: Entra, exchange: Exchange, tmp_path: Path) -> Registration:
    """It signs in by a certificate, which is in app.pfx, and may manage Exchange."""
    identity = self_signed("app.contoso.test", rsa_key=True)
    (tmp_path / "app.pfx").write_bytes(identity.to_pfx())
    registered = entra.register(certificate=identity.certificate)
    exchange.allow(registered.client_id)
    return registered


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(data_dir=tmp_path / "data", hostname="relay.contoso.test")


@pytest.fixture
def store(
    tmp_path: Path, settings: Settings, authority: trustme.CA, entra: Entra, app: Registration, mx: Mx
) -> Iterator[Store]:
    """With an organization whose connectors go to the tenant, by an address and by a certificate."""
    identity = identity_of(authority.create_child_ca().issue_cert("relay.contoso.test"))
    (tmp_path / "relay.pfx").write_bytes(identity.to_pfx())
    file = tmp_path / "organization.toml"
    file.write_text(ORGANIZATION.format(root=pem_of(authority), entra=entra, app=app, mx=mx), "utf-8")
    with ExitStack() as stack:
        opened = open_store(settings.store_url, settings.data_dir)
        stack.callback(opened.close)
        Administration(opened).apply(file)
        yield opened


@pytest.fixture
def open_tenant(store: Store, settings: Settings) -> OpenTenant:
    """As an administrator of a role; who may do everything by default."""

    def open_tenant(role: Role = Role.ORGANIZATION_MANAGEMENT) -> Tenant:
        actor = local_actor()
        return Tenant(store, Administration(store, actor=Actor(actor.name, (role,), actor.face)), settings)

    return open_tenant


@pytest.fixture
def tenant(open_tenant: OpenTenant, exchange: Exchange) -> Tenant:
    """Connected."""
    opened = open_tenant()
    opened.connect("Tenant app", exchange.url)
    exchange.calls.clear()
    return opened
