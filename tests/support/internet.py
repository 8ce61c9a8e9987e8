"""The internet as a relay sees it that delivers by MX: a DNS, and the hosts that it leads to, each with its script."""

from __future__ import annotations

import asyncio
import json
import threading
from concurrent.futures import Future
from contextlib import ExitStack
from typing import Any, Self

from net.dns_server import DnsServer
from support.house import own_address
from support.peers import Peer

SMTP = 2500
"""The port of all its hosts."""

RELAY = f"""
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Scanners"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.0/8"]

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["*"]

[[outbound_connector]]
name = "Internet"
recipient_domains = ["*"]
use_mx_record = true
port = {SMTP}
"""
"""An organization whose own people have mailboxes; all other mail goes to the internet."""


class Internet:
    """`zone` may be written to at any time. Answers that were given stay with the relay for a while, as everywhere."""

    def __init__(self) -> None:
        self.zone: dict[tuple[str, str], list[str]] = {}
        self.nameserver = ""
        self._peers = ExitStack()
        self._over = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=lambda: asyncio.run(self._serve()), daemon=True)
        self._ready: Future[None] = Future()

    def settings(self, **delivery: str | list[str]) -> str:
        """The settings of a relay that lives there."""
        keys = {"nameservers": [self.nameserver], **delivery}
        return "workers = 1\n[delivery]\n" + "".join(f"{key} = {json.dumps(value)}\n" for key, value in keys.items())

    def host(self, domain: str, **script: Any) -> Peer:
        """A host that takes the domain's mail, by its address alone."""
        return self.listen(self.nobody(domain), **script)

    def nobody(self, *domains: str) -> str:
        """A host that is down. Returns its address."""
        address = own_address()
        for domain in domains:
            self.zone[domain, "A"] = [address]
        return address

    def listen(self, address: str, **script: Any) -> Peer:
        """Somebody answers at an address from now on."""
        return self._peers.enter_context(Peer(address=(address, SMTP), **script))

    def exchangers(self, domain: str, *exchangers: str) -> None:
        """MX records like `10 mail.example.net.`."""
        self.zone[domain, "MX"] = list(exchangers)

    def __enter__(self) -> Self:
        self._thread.start()
        self._ready.result(10)
        return self

    def __exit__(self, *_: object) -> None:
        self._peers.close()
        assert self._loop is not None
        self._loop.call_soon_threadsafe(self._over.set)
        self._thread.join()

    async def _serve(self) -> None:
        async with DnsServer(self.zone) as dns:
            self._loop = asyncio.get_running_loop()
            self.nameserver = dns.address
            self._ready.set_result(None)
            await self._over.wait()
