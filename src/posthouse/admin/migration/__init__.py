"""Coming from other products, and going to a tenant.

Each source has a file with a pure reader, from text to `Findings`; `tenant_script` writes the way back.
"""

from __future__ import annotations

from collections.abc import Iterable

from posthouse.admin.migration.files import File, decoded, load
from posthouse.admin.migration.findings import Findings, NotTaken, Understood
from posthouse.admin.migration.formats import Format, read
from posthouse.admin.migration.merging import merged
from posthouse.admin.migration.script import tenant_script

__all__ = [
    "File",
    "Findings",
    "Format",
    "NotTaken",
    "Understood",
    "decoded",
    "load",
    "merged",
    "read_files",
    "tenant_script",
]


def read_files(files: Iterable[File], wanted: Format = Format.AUTO) -> Findings:
    """What several files say together. Raises `AdminError` where one can't be read at all."""
    findings = Findings()
    for file in files:
        read(file, wanted, findings)
    return findings
