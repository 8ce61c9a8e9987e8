"""main.cf as text, and its parameters expanded: https://www.postfix.org/postconf.5.html, the beginning."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_DEFAULTS: Mapping[str, str] = {
    "mydomain": "",
    "myorigin": "$myhostname",
    "mydestination": "$myhostname, localhost.$mydomain, localhost",
    "mynetworks_style": "host",
    "mynetworks": "127.0.0.0/8 [::1]/128",
    "smtpd_relay_restrictions": "permit_mynetworks, permit_sasl_authenticated, defer_unauth_destination",
    "relay_transport": "relay",
    "default_transport": "smtp",
    "local_transport": "local:$myhostname",
    "virtual_transport": "virtual",
    "virtual_alias_domains": "$virtual_alias_maps",
    "virtual_mailbox_domains": "$virtual_mailbox_maps",
    "smtp_sasl_auth_enable": "no",
}
"""Those of Postfix 3 that decide who may send or where mail goes. The domain and the networks of the machine aren't in
main.cf, so `mynetworks` is the loopback part of its default.
"""

_NAME = r"[A-Za-z0-9_]+"
_LINE = re.compile(rf"(?P<name>{_NAME})\s*=(?P<value>.*)", re.DOTALL)
_REFERENCE = re.compile(
    rf"\$(?:(?P<escape>\$)|(?P<plain>{_NAME})|\((?P<round>{_NAME})\)"
    rf"|\{{\s*(?P<curly>{_NAME})\s*(?:(?P<test>[?:])(?P<text>[^{{}}$]*))?\}})"
)
_DEEPEST = 20
_LONGEST = 1 << 20


class Line(NamedTuple):
    number: int
    text: str


def logical_lines(text: str) -> Iterator[Line]:
    """Lines that begin with white space go on the one before; comments and empty lines in between don't end it."""
    first, parts = 0, list[str]()
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        if line[0].isspace() and parts:
            parts.append(stripped)
            continue
        if parts:
            yield Line(first, " ".join(parts))
        first, parts = number, [stripped]
    if parts:
        yield Line(first, " ".join(parts))


class Parameters:
    """`given` holds what main.cf says, by name, and `lines` where; the last one counts.

    A line that sets nothing is a name without a value, which nobody reads.
    """

    def __init__(self, text: str) -> None:
        self.given: dict[str, str] = {}
        self.lines: dict[str, int] = {}
        for number, line in logical_lines(text):
            match = _LINE.fullmatch(line)
            name = match["name"] if match else line
            self.given[name] = match["value"].strip() if match else ""
            self.lines[name.partition(" ")[0]] = number
        self._read: set[str] = set()
        self._known: dict[str, str] = {}

    def __getitem__(self, name: str) -> str:
        """The value as Postfix uses it, its default too. From then on the parameter counts as read, and what it
        refers to.
        """
        if name not in self._known:
            self._known[name] = self._expanded(self._raw(name))
        return self._known[name]

    def words(self, name: str) -> list[str]:
        return split(self[name])

    def is_read(self, name: str) -> bool:
        return name in self._read

    def _raw(self, name: str) -> str:
        self._read.add(name)
        value = self.given.get(name, _DEFAULTS.get(name, ""))
        if name == "mydomain" and not value:
            return self._raw("myhostname").partition(".")[2]
        return value

    def _expanded(self, value: str) -> str:
        """Level by level, so that what refers to itself, or would grow without end, stops."""
        room = _LONGEST

        def referred(reference: re.Match[str]) -> str:
            nonlocal room
            text = self._referred(reference)[:room]
            room -= len(text)
            return text

        for _ in range(_DEEPEST):
            if "$" not in value:
                break
            value = _REFERENCE.sub(referred, value)
        return _REFERENCE.sub("", value).replace("\0", "$")

    def _referred(self, reference: re.Match[str]) -> str:
        """`${name?text}` is the text where the parameter has a value, `${name:text}` where it has none."""
        if reference["escape"]:
            return "\0"
        value = self._raw(reference["plain"] or reference["round"] or reference["curly"])
        if reference["test"]:
            wants_value = reference["test"] == "?"
            return reference["text"] if bool(value) == wants_value else ""
        return value


def split(value: str, separators: str = ",") -> list[str]:
    """At separators and white space, but not within braces."""
    words: list[str] = []
    word: list[str] = []
    depth = 0
    for char in value:
        depth += (char == "{") - (char == "}" and depth > 0)
        if depth == 0 and (char in separators or char.isspace()):
            words.append("".join(word))
            word = []
        else:
            word.append(char)
    return [found for found in [*words, "".join(word)] if found]
