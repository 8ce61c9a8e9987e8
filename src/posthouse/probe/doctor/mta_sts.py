"""MTA-STS (RFC 8461): what a domain's policy says of its mail exchangers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from posthouse.net.apart import apart
from posthouse.net.dns import DnsError
from posthouse.net.https import HttpsError, client_context, fetch
from posthouse.organization.certificate import name_matches
from posthouse.probe.doctor.case import Case

_PATH = "/.well-known/mta-sts.txt"
PORT = 443
_PATIENCE = 60.0
"""Seconds for the whole of it, as RFC 8461 3.3 suggests."""


@dataclass(frozen=True, slots=True)
class Policy:
    """`mode` is enforce, testing or none; `mx` are patterns of host names."""

    version: str
    mode: str
    mx: tuple[str, ...]

    @classmethod
    def parse(cls, text: str) -> Policy:
        """Unknown keys are passed over (RFC 8461 3.2)."""
        pairs = [(key.strip(), value.strip()) for key, _, value in (line.partition(":") for line in text.splitlines())]
        first = dict(reversed(pairs))
        mx = tuple(value.lower() for key, value in pairs if key == "mx")
        return cls(first.get("version", ""), first.get("mode", ""), mx)

    def problem(self, hosts: Sequence[str]) -> str:
        """What is wrong with it for a domain whose mail goes to these hosts; empty if nothing is."""
        if self.version != "STSv1" or self.mode not in ("enforce", "testing", "none"):
            return "it has no valid version and mode"
        missing = [host for host in hosts if not any(name_matches(pattern, host) for pattern in self.mx)]
        if missing and self.mode != "none":
            return f"it does not list {', '.join(missing)}"
        return ""


async def fetch_policy(case: Case, domain: str) -> Policy:
    """Raises `DnsError` or `HttpsError`."""
    host = f"mta-sts.{domain}"
    error: HttpsError | None = None
    context = client_context(case.organization.trusted_roots)
    for ip in await case.resolver.addresses(host):
        try:
            text = await apart(_PATIENCE, partial(fetch, host, _PATH, (ip, PORT), context, case.options.timeout))
        except HttpsError as failure:
            error = failure
        except TimeoutError:
            error = HttpsError(f"https://{host} takes too long")
        else:
            return Policy.parse(text)
    raise error or DnsError(f"{host} has no address")
