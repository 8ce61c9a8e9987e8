"""A relay before its tenant, both in good health, for faults to be injected one at a time."""

from __future__ import annotations

import asyncio
import json
import re
import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import trustme

from net.tls_peers import identity_of, pem_of
from posthouse.admin import Administration
from posthouse.net.certificates import Identity
from posthouse.probe.doctor import Options, Status, Step, examine
from posthouse.settings import load
from support.house import own_address
from support.internet import SMTP, Internet
from support.peers import Peer

DOMAIN, TENANT, PUBLIC_IP = "contoso.test", "contoso-test.tenant.test", "192.0.2.7"


class Clinic:
    """`zone` is the DNS; `connector`, `settings` and `limits` are keys in files; `organization` is added to its own."""

    def __init__(self, folder: Path, internet: Internet, authority: trustme.CA) -> None:
        self.folder = folder
        self.internet = internet
        self.authority = authority
        self.address = own_address()
        self.listener = f"{own_address()}:2525"
        self.listener_keys: dict[str, Any] = {}
        self.certificate: Identity = identity_of(authority.create_child_ca().issue_cert(f"relay.{DOMAIN}"))
        self.connector: dict[str, Any] = {
            "recipient_domains": ["*"],
            "smart_hosts": [TENANT],
            "port": SMTP,
            "tls_settings": "DomainValidation",
        }
        self.client_certificate = 'client_certificate = { pfx = "relay.pfx" }\n'
        self.organization = ""
        self.settings: dict[str, Any] = {"hostname": f"relay.{DOMAIN}"}
        self.limits: dict[str, Any] = {"min_free": "1 MiB"}
        self.zone = internet.zone
        self.zone[DOMAIN, "MX"] = [f"0 {TENANT}."]
        self.zone[TENANT, "A"] = [self.address]
        self.txt(DOMAIN, "v=spf1 include:spf.tenant.test ip4:192.0.2.0/28 -all")
        self.txt("spf.tenant.test", "v=spf1 ip4:198.51.100.0/24 -all")
        self.txt(f"_dmarc.{DOMAIN}", "v=DMARC1; p=reject")
        self.txt(f"selector1._domainkey.{DOMAIN}", "v=DKIM1; k=rsa; p=MIGfMA0GCSqG")

    def txt(self, name: str, *texts: str) -> None:
        """Strings of 255 characters at most, as DNS has them (RFC 1035 3.3)."""
        self.zone[name, "TXT"] = [" ".join(json.dumps(part) for part in re.findall(".{1,255}", text)) for text in texts]

    def tls(self, leaf: trustme.LeafCert | None = None, *, asks: bool = True) -> ssl.SSLContext:
        """A server's, that asks for a client certificate."""
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        (leaf or self.authority.issue_cert(TENANT)).configure_cert(context)
        self.authority.configure_trust(context)
        context.verify_mode = ssl.CERT_OPTIONAL if asks else ssl.CERT_NONE
        return context

    @contextmanager
    def tenant(self, tls: ssl.SSLContext | None = None, *, plain: bool = False, **script: Any) -> Iterator[Peer]:
        with Peer(address=(self.address, SMTP), tls=None if plain else tls or self.tls(), **script) as peer:
            yield peer

    def steps(self, **options: Any) -> list[Step]:
        """What doctor finds."""
        self.write()
        return self.examined(**options)

    def examined(self, **options: Any) -> list[Step]:
        """The same without writing the files."""
        return asyncio.run(self._walk(Options(**({"public_ip": PUBLIC_IP, "timeout": 10} | options))))

    def problems(self, **options: Any) -> list[str]:
        """What is wrong, as `status subject: text`."""
        return [
            f"{step.status} {step.subject}: {step.text}"
            for step in self.steps(**options)
            if step.status in (Status.WARNING, Status.FAILED)
        ]

    @property
    def config(self) -> Path:
        return self.folder / "posthouse.toml"

    def write(self) -> None:
        self.config.write_text(
            _toml(self.settings)
            + f'[[listener]]\naddress = "{self.listener}"\n{_toml(self.listener_keys)}'
            + f"[delivery]\nnameservers = {json.dumps([self.internet.nameserver])}\n[limits]\n{_toml(self.limits)}",
            "utf-8",
        )
        (self.folder / "relay.pfx").write_bytes(self.certificate.to_pfx())
        (self.folder / "organization.toml").write_text(
            f"trusted_roots = {json.dumps([pem_of(self.authority)])}\n"
            f'[[accepted_domain]]\nname = "{DOMAIN}"\n'
            '[[inbound_connector]]\nname = "Scanners"\nconnector_type = "OnPremises"\n'
            'sender_ip_addresses = ["127.0.0.0/8"]\n'
            '[[outbound_connector]]\nname = "Tenant"\n'
            f"{self.client_certificate}"
            f"{_toml(self.connector)}{self.organization}",
            "utf-8",
        )
        self.apply()

    def apply(self) -> None:
        with Administration.opened(load(self.config)) as administration:
            administration.apply(self.folder / "organization.toml")

    async def _walk(self, options: Options) -> list[Step]:
        return [step async for step in examine(self.config, options)]


@contextmanager
def open_clinic(folder: Path) -> Iterator[Clinic]:
    with Internet() as internet:
        yield Clinic(folder, internet, trustme.CA())


def _toml(values: dict[str, Any]) -> str:
    return "".join(f"{key} = {json.dumps(value)}\n" for key, value in values.items())
