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
    rb'"[^"\\]*(?:\\.[^"\\]*)*"|(?P<open>\()|(?P<close>\))|(?P<between>[,;:])|(?P<alone>["\\])', re.DOTALL
)
_QUOTED: Final = rb'"[^"\\]*(?:\\.[^"\\]*)*"'
_ADDRESS: Final = rb'(?P<%b>(?:[^\s"()<>\[\]:;@\\,]++|' + _QUOTED + rb')@[^\s"()<>:;@\\,]++)'
_COMMENTS: Final = rb"\s*(?:\([^()\\]*\)\s*)*"
_PHRASE: Final = rb'(?:[^"()<>\[\]:;@\\,]++|' + _QUOTED + rb"|\([^()\\]*\))*"
_GROUP: Final = re.compile(_PHRASE, re.DOTALL)
_MAILBOX: Final = re.compile(
    _PHRASE
    + rb"<\s*"
    + _ADDRESS % b"angle"
    + rb"\s*>"
    + _COMMENTS
    + rb"|"
    + _COMMENTS
    + _ADDRESS % b"bare"
    + _COMMENTS,
    re.DOTALL,
)
_KEPT_AS: Final = {b"to": b"X-Posthouse-To", b"cc": b"X-Posthouse-Cc"}


@dataclass(frozen=True, slots=True)
class _Mailbox:
    """One of a field. `key` is what addresses are compared by; empty where no address can be made out."""

    text: bytes
    key: str


_UNREADABLE: Final = _Mailbox(b"", "")


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
    """Those of a field (RFC 5322 3.4), of groups too. Whether others would read one that breaks the grammar as we do
    can't be known, so it is as good as unreadable."""
    found: list[_Mailbox] = []
    depth = start = 0
    in_group = False
    for match in _TOKEN.finditer(value):
        if match["open"]:
            depth += 1
        elif match["close"]:
            depth -= 1
        elif match["between"] == b":" and not depth:
            name = value[start : match.start()].strip()
            if in_group or not name or not _GROUP.fullmatch(name):
                return [_UNREADABLE]
            in_group, start = True, match.end()
        elif match["between"] and not depth:
            found += _mailbox(value[start : match.start()])
            if match["between"] == b";":
                if not in_group:
                    return [_UNREADABLE]
                in_group = False
            start = match.end()
        elif match["alone"]:
            return [_UNREADABLE]
    return [_UNREADABLE] if depth or in_group else [*found, *_mailbox(value[start:])]


def _mailbox(text: bytes) -> list[_Mailbox]:
    text = text.strip()
    if not text:
        return []
    match = _MAILBOX.fullmatch(text)
    if match is None:
        return [_UNREADABLE]
    return [_Mailbox(text, _key((match["angle"] or match["bare"]).decode("utf-8", "replace")))]


def _key(address: str) -> str:
    """Exchange compares without regard to case; quotes that aren't needed change nothing (RFC 5321 4.1.2)."""
    parsed = parse_address(address)
    local_part = parsed.local_part
    if local_part.startswith('"') and local_part.endswith('"'):
        local_part = re.sub(r"\\(.)", r"\1", local_part[1:-1])
    return f"{local_part}@{parsed.domain}".lower()
