"""One relay that all real clients talk to, and the internet behind it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
import trustme

from support.house import House, wait_for
from support.peers import Peer, Received

STARTTLS_PORT, IMPLICIT_PORT, AUTH_PORT, SINK_PORT = 2525, 2465, 2587, 2600
USER, PASSWORD = "scanner-2", "tray 4"

SETTINGS = f"""
[[listener]]
address = "ADDRESS:{STARTTLS_PORT}"
certificate = "relay.pem"
key = "relay.key"

[[listener]]
address = "ADDRESS:{IMPLICIT_PORT}"
tls = "implicit"
certificate = "relay.pem"
key = "relay.key"

[[listener]]
address = "ADDRESS:{AUTH_PORT}"
tls = "none"
auth_without_tls = true

[limits]
min_free = 0
"""

ORGANIZATION = """
trusted_roots = ["ca.pem"]

[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Devices"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.1"]

[[inbound_connector]]
name = "Logins"
connector_type = "OnPremises"
sender_credentials = [{{ user = "{user}", password_env = "SCANNER" }}]

[[inbound_connector]]
name = "Certificates"
connector_type = "OnPremises"
tls_sender_certificate_name = "*.contoso.com"

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["*"]

[[outbound_connector]]
name = "Internet"
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = {internet.port}

[[outbound_connector]]
name = "Sink"
recipient_domains = ["sink.test"]
smart_hosts = ["{address}"]
port = {sink_port}
"""


@dataclass(frozen=True)
class Relay:
    """No connector knows 127.0.0.66: who comes from there must prove in another way who he is.

    `folder` holds `ca.pem`, which the relay trusts and has its own certificate from, and `app.pem` with `app.key`.
    """

    house: House
    internet: Peer
    folder: Path

    @property
    def address(self) -> str:
        return self.house.address

    @property
    def sink(self) -> tuple[str, int]:
        """Where mail for sink.test goes."""
        return self.house.address, SINK_PORT

    def arrived(self, address: str) -> bytes:
        """The one mail in a mailbox."""
        (mail,) = self.house.await_mail(address)
        return mail

    def went_out(self, address: str) -> Received:
        """What the internet's server got for a recipient."""

        def received() -> list[Received]:
            return [one for one in self.internet.messages if any(f"<{address}>" in rcpt for rcpt in one.recipients)]

        (mail,) = wait_for(received, what=f"mail for {address}")
        return mail


@pytest.fixture(scope="session")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """Takes mail for contoso.com into mailboxes made on demand, and relays the rest. Each test has its addresses."""
    folder = tmp_path_factory.mktemp("relay")
    with Peer() as internet:
        house = House(folder, "", SETTINGS)
        authority = trustme.CA()
        authority.cert_pem.write_to_path(folder / "ca.pem")
        for name, identity in {"relay": (house.hostname, house.address), "app": ("app.contoso.com",)}.items():
            issued = authority.issue_cert(*identity)
            issued.private_key_pem.write_to_path(folder / f"{name}.key")
            for pem in issued.cert_chain_pems:
                pem.write_to_path(folder / f"{name}.pem", append=True)
        house.apply(
            ORGANIZATION.format(user=USER, internet=internet, address=house.address, sink_port=SINK_PORT),
            SCANNER=PASSWORD,
        )
        house.start()
        yield Relay(house, internet, folder)
        assert house.stop() == 0
