"""What was found about SPF, DKIM, DMARC, ARC and CompAuth, and who found it.

Read out of Authentication-Results (RFC 8601), Exchange Online's too, which lacks the name of the server that checked;
Received-SPF (RFC 7208 9.1), DKIM-Signature (RFC 6376 3.5) and the ARC fields (RFC 8617 4.1). Read tolerantly and in
linear time, comments kept, since they say why: what a library offers for strict fields does neither.
"""

from __future__ import annotations

import bisect
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from posthouse.analysis.antispam import compauth_reason
from posthouse.analysis.headers import Field

METHODS = ("spf", "dkim", "dmarc", "arc", "compauth")

_LENGTH_LIMIT = 16_000
"""Characters of a value that are looked at; Gmail's for a message with ten signatures has 3,000."""

_FIELD_LIMIT = 100
"""Fields of each kind that are looked at. ARC ends with 50 instances (RFC 8617 4.2.1)."""

_WHY_LIMIT = 200

_RESULTS = ("authentication-results", "x-ms-exchange-authentication-results")
"""The second is what Exchange Online calls its own on mail that came over a connector."""

_TOKEN = re.compile(r'"[^"]*"|[()";]|[^()";]+')
_PAIR = re.compile(r'(?<![^\s])([A-Za-z][\w.-]*)[ \t]*(?:/[ \t]*\d+[ \t]*)?=[ \t]*("[^"]*"|[^\s]*)')
_BY_PROTECTION = re.compile(r"\bby[ \t]+([\w.-]+\.mail\.protection\.[\w.-]+)", re.IGNORECASE)
_WORD = re.compile(r"[a-z]+", re.IGNORECASE)
_SIGNER = re.compile(r"@?([\w.-]+)\Z")
_SHORT_SUFFIX = 3  # letters of the second label in co.uk, com.au, org.br


@dataclass(frozen=True, slots=True)
class Verdict:
    """One result. `comment` is what the server said about it in brackets; names of properties are `header.d` …"""

    method: str
    result: str
    comment: str
    properties: Mapping[str, str]

    @property
    def why(self) -> str:
        """What the server says about the reason, CompAuth's code explained; empty where it says nothing."""
        reason, action = self.properties.get("reason", ""), self.properties.get("action", "")
        if self.method == "compauth" and reason:
            return f"reason {reason}: {compauth_reason(reason) or 'not documented'}"
        taken = f"action={action}" if action not in ("", "none") else ""
        return " ".join(filter(None, (self.comment, reason, taken)))[:_WHY_LIMIT]

    def to_json(self) -> dict[str, object]:
        return {
            "method": self.method,
            "result": self.result,
            "why": self.why,
            "comment": self.comment,
            "properties": dict(self.properties),
        }


@dataclass(frozen=True, slots=True)
class Assessment:
    """One field's verdicts. `server` is who says so, empty where that can't be told.

    `trusted` is false for a field below all that a server on the way wrote: the sender's own words, or those of the
    system he sent from, about mail that it was yet to send.
    """

    header: str
    server: str
    trusted: bool
    verdicts: tuple[Verdict, ...]

    def to_json(self) -> dict[str, object]:
        return {
            "header": self.header,
            "server": self.server,
            "trusted": self.trusted,
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
        }


@dataclass(frozen=True, slots=True)
class Signature:
    """A DKIM signature; `result` is empty where nobody told. `aligned`: its domain is that of From (RFC 7489 3.1)."""

    domain: str
    selector: str
    algorithm: str
    result: str
    aligned: bool

    def to_json(self) -> dict[str, object]:
        return {
            "domain": self.domain,
            "selector": self.selector,
            "algorithm": self.algorithm,
            "result": self.result,
            "aligned": self.aligned,
        }


@dataclass(frozen=True, slots=True)
class ArcSet:
    """One instance of the chain: who sealed it, how it found the chain before (`cv`), and what it found itself.

    `complete`: seal, message signature and results are there, once each.
    """

    instance: int
    domain: str
    selector: str
    cv: str
    server: str
    verdicts: tuple[Verdict, ...]
    complete: bool

    def to_json(self) -> dict[str, object]:
        return {
            "instance": self.instance,
            "domain": self.domain,
            "selector": self.selector,
            "cv": self.cv,
            "server": self.server,
            "verdicts": [verdict.to_json() for verdict in self.verdicts],
            "complete": self.complete,
        }


@dataclass(frozen=True, slots=True)
class Authentication:
    """`assessments` are newest first of each kind, `arc` oldest first. All of it is to prove `from_domain`."""

    from_domain: str
    assessments: tuple[Assessment, ...]
    signatures: tuple[Signature, ...]
    arc: tuple[ArcSet, ...]

    def verdict(self, method: str) -> tuple[Assessment, Verdict] | None:
        """The newest trusted one. Of several DKIM signatures one that passes is enough."""
        for assessment in self.assessments:
            found = [verdict for verdict in assessment.verdicts if verdict.method == method]
            if assessment.trusted and found:
                return assessment, next((verdict for verdict in found if verdict.result == "pass"), found[0])
        return None

    def results(self) -> dict[str, str]:
        """Method to result (`pass`, `fail`, `softfail`, `none` …); a method that nobody checked is missing."""
        found = {method: self.verdict(method) for method in METHODS}
        return {method: pair[1].result for method, pair in found.items() if pair}

    def arc_broken(self) -> str:
        """Why the chain can't hold, empty if it may: RFC 8617 5.2 as far as it needs no cryptography."""
        for number, instance in enumerate(self.arc, start=1):
            if instance.instance != number or not instance.complete:
                return f"instance {number} is missing or not complete"
            if instance.cv != ("none" if number == 1 else "pass"):
                return f"instance {number} says cv={instance.cv or '?'}"
        return ""

    def to_json(self) -> dict[str, object]:
        return {
            "from_domain": self.from_domain,
            "assessments": [assessment.to_json() for assessment in self.assessments],
            "signatures": [signature.to_json() for signature in self.signatures],
            "arc": [instance.to_json() for instance in self.arc],
        }


def authentication(header: Sequence[Field], from_domain: str, first_server: str) -> Authentication:
    """`first_server` is the host that wrote the oldest Received field, empty where there is none."""
    assessments = tuple(_assessments(header, first_server))
    return Authentication(from_domain, assessments, _signatures(header, from_domain, assessments), _arc(header))


def related(one: str, other: str) -> bool:
    """Whether two host or domain names belong to one organizational domain, as far as can be told without a list."""
    return bool(one and other) and _organization(one) == _organization(other)


def _organization(name: str) -> str:
    """The last two labels, three below a country's short suffix: a guess at the public suffix list."""
    labels = name.lower().rstrip(".").split(".")
    short = len(labels) > 2 and len(labels[-1]) == 2 and len(labels[-2]) <= _SHORT_SUFFIX
    return ".".join(labels[-3 if short else -2 :])


def _assessments(header: Sequence[Field], first_server: str) -> Iterator[Assessment]:
    """Received-SPF last: a server that writes both says the same in each."""
    received = [field for field in header if field.name.lower() == "received"]
    oldest = received[-1].index if received else len(header)
    for field in (*_named(header, *_RESULTS), *_named(header, "received-spf")):
        server, verdicts = (_received_spf if field.name.lower() == "received-spf" else _results)(field.value)
        trusted = field.index < oldest or related(server, first_server)
        yield Assessment(field.name, server or _protection_server(field, received), trusted, verdicts)


def _protection_server(field: Field, received: Sequence[Field]) -> str:
    """Exchange Online Protection doesn't name itself, but puts its results on top of its own Received field."""
    place = bisect.bisect(received, field.index, key=lambda other: other.index)
    match = _BY_PROTECTION.search(received[place].value[:_LENGTH_LIMIT]) if place < len(received) else None
    return match[1] if match else ""


def _named(header: Sequence[Field], *names: str) -> list[Field]:
    return [field for field in header if field.name.lower() in names][:_FIELD_LIMIT]


def _results(value: str) -> tuple[str, tuple[Verdict, ...]]:
    """`server; method=result (comment) property=value …; …`. The server's name stands first, second, or not at all."""
    server = ""
    verdicts: list[Verdict] = []
    for text, comment in _clauses(value):
        pairs = [(name.lower(), content.strip('"')) for name, content in _PAIR.findall(text)]
        if pairs and "." not in pairs[0][0]:
            (method, result), *properties = pairs
            verdicts.append(Verdict(method, result.lower(), comment, dict(properties)))
        elif not pairs and not server and (words := text.split()) and words[0].lower() != "none":
            server = words[0]
    return server, tuple(verdicts)


def _clauses(value: str) -> Iterator[tuple[str, str]]:
    """Each clause without its comments, and these. A bracket that is never closed is none."""
    value = value[:_LENGTH_LIMIT]
    clauses, depth = _split(value)
    return iter(clauses if depth == 0 else _split(value.replace("(", " ").replace(")", " "))[0])


def _split(value: str) -> tuple[list[tuple[str, str]], int]:
    clauses: list[tuple[str, str]] = []
    text: list[str] = []
    comments: list[str] = []
    depth = 0
    for mark in _TOKEN.findall(value):
        if mark == "(":
            depth += 1
        elif mark == ")":
            depth = max(depth - 1, 0)
            text.append(" ")
        elif depth:
            comments.append(mark)
        elif mark == ";":
            clauses.append(("".join(text), " ".join(comments)))
            text, comments = [], []
        else:
            text.append(mark)
    clauses.append(("".join(text), " ".join(comments)))
    return clauses, depth


def _received_spf(value: str) -> tuple[str, tuple[Verdict, ...]]:
    """`Pass (server: why) receiver=server; client-ip=192.0.2.1; helo=name`."""
    result = _WORD.match(value)
    if result is None:
        return "", ()
    properties: dict[str, str] = {}
    comments: list[str] = []
    for text, comment in _clauses(value[result.end() :]):
        properties |= {name.lower(): content.strip('"') for name, content in _PAIR.findall(text)}
        comments.append(comment)
    comment = " ".join(filter(None, comments))
    server = properties.get("receiver", "") or comment.partition(":")[0]
    return server if " " not in server else "", (Verdict("spf", result[0].lower(), comment, properties),)


def _tags(value: str) -> dict[str, str]:
    """A tag list (RFC 6376 3.2). Of a tag that comes twice the first counts."""
    tags: dict[str, str] = {}
    for part in value[:_LENGTH_LIMIT].split(";"):
        name, _, content = part.partition("=")
        tags.setdefault(name.strip().lower(), content.strip())
    return tags


def _signatures(header: Sequence[Field], from_domain: str, assessments: Iterable[Assessment]) -> tuple[Signature, ...]:
    verdicts = [
        verdict
        for assessment in assessments
        if assessment.trusted
        for verdict in assessment.verdicts
        if verdict.method == "dkim"
    ]
    made: list[Signature] = []
    for field in _named(header, "dkim-signature"):
        tags = _tags(field.value)
        domain, selector = tags.get("d", ""), tags.get("s", "")
        result = next((verdict.result for verdict in verdicts if _is_about(verdict, domain, selector)), "")
        made.append(Signature(domain, selector, tags.get("a", ""), result, related(domain, from_domain)))
    return tuple(made)


def _is_about(verdict: Verdict, domain: str, selector: str) -> bool:
    told = verdict.properties.get("header.d") or verdict.properties.get("header.i", "")
    signer = _SIGNER.search(told)
    if signer is None or signer[1].lower() != domain.lower():
        return False
    return verdict.properties.get("header.s", selector).lower() == selector.lower()


def _arc(header: Sequence[Field]) -> tuple[ArcSet, ...]:
    seals = _instances(_named(header, "arc-seal"))
    signatures = _instances(_named(header, "arc-message-signature"))
    results = _instances(_named(header, "arc-authentication-results"))
    made: list[ArcSet] = []
    for instance in sorted(seals.keys() | signatures.keys() | results.keys()):
        parts = [values.get(instance, []) for values in (seals, signatures, results)]
        seal = _tags(parts[0][0]) if parts[0] else {}
        server, verdicts = _results(parts[2][0].partition(";")[2]) if parts[2] else ("", ())
        complete = all(len(values) == 1 for values in parts)
        made.append(
            ArcSet(instance, seal.get("d", ""), seal.get("s", ""), seal.get("cv", ""), server, verdicts, complete)
        )
    return tuple(made)


def _instances(fields: Iterable[Field]) -> dict[int, list[str]]:
    """The values by their number `i`, which only Authentication-Results is sure to have first."""
    numbered: dict[int, list[str]] = {}
    for field in fields:
        number = _tags(field.value).get("i", "")
        if number.isascii() and number.isdecimal():
            numbered.setdefault(int(number[:4]), []).append(field.value)
    return numbered
