"""Which product wrote a file, and who reads it."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable, Mapping

from posthouse.admin.errors import AdminError
from posthouse.admin.migration.emailrelay import read_emailrelay
from posthouse.admin.migration.files import File
from posthouse.admin.migration.findings import Findings
from posthouse.admin.migration.iis import read_iis
from posthouse.admin.migration.postfix import read_postfix
from posthouse.admin.migration.records import Record, from_clixml, from_csv, from_json
from posthouse.admin.migration.tenant import read_tenant


class Format(enum.StrEnum):
    AUTO = "auto"
    JSON = "json"
    CSV = "csv"
    CLIXML = "clixml"
    POSTFIX = "postfix"
    EMAILRELAY = "emailrelay"
    IIS = "iis"


_LOOKED_AT = 1 << 18
_SIGNS: Mapping[Format, re.Pattern[str]] = {
    Format.CLIXML: re.compile(r"<Objs\b"),
    Format.IIS: re.compile(r"<IIsSmtp|<MBProperty\b"),
    Format.JSON: re.compile(r"\A\s*[\[{]"),
    Format.CSV: re.compile(r'\A(?:#TYPE|.*(?i:"?\b(?:Name|Identity|DomainName)\b"?)[,;\t]|.*[,;\t]"?(?i:Name)\b)'),
    Format.POSTFIX: re.compile(
        r"^(?:my(?:hostname|domain|origin|networks|destination)|relay(?:host|_domains)|smtpd?_\w+|inet_interfaces"
        r"|compatibility_level|virtual_\w+|transport_maps)[ \t]*=",
        re.MULTILINE,
    ),
    Format.EMAILRELAY: re.compile(
        r"^(?:.*emailrelay\S{0,20}[ \t]+-|[ \t]*(?:spool-dir|forward-to|as-server|as-proxy"
        r"|remote-clients|server-auth)\b)",
        re.MULTILINE,
    ),
}


def read(file: File, wanted: Format, findings: Findings) -> None:
    """Raises `AdminError`."""
    found = wanted if wanted is not Format.AUTO else _recognised(file)
    findings.begin(file.name)
    try:
        _READERS[found](file, findings)
    except AdminError as error:
        raise AdminError(*(f"{file.name}: {line}" for line in error.lines)) from None


def _recognised(file: File) -> Format:
    for known, sign in _SIGNS.items():
        if sign.search(file.text, 0, _LOOKED_AT):
            return known
    names = ", ".join(known for known in Format if known is not Format.AUTO)
    raise AdminError(f"{file.name}: it looks like no configuration that is known; say which with --format: {names}")


def _tenant(parse: Callable[[str], list[Record]]) -> Callable[[File, Findings], None]:
    return lambda file, findings: read_tenant(parse(file.text), findings)


_READERS: Mapping[Format, Callable[[File, Findings], None]] = {
    Format.JSON: _tenant(from_json),
    Format.CSV: _tenant(from_csv),
    Format.CLIXML: _tenant(from_clixml),
    Format.POSTFIX: lambda file, findings: read_postfix(file.text, file.beside, findings),
    Format.EMAILRELAY: lambda file, findings: read_emailrelay(file.text, file.beside, findings),
    Format.IIS: lambda file, findings: read_iis(file.text, findings),
}
