"""Three posthouses on loopback addresses: the on-premises relay, the tenant's side, and the recipient's server.

Each is the real program in processes of its own, with files as an administrator would write them. Every host of the
chain has an address of its own, because connectors tell hosts apart by it.
"""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from posthouse.net.certificates import Authority, Identity
from posthouse.transports.mailbox import mailbox_path

SCANNER = "127.0.0.9"
APPLICATION = "127.0.0.10"
STRANGER = "127.0.0.66"
PFX_PASSWORD = "rehearsal"  # noqa: S105 - of a key that lives as long as the demo

_READY_SECONDS = 30.0
_STOP_SECONDS = 10.0


class RehearsalError(Exception):
    """The rehearsal can't go on; one line for the user."""


@dataclass(frozen=True, slots=True)
class House:
    """One running posthouse."""

    hostname: str
    address: str
    port: int
    folder: Path

    @property
    def log(self) -> Path:
        return self.folder / "serve.log"

    def mailbox(self, address: str) -> list[bytes]:
        """The messages in a mailbox, oldest first."""
        new = self.folder / "data" / "mailboxes" / mailbox_path(address) / "new"
        return [file.read_bytes() for file in sorted(new.glob("*"))]


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """The chain: `site` relays to `contoso`, which delivers its own mail and relays the rest to `internet`.

    `application` is the certificate that contoso's TLS connector asks for, `outsider` one of another name.
    """

    site: House
    contoso: House
    internet: House
    application: Path
    outsider: Path


@contextmanager
def rehearsal(folder: Path) -> Iterator[Rehearsal]:
    """Make the authority, certificates, settings and organizations in `folder`, and run the three houses.

    Raises `RehearsalError` when one doesn't start, or this machine lacks 127.0.0.2 and the like.
    """
    authority = Authority.create("Posthouse rehearsal CA")
    (folder / "ca.pem").write_bytes(authority.certificate_pem)
    site = _house(folder, "site", "relay.contoso.com", "127.0.0.2")
    contoso = _house(folder, "contoso", "contoso-com.mail.protection.example", "127.0.0.3")
    internet = _house(folder, "internet", "mx.example.net", "127.0.0.4")
    organizations = {
        site: _SITE.format(contoso=contoso, site=site),
        contoso: _CONTOSO.format(site=site, contoso=contoso, internet=internet),
        internet: _INTERNET.format(contoso=contoso, internet=internet),
    }
    with ExitStack() as stack:
        for house, organization in organizations.items():
            _prepare(house, authority.issue([house.hostname]), organization)
        running = {house: _start(house) for house in organizations}
        for process in running.values():
            stack.callback(_stop, process)
        for house, process in running.items():
            _await_ready(house, process)
        yield Rehearsal(
            site,
            contoso,
            internet,
            _pfx(folder / "application.pfx", authority.issue(["app.contoso.com"])),
            _pfx(folder / "outsider.pfx", authority.issue(["mail.fabrikam.example"])),
        )


_SITE = """\
trusted_roots = ["../ca.pem"]

[[accepted_domain]]
name = "contoso.com"
type = "InternalRelay"

[[inbound_connector]]
name = "Scanners"
connector_type = "OnPremises"
sender_domains = ["*"]
sender_ip_addresses = ["127.0.0.9"]

[[outbound_connector]]
name = "Office 365"
recipient_domains = ["*"]
smart_hosts = ["{contoso.address}"]
port = {contoso.port}
source_address = "{site.address}"
tls_settings = "DomainValidation"
tls_domain = "{contoso.hostname}"
"""

_CONTOSO = """\
trusted_roots = ["../ca.pem"]

[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "SMTP Relay (Non-TLS)"
comment = "Accept relay from the on-premises SMTP server"
connector_type = "OnPremises"
sender_domains = ["*"]
sender_ip_addresses = ["{site.address}"]
restrict_domains_to_ip_addresses = true

[[inbound_connector]]
name = "SMTP Relay (TLS)"
connector_type = "OnPremises"
sender_domains = ["*"]
require_tls = true
tls_sender_certificate_name = "*.contoso.com"

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["user@contoso.com", "scanner@contoso.com", "app@contoso.com"]

[[outbound_connector]]
name = "Internet"
recipient_domains = ["*"]
smart_hosts = ["{internet.address}"]
port = {internet.port}
source_address = "{contoso.address}"
"""

_INTERNET = """\
[[accepted_domain]]
name = "example.net"

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["friend@example.net"]

[[outbound_connector]]
name = "Contoso"
recipient_domains = ["contoso.com"]
smart_hosts = ["{contoso.address}"]
port = {contoso.port}
source_address = "{internet.address}"
"""

_SETTINGS = """\
hostname = "{house.hostname}"
data_dir = "data"
workers = 1
log = "json"

[[listener]]
address = "{house.address}:{house.port}"
certificate = "server.pfx"

[limits]
min_free = 0

[admin]
address = ""
"""


def _house(folder: Path, name: str, hostname: str, address: str) -> House:
    return House(hostname, address, _free_port(address), folder / name)


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        try:
            probe.bind((address, 0))
        except OSError:
            raise RehearsalError(
                f"this machine has no {address}; add it to the loopback interface "
                f"(macOS: sudo ifconfig lo0 alias {address})"
            ) from None
        return probe.getsockname()[1]


def _pfx(file: Path, identity: Identity) -> Path:
    file.write_bytes(identity.to_pfx(PFX_PASSWORD))
    return file


def _prepare(house: House, identity: Identity, organization: str) -> None:
    house.folder.mkdir()
    (house.folder / "server.pfx").write_bytes(identity.to_pfx())
    (house.folder / "posthouse.toml").write_text(_SETTINGS.format(house=house), "utf-8")
    (house.folder / "organization.toml").write_text(organization, "utf-8")
    command = _command(house, "apply", str(house.folder / "organization.toml"))
    applied = subprocess.run(command, capture_output=True, text=True, check=False)
    if applied.returncode:
        raise RehearsalError(f"posthouse apply for {house.hostname}: {applied.stderr.strip()}")


def _command(house: House, *words: str) -> list[str]:
    return [sys.executable, "-m", "posthouse", *words, "--config", str(house.folder / "posthouse.toml")]


def _start(house: House) -> subprocess.Popen[bytes]:
    with house.log.open("wb") as log:
        return subprocess.Popen(
            _command(house, "serve"), stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=log
        )


def _await_ready(house: House, process: subprocess.Popen[bytes]) -> None:
    """Wait for its own word: at its port another program might answer."""
    deadline = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        if b'"event":"ready"' in house.log.read_bytes():
            return
        time.sleep(0.05)
    last = house.log.read_text("utf-8", "replace").strip().splitlines()[-1:] or ["it wrote no log"]
    raise RehearsalError(f"{house.hostname} did not start: {last[0]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
