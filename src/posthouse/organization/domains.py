"""Sets of domains and look-ups by domain, compiled from `*`, `contoso.com` and `*.contoso.com`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from posthouse.organization.connectors import ANY

T = TypeVar("T")


def ancestry(domain: str) -> Iterator[str]:
    """The domain, then each domain above it."""
    while domain:
        yield domain
        domain = domain.partition(".")[2]


@dataclass(frozen=True, slots=True)
class DomainSet:
    """What a list of domain patterns admits. `*.contoso.com` is contoso.com and all below it, as Exchange has it."""

    everything: bool
    exact: frozenset[str]
    subtrees: frozenset[str]

    @classmethod
    def compile(cls, patterns: Iterable[str], any_domain: frozenset[str] | None) -> DomainSet:
        """`any_domain` is what `*` stands for; None is every domain."""
        patterns = frozenset(patterns)
        exact = frozenset(pattern for pattern in patterns if not pattern.startswith("*"))
        if ANY in patterns and any_domain is not None:
            exact = exact | any_domain if exact else any_domain
        subtrees = frozenset(pattern[2:] for pattern in patterns if pattern.startswith("*."))
        return cls(ANY in patterns and any_domain is None, exact, subtrees)

    def __contains__(self, domain: str) -> bool:
        if self.everything or domain in self.exact:
            return True
        return bool(self.subtrees) and any(above in self.subtrees for above in ancestry(domain))


@dataclass(slots=True)
class DomainTable(Generic[T]):
    """Finds the entry that names a domain most closely: exact, accepted domains, `*.` over most labels, `*`.

    Among entries of the same closeness the one added first is found.
    """

    accepted_domains: frozenset[str]
    exact: dict[str, T] = field(default_factory=dict[str, T])
    accepted: T | None = None
    subtrees: dict[str, T] = field(default_factory=dict[str, T])
    everything: T | None = None

    def add(self, patterns: Iterable[str], entry: T) -> None:
        for pattern in patterns:
            if pattern == ANY:
                self.everything = self.everything or entry
            elif pattern.startswith("*."):
                self.subtrees.setdefault(pattern[2:], entry)
            else:
                self.exact.setdefault(pattern, entry)

    def add_accepted(self, entry: T) -> None:
        self.accepted = self.accepted or entry

    def find(self, domain: str) -> T | None:
        if (entry := self.exact.get(domain)) is not None:
            return entry
        if self.accepted is not None and domain in self.accepted_domains:
            return self.accepted
        if self.subtrees:
            for above in ancestry(domain):
                if (entry := self.subtrees.get(above)) is not None:
                    return entry
        return self.everything
