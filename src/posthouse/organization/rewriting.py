"""Other addresses for senders: a scanner sends as whatever it likes, a mailbox only as itself.

What is rewritten is the reverse-path, and the addresses in From and Sender (RFC 5322 3.6.2). The From that was there
is kept in Reply-To (3.6.2 too), unless there is one already. A DKIM signature over From doesn't survive this.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from posthouse.mail.address import parse_address
from posthouse.organization.connectors import ANY, Rewriting

_FIELD = re.compile(rb"(?im)^(from|sender|reply-to)[ \t]*:((?:[^\n]*\n)(?:[ \t][^\n]*\n)*)")
_TOKEN = re.compile(
    r'"[^"\\]*(?:\\.[^"\\]*)*(?:"(?P<domain>@[^\s"()<>,;:\\]+)?|\\?\Z)'  # an address may begin with a quoted string
    r"|\\.|[(),;]"
    r'|<(?P<angle>[^<>"]*(?:"[^"\\]*(?:\\.[^"\\]*)*"[^<>"]*)?)>'
    r'|(?P<bare>[^\s"()<>,;:\\]+)',
    re.DOTALL,
)


class Rewriter:
    """The rules of one connector. The most exact one counts: address, then domain, then `*`."""

    def __init__(self, rules: Iterable[Rewriting]) -> None:
        self._by_sender = {rule.sender.casefold(): rule.address for rule in rules}

    def address(self, address: str) -> str:
        """What an address becomes; the same where no rule is for it. The null reverse-path stays null: a bounce of
        what has it would begin a loop (RFC 5321 6.1)."""
        if not address:
            return address
        mailbox = parse_address(address)
        keys = (str(mailbox).casefold(), f"@{mailbox.domain}", ANY)
        target = next((self._by_sender[key] for key in keys if key in self._by_sender), "")
        return f"{mailbox.local_part}{target}" if target.startswith("@") else target or address

    def header(self, block: bytes) -> bytes:
        """A header block (CRLF line ends, with its blank line) with other senders; the same object for no change."""
        pieces: list[bytes] = []
        done = 0
        reply_to = b""
        is_told = False  # where to reply
        for field in _FIELD.finditer(block):
            name, value = field[1].lower(), field[2]
            is_told = is_told or name == b"reply-to"
            if name == b"reply-to" or (other := self._value(value)) == value:
                continue
            if name == b"from" and not reply_to and _addresses(_text(value)):
                reply_to = b"Reply-To:" + value
            pieces += (block[done : field.start(2)], other)
            done = field.end(2)
        if not pieces:
            return block
        return b"".join((b"" if is_told else reply_to, *pieces, block[done:]))

    def _value(self, value: bytes) -> bytes:
        text = _text(value)
        found = _addresses(text)
        if not found and (everyone := self._by_sender.get(ANY, "")) and not everyone.startswith("@"):
            return _bytes(_with_address(text, everyone))
        others = [self.address(text[start:end]) for start, end in found]
        if len(others) > 1 and len(set(others)) == 1:  # one sender, and so no group and no need of a Sender
            return _bytes(f" {others[0]}\r\n")
        pieces: list[str] = []
        done = 0
        for (start, end), other in zip(found, others, strict=True):
            pieces += (text[done:start], other)
            done = end
        return _bytes("".join((*pieces, text[done:])))


def _text(value: bytes) -> str:
    return value.decode("utf-8", "surrogateescape")


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogateescape")


def _addresses(text: str) -> list[tuple[int, int]]:
    """Where the addresses are. Comments hold none, and a display name none where there are angle brackets."""
    addresses: list[tuple[int, int]] = []
    angles: list[tuple[int, int]] = []
    bare: list[tuple[int, int]] = []
    depth = 0
    for match in _TOKEN.finditer(text):
        found = match[0]
        if found == "(":
            depth += 1
        elif found == ")":
            depth = max(depth - 1, 0)
        elif depth:
            continue
        elif found in (",", ";"):
            addresses += angles or bare
            angles, bare = [], []
        elif match["angle"] is not None:
            angles += _within(match["angle"], match.start("angle"))
        elif match["domain"] or "@" in (match["bare"] or ""):
            bare.append(match.span())
    return addresses + (angles or bare)


def _within(path: str, offset: int) -> list[tuple[int, int]]:
    """The address in angle brackets, without blanks and an obsolete source route (RFC 5322 4.4)."""
    route = path.rfind(":") + 1 if path.lstrip().startswith("@") else 0
    address = path[route:].strip()
    start = offset + path.index(address, route)
    return [(start, start + len(address))] if "@" in address else []


def _with_address(text: str, address: str) -> str:
    """A device that writes only its name, `From: Scanner 2`, gets an address behind it."""
    name = re.sub(r"<[^<>]*>|[][<>()\":;,@\\]", " ", text).strip()
    return f" {name} <{address}>\r\n" if name else f" {address}\r\n"
