"""Mailbox addresses as values: split, compare. The grammar that admits them is `posthouse.smtp.grammar`."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache


@dataclass(frozen=True, slots=True)
class MailboxAddress:
    """`local_part` keeps case and quotes (RFC 5321 2.4); `domain` is lower case, A-labels, no final dot; or empty."""

    local_part: str
    domain: str

    def __str__(self) -> str:
        return f"{self.local_part}@{self.domain}" if self.domain else self.local_part


def domain_of(address: str) -> str:
    """The domain of an address, normalised for comparing: lower case, A-labels. Empty where there is none."""
    return parse_address(address).domain


@lru_cache(maxsize=4096)
def parse_address(address: str) -> MailboxAddress:
    """Split at the last `@`: what follows is the domain, which cannot hold one, whatever a quoted local part does."""
    local_part, at, domain = address.rpartition("@")
    if not at:
        return MailboxAddress(address, "")
    return MailboxAddress(local_part, normalize_domain(domain))


def normalize_domain(domain: str) -> str:
    """Lower case, U-labels to A-labels (RFC 5890), no final dot. What is not a valid IDN is only lowered."""
    domain = domain.rstrip(".").lower()
    if domain.isascii():
        return domain
    import idna

    try:
        return idna.encode(domain, uts46=True).decode("ascii")
    except idna.IDNAError:
        return domain
