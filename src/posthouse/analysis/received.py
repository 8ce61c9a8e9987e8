"""One `Received:` value, in whichever style it was written.

RFC 5321 4.4 knows clauses (from, by, via, with, id, for), comments and a date behind a semicolon. The styles differ in
what they put into the comments, so the clauses are found first and then looked at.
"""

from __future__ import annotations

import ipaddress
import re
from collections import defaultdict
from dataclasses import dataclass, field
from datetime import datetime

from posthouse.analysis.dates import parse_date, split_date

LENGTH_LIMIT = 2000
"""Characters of a value that are looked at; real ones have a few hundred."""

_TOKEN = re.compile(r'"[^"]*"|[^\s()"]+|[()"]')
_CLAUSES = frozenset({"from", "by", "via", "with", "id", "for"})
_ADDRESS = re.compile(
    r"(?<![\w.:])(?:IPv6:)?((?:\d{1,3}\.){3}\d{1,3}|[0-9a-f]{0,4}(?::[0-9a-f.]{0,15}){2,8})", re.IGNORECASE
)
_HELO = re.compile(r"\b(?:helo|ehlo)[= ]\[?([^\s\])]+)", re.IGNORECASE)
_HOST = re.compile(r"[a-z0-9_][\w-]*(?:\.[\w-]+)+\.?|localhost", re.IGNORECASE)
_TLS = re.compile(r"(?:TLS|SSL)v?\d|cipher|^\s*TLS\s*$", re.IGNORECASE)
_TLS_VERSION = re.compile(r"\b(TLS|SSL)v?(\d)(?:[._](\d))?", re.IGNORECASE)
_CIPHER = re.compile(r"\bcipher[= ]([\w-]+)|\b(?:TLS|SSL)v?[\d._]+[: ]([\w-]{8,})", re.IGNORECASE)
_COMMON_NAME = re.compile(r"\bClient CN \"([^\"]*)\"")
_USER = re.compile(r"\bAuthenticated sender: ([^\s()]+)")


@dataclass(frozen=True, slots=True)
class Source:
    """Who handed the message over: what it called itself, what its address is called in DNS, and the address."""

    name: str = ""
    rdns: str = ""
    ip: str = ""
    helo: str = ""

    def __str__(self) -> str:
        """`name (rdns [ip])`, as far as it is known."""
        rdns = self.rdns if self.rdns != self.name else ""
        literal = f"[{self.ip}]" if self.ip and self.ip not in self.name else ""
        inside = " ".join(part for part in (rdns, literal) if part)
        return " ".join(part for part in (self.name, f"({inside})" if inside else "") if part)


@dataclass(frozen=True, slots=True)
class Received:
    """What was understood; empty where it isn't told. `protocol` is the `with` clause, `recipient` is `for`.

    `tls` is what was said about TLS, as it was said; `tls_version` is written `TLS1.3` whoever says it, `cipher` is the
    suite's name. `client_certificate` is the common name of the certificate that the client presented, `user` whom it
    authenticated as. `raw` is the whole value.
    """

    source: Source
    by: str
    protocol: str
    id: str
    recipient: str
    via: str
    tls: str
    time: datetime | None
    tls_version: str = ""
    cipher: str = ""
    client_certificate: str = ""
    user: str = ""
    raw: str = ""


@dataclass(slots=True)
class _Clause:
    words: list[str] = field(default_factory=list[str])
    comments: list[str] = field(default_factory=list[str])

    @property
    def first(self) -> str:
        return self.words[0] if self.words else ""


class _UnclosedComment(Exception):
    pass


def parse_received(value: str) -> Received:
    """Never raises."""
    trace, time = _trace_and_time(value[:LENGTH_LIMIT])
    try:
        clauses = _clauses(trace)
    except _UnclosedComment:
        clauses = _clauses(trace.replace("(", " ").replace(")", " "))
    protocol, tls = _protocol(clauses)
    return Received(
        source=_source(clauses["from"]),
        by=clauses["by"].first.strip("[]"),
        protocol=protocol,
        id=clauses["id"].first,
        recipient=clauses["for"].first.strip("<>"),
        via=" ".join(clauses["via"].words),
        tls=tls,
        time=time,
        tls_version=_tls_version(tls),
        cipher=_cipher(tls),
        client_certificate=_first(_COMMON_NAME, trace),
        user=_first(_USER, trace),
        raw=value,
    )


def _trace_and_time(value: str) -> tuple[str, datetime | None]:
    """The semicolon may be missing, or another one may stand behind the date."""
    trace, semicolon, date = value.rpartition(";")
    time = parse_date(date) if semicolon else None
    return (trace, time) if time else split_date(value)


def _clauses(trace: str) -> defaultdict[str, _Clause]:
    """Each clause with its words and comments; "" is what stands before the first.

    A second one of a name is part of the clause it stands in: `with ESMTP with STARTTLS`.
    """
    clauses: defaultdict[str, _Clause] = defaultdict(_Clause)
    current = clauses[""]
    depth = start = 0
    for token in _TOKEN.finditer(trace):
        mark = token[0]
        if mark == "(":
            start = start if depth else token.end()
            depth += 1
        elif mark == ")":
            if depth == 1:
                current.comments.append(trace[start : token.start()])
            depth = max(depth - 1, 0)
        elif depth == 0 and mark.lower() in _CLAUSES and mark.lower() not in clauses:
            current = clauses[mark.lower()]
        elif depth == 0:
            current.words.append(mark.rstrip(";,"))
    if depth:
        raise _UnclosedComment
    return clauses


def _protocol(clauses: defaultdict[str, _Clause]) -> tuple[str, str]:
    """The `with` clause, and what is said about TLS, wherever it stands.

    Exim: `with esmtpsa (TLS1.3) tls TLS_AES_256_GCM_SHA384 (Exim 4.96)`.
    Postfix: `(using TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits))` in the `from` clause.
    Exchange: `with Microsoft SMTP Server (version=TLS1_3, cipher=TLS_AES_256_GCM_SHA384)`.
    """
    words = clauses["with"].words
    comments = [comment for clause in clauses.values() for comment in clause.comments]
    tls = next((comment.strip().removeprefix("using ") for comment in comments if _TLS.search(comment)), "")
    if "tls" in words:
        place = words.index("tls")
        return " ".join(words[:place]), " ".join([tls, *words[place + 1 : place + 2]]).strip()
    return " ".join(words), tls


def _tls_version(tls: str) -> str:
    match = _TLS_VERSION.search(tls)
    return f"{match[1].upper()}{match[2]}.{match[3] or 0}" if match else ""


def _cipher(tls: str) -> str:
    match = _CIPHER.search(tls)
    return (match[1] or match[2]) if match else ""


def _first(pattern: re.Pattern[str], text: str) -> str:
    match = pattern.search(text)
    return match[1] if match else ""


def _source(clause: _Clause) -> Source:
    """Postfix: `from helo (rdns [192.0.2.1])`. Exchange: `from name (2001:db8::1)`. Gmail ends rdns with a dot.
    Exim: `from rdns ([192.0.2.1] helo=helo)`, `from [192.0.2.1] (helo=helo)`.
    qmail: `from unknown (HELO helo) (192.0.2.1)`.
    """
    name = clause.first
    hints = [comment for comment in clause.comments if not _TLS.search(comment)]
    helo = next((match[1] for hint in hints if (match := _HELO.search(hint))), "")
    ip = next((found for text in (*hints, name) if (found := _ip(text))), "")
    rdns = next((found for hint in hints[:1] if not _HELO.match(hint) and (found := _host(hint))), "")
    if helo and not rdns and not _ip(name) and name != "unknown":
        rdns = name
    return Source(name.strip("[]") if _ip(name) else name, rdns, ip, helo or ("" if _ip(name) else name))


def _ip(text: str) -> str:
    for match in _ADDRESS.finditer(text):
        try:
            return str(ipaddress.ip_address(match[1]))
        except ValueError:
            continue
    return ""


def _host(comment: str) -> str:
    """The first word that is a host name: not an address, not `helo=` something."""
    for word in comment.split():
        if _HOST.fullmatch(word) and not _ip(word):
            return word.rstrip(".")
    return ""
