"""Readers of a document's values: each gives the checked value, or raises `Invalid` saying what is allowed."""

from __future__ import annotations

import dataclasses
import difflib
import enum
import ipaddress
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar, cast
from urllib.parse import urlsplit

from posthouse.mail.address import normalize_domain, parse_address
from posthouse.organization.connectors import ANY, Network, Rewriting
from posthouse.settings import parse_duration, parse_size

T = TypeVar("T")
Reader = Callable[[object], T]

_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_ADDRESS_SPACE = re.compile(r"smtp:(?P<domain>[^;]+)(?:;\d+)?", re.IGNORECASE)
_THUMBPRINT = re.compile(r"[0-9A-F]{40}|[0-9A-F]{64}")
_USER_LENGTH = 255
_NAME_LENGTH = 64
_MOST = 1_000_000_000
_SHOWN = 80


class Invalid(ValueError):
    """One value is wrong in one or more ways; each of `texts` says what is wrong and what is allowed."""

    def __init__(self, *texts: str) -> None:
        super().__init__("; ".join(texts))
        self.texts = texts


def shown(value: object) -> str:
    """A value as the document writes it, on one line and cut short."""
    if isinstance(value, bool):
        return str(value).lower()
    text = printable(str(value))
    text = text if len(text) <= _SHOWN else f"{text[: _SHOWN - 3]}..."
    return f'"{text}"' if isinstance(value, str) else text


def printable(text: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in text)


def text(value: object) -> str:
    if not isinstance(value, str):
        raise Invalid(f"{shown(value)} is not a text; put it in quotes")
    return value


def name(value: object) -> str:
    value = text(value)
    if not 1 <= len(value) <= _NAME_LENGTH or not value.isprintable() or value != value.strip():
        raise Invalid(f"{shown(value)} is not a name; write 1 to {_NAME_LENGTH} printable characters")
    return value


def user(value: object) -> str:
    value = text(value)
    if not 1 <= len(value) <= _USER_LENGTH or not value.isprintable():
        raise Invalid(f"{shown(value)} is not a user name; write 1 to {_USER_LENGTH} printable characters")
    return value


def boolean(value: object) -> bool:
    if not isinstance(value, bool):
        raise Invalid(f"{shown(value)} is neither true nor false")
    return value


def whole(low: int, high: int) -> Reader[int]:
    def read(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
            raise Invalid(f"{shown(value)} is not a whole number from {low} to {high}")
        return value

    return read


count = whole(0, _MOST)


def limit(value: object) -> int | None:
    """A count; 0 is no limit."""
    return count(value) or None


def one_of(choices: type[enum.StrEnum]) -> Reader[Any]:
    """One of the enumeration's words, in any case."""
    by_word = {choice.value.lower(): choice for choice in choices}

    def read(value: object) -> enum.StrEnum:
        choice = by_word.get(value.lower()) if isinstance(value, str) else None
        if choice is None:
            raise Invalid(f"{shown(value)} is not allowed; write one of {', '.join(choices)}")
        return choice

    return read


def several(read_one: Reader[T]) -> Reader[tuple[T, ...]]:
    """A list, each of its values by `read_one`; a value said twice counts once."""

    def read(value: object) -> tuple[T, ...]:
        if not isinstance(value, list | tuple):
            raise Invalid(f"{shown(value)} is not a list; put it in square brackets")
        values: list[T] = []
        texts: list[str] = []
        for item in cast("list[object]", value):
            try:
                values.append(read_one(item))
            except Invalid as invalid:
                texts += invalid.texts
        if texts:
            raise Invalid(*texts)
        return tuple(dict.fromkeys(values))

    return read


def one_or_several(read_one: Reader[T]) -> Reader[tuple[T, ...]]:
    """A list, or one value without its brackets; `""` is an empty list."""
    read_list = several(read_one)

    def read(value: object) -> tuple[T, ...]:
        if isinstance(value, str):
            return (read_one(value),) if value else ()
        return read_list(value)

    return read


def optional(read_one: Reader[T], empty: T) -> Reader[T]:
    """`""` for what is not set."""
    return lambda value: empty if value == "" else read_one(value)


def is_domain(domain: str) -> bool:
    """Two labels or more, the last no number, so that it is no IPv4 address (RFC 1123 2.1, RFC 3696 2)."""
    labels = domain.split(".")
    return len(domain) <= 253 and len(labels) > 1 and not labels[-1].isdigit() and all(map(_LABEL.fullmatch, labels))


def domain(value: object) -> str:
    found = normalize_domain(text(value))
    if not is_domain(found):
        raise Invalid(f"{shown(value)} is not a domain; write one like contoso.com")
    return found


def wildcard_domain(value: object) -> str:
    """`contoso.com` or `*.contoso.com`."""
    given = text(value)
    found = normalize_domain(given.removeprefix("*."))
    if not is_domain(found):
        raise Invalid(f"{shown(value)} is not allowed; write a name like mail.contoso.com or *.contoso.com")
    return f"*.{found}" if given.startswith("*.") else found


def domain_pattern(value: object) -> str:
    """`*`, `contoso.com` or `*.contoso.com`; Exchange's address space `smtp:contoso.com;1` too, its cost put aside."""
    given = text(value)
    space = _ADDRESS_SPACE.fullmatch(given)
    pattern = space["domain"] if space else given
    try:
        return ANY if pattern == ANY else wildcard_domain(pattern)
    except Invalid:
        raise Invalid(f"{shown(value)} is not allowed; write *, a domain like contoso.com, or *.contoso.com") from None


def network(value: object) -> Network:
    """An address is a network of one. Host bits are put aside, as Exchange's own example 192.168.0.1/25 has them."""
    try:
        return ipaddress.ip_network(text(value), strict=False)
    except ValueError:
        raise Invalid(f"{shown(value)} is not an IP address or network; write an IPv4/IPv6 address or CIDR") from None


def ip_address(value: object) -> str:
    try:
        return str(ipaddress.ip_address(text(value)))
    except ValueError:
        raise Invalid(f"{shown(value)} is not an IP address; write one like 192.0.2.1 or 2001:db8::1") from None


def host(value: object) -> str:
    """A host name or an IP address, in brackets or not."""
    given = text(value)
    bare = given[1:-1] if given.startswith("[") and given.endswith("]") else given
    try:
        return str(ipaddress.ip_address(bare))
    except ValueError:
        found = normalize_domain(given)
    if not is_domain(found) and not (_LABEL.fullmatch(found) and not found.isdigit()):
        raise Invalid(f"{shown(value)} is not a host; write a name or an IP address, the port apart")
    return found


def mail_address(value: object) -> str:
    address = parse_address(text(value))
    if not address.local_part or not is_domain(address.domain) or not address.local_part.isprintable():
        raise Invalid(f"{shown(value)} is not a mail address; write one like user@contoso.com")
    return str(address)


def mailbox(value: object) -> str:
    try:
        return ANY if value == ANY else mail_address(value)
    except Invalid:
        raise Invalid(f'{shown(value)} is not a mailbox; write an address like user@contoso.com, or "*"') from None


def thumbprint(value: object) -> str:
    found = re.sub(r"[\s:]", "", text(value)).upper()
    if not _THUMBPRINT.fullmatch(found):
        raise Invalid(f"{shown(value)} is not a thumbprint; write 40 (SHA-1) or 64 (SHA-256) hex digits")
    return found


def password_hash(value: object) -> str:
    """The value is never shown."""
    if not isinstance(value, str) or not value.startswith("$argon2id$"):
        raise Invalid("it is not an argon2id hash; give the password itself by password_env")
    return value


_REWRITING = re.compile(r"(?P<sender>\*|[^@]*@[^=@]*)=(?P<address>.+)|(?P<everyone>.+)", re.DOTALL)


def rewriting(value: object) -> Rewriting:
    """`SENDER=ADDRESS`, or `ADDRESS` for every sender."""
    parts = _REWRITING.fullmatch(text(value))
    if parts is None:
        raise Invalid(f"{shown(value)} is not allowed; write an address, or SENDER=ADDRESS")
    sender = parts["sender"] or ANY
    read_sender = _domain_part if sender.startswith("@") else mail_address
    address = parts["address"] or parts["everyone"]
    read_address = _domain_part if address.startswith("@") else mail_address
    made = Rewriting(sender if sender == ANY else read_sender(sender), read_address(address))
    if not made.address.isascii():  # what is rewritten may have come without SMTPUTF8, and may not leave with it
        raise Invalid(f"{shown(address)} is not allowed as a sender's new address; write one in ASCII")
    return made


def _domain_part(value: object) -> str:
    return f"@{domain(text(value).removeprefix('@'))}"


def url(value: object) -> str:
    """`https://host`; a port and a path may follow."""
    given = text(value)
    parts = urlsplit(given) if given.isprintable() else None
    try:
        allowed = parts is not None and bool(parts.hostname) and (parts.port is None or parts.port > 0)
    except ValueError:
        allowed = False
    if not allowed or parts is None or parts.scheme != "https" or parts.query or parts.fragment or "@" in parts.netloc:
        raise Invalid(f"{shown(value)} is not allowed; write one like https://login.microsoftonline.com")
    return given.rstrip("/")


def certificate_text(value: object) -> str:
    if not isinstance(value, str) or "-----BEGIN CERTIFICATE-----" not in value:
        raise Invalid("it holds no certificate; give a PEM file with BEGIN CERTIFICATE")
    return value


def duration(value: object) -> float:
    """Seconds, from `"5m"` or a number."""
    return _quantity(value, parse_duration)


def interval(value: object) -> float:
    """A duration that is not 0."""
    found = duration(value)
    if not found:
        raise Invalid(f"{shown(value)} is not allowed; write a duration above 0")
    return found


def retry_intervals(value: object) -> tuple[float, ...]:
    """Not `several`: the same interval may come twice."""
    if not isinstance(value, list | tuple):
        raise Invalid(f"{shown(value)} is not a list; put it in square brackets")
    if not value:
        raise Invalid('it is empty; write a list like ["1m", "5m", "1h"]')
    return tuple(map(interval, cast("list[object]", value)))


def size(value: object) -> int:
    """Bytes, from `"150 MiB"` or a number."""
    return int(_quantity(value, parse_size))


def _quantity(value: object, parse: Callable[[str], float]) -> float:
    """A number has the bounds of a text, or what is written of it could not be read back."""
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise Invalid(f'{shown(value)} is not a quantity; write one like "5m" for a time, "150 MiB" for a size')
    try:
        return parse(value if isinstance(value, str) else f"{value:f}")
    except ValueError as error:
        raise Invalid(f"{shown(value)}: {error}") from None


def table(cls: type[T], fields: Mapping[str, Reader[Any]]) -> Reader[T]:
    """A table of keys, read into the dataclass `cls`, whose fields without a default must be there."""

    def read(value: object) -> T:
        if not isinstance(value, Mapping):
            raise Invalid(f"{shown(value)} is not a table of keys")
        values, texts = read_keys(cast("Mapping[str, object]", value), fields)
        texts += [f"{key}: it is missing" for key in required(cls) if key not in value]
        if texts:
            raise Invalid(*texts)
        return cls(**values)

    return read


def read_keys(
    given: Mapping[str, object], fields: Mapping[str, Reader[Any]], elsewhere: Iterable[str] = ()
) -> tuple[dict[str, Any], list[str]]:
    """The values that could be read, and a line `key: what is wrong` for each that couldn't.

    Keys that are read `elsewhere` are allowed and passed over.
    """
    values: dict[str, Any] = {}
    texts: list[str] = []
    for key, value in given.items():
        if key in elsewhere:
            continue
        if key not in fields:
            texts.append(f"{printable(key)}: unknown key; {_suggestion(key, (*fields, *elsewhere))}")
            continue
        try:
            values[key] = fields[key](value)
        except Invalid as invalid:
            texts += (f"{key}: {text}" for text in invalid.texts)
    return values, texts


def required(cls: type) -> list[str]:
    return [
        field.name
        for field in dataclasses.fields(cls)
        if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
    ]


def _suggestion(key: str, allowed: tuple[str, ...]) -> str:
    close = difflib.get_close_matches(key, allowed, n=1)
    return f"did you mean {close[0]}?" if close else f"allowed here: {', '.join(allowed)}"
