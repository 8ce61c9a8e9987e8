"""Senders that get another address: https://www.postfix.org/ADDRESS_REWRITING_README.html"""

from __future__ import annotations

import re
from collections.abc import Iterator

from posthouse.admin.migration.findings import Findings
from posthouse.admin.migration.postfix.parameters import Parameters
from posthouse.admin.migration.postfix.tables import Entry, Tables

_MAPS = ("sender_canonical_maps", "canonical_maps", "smtp_generic_maps")
_EVERYBODY = re.compile(r"/\^?\(?\.[*+]\)?\$?/i?")
_RECIPIENTS_TOO = "recipients and other headers stay as they are; here only the sender gets the other address"


def read_rewriting(parameters: Parameters, tables: Tables, findings: Findings) -> list[str]:
    """As the `rewrite_from` of an outbound connector, in the order in which Postfix asks the tables."""
    return [found for name in _MAPS for found in _of(name, parameters, tables, findings)]


def _of(name: str, parameters: Parameters, tables: Tables, findings: Findings) -> Iterator[str]:
    entries = tables.entries(name, parameters.words(name), patterns=True)
    for entry in entries:
        if (found := _rewriting(entry)) is not None:
            yield found
        else:
            reason = "only an address, @domain or /.*/ can get another address here"
            findings.leave(name, f"{entry.key} {entry.value}", reason, where=entry.where)
    if entries and name != "sender_canonical_maps":
        findings.leave(name, "", _RECIPIENTS_TOO)


def _rewriting(entry: Entry) -> str | None:
    """`static:address` has the key `*`."""
    if "@" not in entry.value or "$" in entry.value:
        return None
    if entry.key == "*" or _EVERYBODY.fullmatch(entry.key):
        return entry.value
    return f"{entry.key}={entry.value}" if "@" in entry.key and not entry.key.startswith("/") else None
