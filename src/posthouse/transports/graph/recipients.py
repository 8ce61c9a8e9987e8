"""A header that names exactly those who are to get the message, since Graph has no envelope beside it.

Who is in the envelope and in no To or Cc gets into Bcc, which Exchange shows to nobody. Who is in To or Cc and not in
the envelope is taken out, and the fields as they were are kept under other names (docs/decisions/0009). Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from posthouse.mail.address import parse_address

_FIELD: Final = re.compile(rb"(?im)^(to|cc|bcc)[ \t]*:((?:[^\n]*\n)(?:[ \t][^\n]*\n)*)")
_TOKEN: Final = re.compile(
    rb'"[^"\\]*(?:\\.[^"\\]*)*"?|\\.|[()]|<(?P<angle>[^<>"]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^<>"]*)?)>|(?P<between>[,;:])',
    re.DOTALL,
)
_ADDRESS: Final = re.compile(rb'(?:[^\s"()<>\[\]:;@\\,]+|"[^"\\\r\n]*(?:\\.[^"\\\r\n]*)*")@[^\s"()<>:;@\\,]+')
_COMMENT: Final = re.compile(rb"\([^()\\]*\)")
_KEPT_AS: Final = {b"to": b"X-Posthouse-To", b"cc": b"X-Posthouse-Cc"}


@dataclass(frozen=True, slots=True)
class _Mailbox:
    """One of a field. `key` is what addresses are compared by; empty where no address can be made out."""

    text: bytes
    key: str


def addressed(block: bytes, forward_paths: Sequence[str]) -> bytes:
    """The header block (CRLF line ends, with its blank line) for these recipients and no others."""
    wanted = {_key(path): path for path in forward_paths}
    fields = [(match, match[1].lower(), _mailboxes(match[2])) for match in _FIELD.finditer(block)]
    shown = {mailbox.key for _, name, mailboxes in fields if name in _KEPT_AS for mailbox in mailboxes}
    hidden = [path.encode() for key, path in wanted.items() if key not in shown]
    names = [name for _, name, _ in fields]
    is_as_wanted = shown <= wanted.keys() and len(names) == len(set(names))
    pieces = [_field(b"Bcc", hidden)]
    if not is_as_wanted:
        for wanted_name in (b"To", b"Cc"):
            mailboxes = [each for _, name, found in fields if name == wanted_name.lower() for each in found]
            pieces.append(_field(wanted_name, [each.text for each in mailboxes if each.key in wanted]))
    done = 0
    for match, name, _ in fields:
        if name in _KEPT_AS and is_as_wanted:
            continue
        kept = _KEPT_AS[name] + b":" + match[2] if name in _KEPT_AS else b""
        pieces += (block[done : match.start()], kept)
        done = match.end()
    return b"".join((*pieces, block[done:]))


def is_addressed(found: Iterable[str], forward_paths: Sequence[str]) -> bool:
    """Whether a message with the addresses that were found goes to all of these recipients."""
    return {_key(path) for path in forward_paths} <= set(map(_key, found))


def _field(name: bytes, mailboxes: Sequence[bytes]) -> bytes:
    """One line for each, since a line has its limit (RFC 5322 2.1.1). Nothing for nobody."""
    return name + b": " + b",\r\n ".join(mailboxes) + b"\r\n" if mailboxes else b""


def _mailboxes(value: bytes) -> list[_Mailbox]:
    """Those of a field (RFC 5322 3.4), of groups too; what can't be read is a mailbox without an address."""
    found: list[_Mailbox] = []
    depth = start = 0
    angle: bytes | None = None
    for match in _TOKEN.finditer(value):
        if match[0] == b"(":
            depth += 1
        elif match[0] == b")":
            depth = max(depth - 1, 0)
        elif depth:
            continue
        elif match["angle"] is not None:
            angle = match["angle"] if angle is None else b""  # of two nobody knows which one counts
        elif match["between"]:
            if match["between"] != b":":  # before a colon is the name of a group
                found += _mailbox(value[start : match.start()], angle)
            start, angle = match.end(), None
    return [*found, *_mailbox(value[start:], angle)]


def _mailbox(text: bytes, angle: bytes | None) -> list[_Mailbox]:
    text = text.strip()
    if not text:
        return []
    address = _COMMENT.sub(b"", text).strip() if angle is None else angle.rpartition(b":")[2].strip()
    readable = _ADDRESS.fullmatch(address)
    return [_Mailbox(text, _key(address.decode("utf-8", "replace")) if readable else "")]


def _key(address: str) -> str:
    """Exchange compares without regard to case; quotes that aren't needed change nothing (RFC 5321 4.1.2)."""
    parsed = parse_address(address)
    local_part = parsed.local_part
    if local_part.startswith('"') and local_part.endswith('"'):
        local_part = re.sub(r"\\(.)", r"\1", local_part[1:-1])
    return f"{local_part}@{parsed.domain}".casefold()
