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
    r"|\\.|[()]"
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
        domain = f"@{mailbox.domain}"
        target = next((self._by_sender[key] for key in (address.casefold(), domain, ANY) if key in self._by_sender), "")
        return f"{mailbox.local_part}{target}" if target.startswith("@") else target or address

    def header(self, block: bytes) -> bytes:
        """A header block (CRLF line ends, with its blank line) with other senders; the same object for no change."""
        fields = {match[1].lower(): match for match in reversed(list(_FIELD.finditer(block)))}
        replaced = {
            name: value
            for name in (b"from", b"sender")
            if name in fields and (value := self._value(fields[name][2])) != fields[name][2]
        }
        if not replaced:
            return block
        kept = b"" if b"reply-to" in fields or b"from" not in replaced else b"Reply-To:" + fields[b"from"][2]
        for name in sorted(replaced, key=lambda name: fields[name].start(2), reverse=True):
            start, end = fields[name].span(2)
            block = block[:start] + replaced[name] + block[end:]
        return kept + block

    def _value(self, value: bytes) -> bytes:
        text = value.decode("utf-8", "surrogateescape")
        addresses = _addresses(text)
        if not addresses and (everyone := self._by_sender.get(ANY, "")) and not everyone.startswith("@"):
            return _with_address(text, everyone).encode("utf-8", "surrogateescape")
        pieces: list[str] = []
        done = 0
        for start, end in addresses:
            pieces += (text[done:start], self.address(text[start:end]))
            done = end
        return "".join((*pieces, text[done:])).encode("utf-8", "surrogateescape")


def _addresses(text: str) -> list[tuple[int, int]]:
    """Where the addresses are. Comments hold none, and a display name none where there are angle brackets."""
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
        elif match["angle"] is not None:
            angles += _within(match["angle"], match.start("angle"))
        elif match["domain"] or "@" in (match["bare"] or ""):
            bare.append(match.span())
    return angles or bare


def _within(path: str, offset: int) -> list[tuple[int, int]]:
    """The address in angle brackets, without blanks and an obsolete source route (RFC 5322 4.4)."""
    route = path.rfind(":") + 1 if path.lstrip().startswith("@") else 0
    address = path[route:].strip()
    start = offset + path.index(address, route)
    return [(start, start + len(address))] if "@" in address else []


def _with_address(text: str, address: str) -> str:
    """A device that writes only its name, `From: Scanner 2`, gets an address behind it."""
    name = re.sub(r"<[^<>]*>|[<>:;,@]", " ", text).strip()
    return f" {name} <{address}>\r\n" if name else f" {address}\r\n"
