"""The types of Exchange's parameters: lists that may be changed rather than replaced, sizes, counts, identities.

https://learn.microsoft.com/exchange/modifying-multivalued-properties-exchange-2013-help
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from posthouse.cmdlets.conversion import ConversionError, PSType, enumeration
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Hashtable, Value, items

UNLIMITED = 0
"""What `Unlimited` is in a document."""

_SIZE = re.compile(r"(\d{1,15}(?:\.\d{1,6})?)\s*([KMGT]?B)?(?:\s*\((\d[\d,]{0,20}) bytes\))?", re.IGNORECASE)
_COUNT = re.compile(r"[0-9]{1,10}")
_UNITS = {"B": 1, "KB": 1 << 10, "MB": 1 << 20, "GB": 1 << 30, "TB": 1 << 40}
_LARGEST = 1 << 50
_MOST = 1_000_000_000


@dataclass(frozen=True, slots=True)
class Changes:
    """`@{Add='a','b'; Remove='c'}`: what comes and goes of a list."""

    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()

    def applied(self, current: Iterable[str], normal: Callable[[str], object]) -> list[str]:
        """Two texts are the same value if they have the same `normal` form."""
        gone = {normal(text) for text in self.remove}
        return [*(text for text in current if normal(text) not in gone), *self.add]


def _to_list(value: Value) -> list[str] | Changes:
    """A list, a single value, or a change of what is there. $null is none."""
    if not isinstance(value, Hashtable):
        return _texts(value)
    parts = {to_text(key).lower(): _texts(part) for key, part in value.items()}
    if not parts or not parts.keys() <= {"add", "remove"}:
        keys = ", ".join(map(to_text, value)) or "nothing"
        raise ConversionError(f"A hashtable here has the keys Add and Remove, and this one has {keys}.")
    return Changes(tuple(parts.get("add", ())), tuple(parts.get("remove", ())))


def _texts(value: Value) -> list[str]:
    return [text for part in items(value) if (text := to_text(part).strip())]


MULTI = PSType("Microsoft.Exchange.Data.MultiValuedProperty", _to_list)


def _to_size(value: Value) -> int | None:
    """Bytes. A number without a unit is bytes, KB and MB count in 1024s; $null is nothing set."""
    if value is None:
        return None
    text = to_text(value).strip()
    if text.lower() == "unlimited":
        return UNLIMITED
    match = _SIZE.fullmatch(text)
    if not match:
        raise ConversionError(f'"{text}" is no size; write one like 35MB, or Unlimited.')
    number, unit, exact = match.groups()
    size = int(exact.replace(",", "")) if exact else round(float(number) * _UNITS[(unit or "B").upper()])
    if not size:
        raise ConversionError(f'"{text}" lets no message through; write Unlimited for no limit.')
    if size > _LARGEST:
        raise ConversionError(f'"{text}" is more than 1024 TB; write Unlimited for no limit.')
    return size


def size_text(size: int) -> str:
    """As Exchange shows one: `35 MB (36,700,160 bytes)`."""
    if size == UNLIMITED:
        return "Unlimited"
    unit = next((unit for unit in ("TB", "GB", "MB", "KB") if size >= _UNITS[unit]), "B")
    return f"{size / _UNITS[unit]:.4g} {unit} ({size:,} bytes)"


SIZE = PSType("Microsoft.Exchange.Data.Unlimited`1[Microsoft.Exchange.Data.ByteQuantifiedSize]", _to_size)


def to_count(value: Value) -> int | None:
    if value is None:
        return None
    text = to_text(value).strip()
    if text.lower() == "unlimited":
        return UNLIMITED
    if not _COUNT.fullmatch(text) or not 1 <= int(text) <= _MOST:
        raise ConversionError(f'"{text}" is neither a number from 1 to {_MOST} nor Unlimited.')
    return int(text)


COUNT = PSType("Microsoft.Exchange.Data.Unlimited`1[System.Int32]", to_count)


def optional(kind: PSType) -> PSType:
    """$null and "" are: not set."""
    return PSType(kind.name, lambda value: None if value in (None, "") else kind.convert(value), kind.values)


_TENANT = "Microsoft.Exchange.Data.Directory.SystemConfiguration."
CONNECTOR_TYPE = enumeration(_TENANT + "TenantConnectorType", "OnPremises", "Partner")
CONNECTOR_SOURCE = enumeration(_TENANT + "TenantConnectorSource", "Default", "HybridWizard", "Migrated")
DOMAIN_TYPE = enumeration(_TENANT + "AcceptedDomainType", "Authoritative", "InternalRelay", "ExternalRelay")
TLS_SETTINGS = optional(
    enumeration(
        "Microsoft.Exchange.Data.TlsAuthLevel", "EncryptionOnly", "CertificateValidation", "DomainValidation", "None"
    )
)
MTA_STS_MODE = enumeration("Microsoft.Exchange.Data.MtaStsMode", "None", "Opportunistic")
DANE_MODE = enumeration("Microsoft.Exchange.Data.SmtpDaneMode", "None", "Opportunistic", "Mandatory")
