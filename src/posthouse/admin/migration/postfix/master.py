"""master.cf: https://www.postfix.org/master.5.html"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from posthouse.admin.migration.files import Beside
from posthouse.admin.migration.findings import Findings
from posthouse.admin.migration.postfix.parameters import logical_lines, split

_FIELDS = 8
_BY_SMTP = ("smtp", "lmtp")
_FILE = "master.cf"


@dataclass(frozen=True, slots=True)
class _Service:
    name: str
    command: str
    arguments: tuple[str, ...]
    line: int

    @property
    def overrides(self) -> Iterator[str]:
        """What `-o` sets: `-o name=value`, `-oname=value` or `-o { name = value }`."""
        is_option = False
        for argument in self.arguments:
            if is_option or (argument.startswith("-o") and len(argument) > 2):
                yield argument.removeprefix("-o").strip("{} ")
            is_option = argument == "-o"


def read_transports(beside: Beside, findings: Findings) -> frozenset[str]:
    """The names by which SMTP goes out. What the other lines say is told as not taken."""
    services = list(_services(beside.text(_FILE) or ""))
    for service in services:
        where = f"{_FILE}:{service.line}"
        if service.command == "smtpd" and service.name != "smtp":
            findings.leave(service.name, "smtpd", "add a [[listener]] with its address to posthouse.toml", where=where)
        for override in service.overrides:
            name, _, value = override.partition("=")
            reason = "it is for this service only; connectors and settings hold for all listeners and routes"
            shown = "" if "password" in name else value.strip()
            findings.leave(f"{service.name} -o {name.strip()}", shown, reason, where=where)
    return frozenset({"smtp", "relay", *(service.name for service in services if service.command in _BY_SMTP)})


def _services(text: str) -> Iterator[_Service]:
    for number, line in logical_lines(text):
        name, *rest = split(line, "")
        if len(rest) >= _FIELDS - 1:
            yield _Service(name, rest[_FIELDS - 2], tuple(rest[_FIELDS - 1 :]), number)
