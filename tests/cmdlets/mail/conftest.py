"""Scripts against real houses: what they show, what arrives, what is on record."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import pytest
import trustme

from net.tls_peers import identity_of
from posthouse.admin import Actor, Administration, Face, Role
from posthouse.cmdlets.errors import ScriptRefused
from posthouse.cmdlets.files import AllowedFiles
from posthouse.cmdlets.interface import Services
from posthouse.cmdlets.library import LIBRARY
from posthouse.cmdlets.registry import Registry
from posthouse.cmdlets.session import Session
from posthouse.settings import Settings
from posthouse.spool import AuditFilter, AuditRecord, open_store
from support.house import House
from support.peers import Peer
from support.scripts import Paper

ORGANIZATION = """
trusted_roots = ["own-ca.pem"]

[[accepted_domain]]
name = "contoso.com"

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["*"]

[[outbound_connector]]
name = "Internet"
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = {port}
"""
BY_ADDRESS = """
[[inbound_connector]]
name = "SMTP Relay"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.1"]
"""
BY_CERTIFICATE = """
[[inbound_connector]]
name = "SMTP Relay (TLS)"
connector_type = "OnPremises"
require_tls = true
tls_sender_certificate_name = "*.contoso.com"

[[inbound_connector]]
name = "Scanners"
connector_type = "OnPremises"
sender_credentials = [{ user = "scanner-2", password_env = "SCANNER_2" }]
"""
SETTINGS = """
workers = 1

[delivery]
retry_after = ["1h"]

[[listener]]
address = "ADDRESS:2525"
certificate = "relay.pfx"
auth_without_tls = true
"""
PASSWORD = "correct-Horse-7"
PFX_PASSWORD = "battery-Staple-9"
SHORT = "Send-MailMessage -SmtpServer $server -Port $port -From scan@contoso.com -Subject Test -Body Hello"


@dataclass
class Script:
    """Where scripts of one administrator run."""

    session: Session
    paper: Paper
    administration: Administration
    status: int = 0

    def run(self, script: str) -> str:
        """All that it shows; a line that is wider than the paper is one line all the same."""
        self.paper.said.clear()
        try:
            self.status = self.session.run(self.session.prepare(script, "test.ps1"))
        except ScriptRefused as refused:
            self.status = 1
            return f"{refused}\n"
        return self.paper.text

    def to(self, peer: Peer) -> Script:
        """Its $server and $port are the peer's."""
        self.session.set("server", "127.0.0.1")
        self.session.set("port", peer.port)
        return self

    def said(self, stream: str) -> list[str]:
        return [text.rstrip() for told, text in self.paper.said if told == stream]

    @property
    def records(self) -> list[AuditRecord]:
        return list(self.administration.audit.find(AuditFilter()))


MakeScript = Callable[..., Script]


@pytest.fixture
def scripts() -> Iterator[MakeScript]:
    """Makes one for a house, an administrator's role, answers to its questions and files that it may read."""
    with ExitStack() as stack:

        def make(
            house: House,
            role: Role = Role.ORGANIZATION_MANAGEMENT,
            *,
            answers: tuple[str, ...] = (),
            allowed: tuple[Path, ...] = (),
            folder: Path | None = None,
        ) -> Script:
            store = stack.enter_context(
                closing(open_store(f"sqlite:///{house.data_dir / 'posthouse.db'}", house.data_dir))
            )
            administration = Administration(store, actor=Actor("anna", (role,), Face.POWERSHELL))
            paper = Paper(list(answers), width=200)
            others = (administration, Settings(data_dir=house.data_dir))
            services = Services(paper, AllowedFiles(allowed, folder), lambda: datetime.now().astimezone(), others)
            session = Session(Registry(LIBRARY), services)
            session.set("server", house.address)
            session.set("port", house.port)
            return Script(session, paper, administration)

        yield make


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    return trustme.CA(organization_name="Contoso CA")


@pytest.fixture
def peer() -> Iterator[Peer]:
    """A server that takes everything."""
    with Peer() as peer:
        yield peer


@pytest.fixture(scope="session")
def elsewhere() -> Iterator[Peer]:
    """The mail server of everybody else."""
    with Peer() as peer:
        yield peer


@pytest.fixture(scope="session")
def pfx(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The certificate of the device, as Windows exports it."""
    file = tmp_path_factory.mktemp("script") / "cert.pfx"
    file.write_bytes(
        identity_of(authority.issue_cert("relay.contoso.com", common_name="relay.contoso.com")).to_pfx(PFX_PASSWORD)
    )
    return file


def _started(folder: Path, organization: str, authority: trustme.CA, peer: Peer) -> House:
    house = House(folder, ORGANIZATION.format(port=peer.port) + organization, SETTINGS)
    (folder / "own-ca.pem").write_bytes(authority.cert_pem.bytes())
    (folder / "relay.pfx").write_bytes(identity_of(authority.issue_cert("relay.test")).to_pfx())
    house.apply(SCANNER_2=PASSWORD)
    return house.start()


@pytest.fixture(scope="session")
def relay(authority: trustme.CA, elsewhere: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Takes mail from this machine's address."""
    house = _started(tmp_path_factory.mktemp("relay"), BY_ADDRESS, authority, elsewhere)
    yield house
    house.clean_up()


@pytest.fixture(scope="session")
def tenant(authority: trustme.CA, elsewhere: Peer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Takes mail by certificate or login only."""
    house = _started(tmp_path_factory.mktemp("tenant"), BY_CERTIFICATE, authority, elsewhere)
    yield house
    house.clean_up()


@pytest.fixture(scope="session")
def stuck(authority: trustme.CA, tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    """Takes mail as `relay` does, but its next hop is busy for hours: what is not for contoso.com waits."""
    with Peer(CONNECT="421 4.3.2 come back later") as busy:
        house = _started(tmp_path_factory.mktemp("stuck"), BY_ADDRESS, authority, busy)
        yield house
        house.clean_up()
