"""The replies in a text: a reply, lines of a log or a dialogue, what a mail program shows of a bounce, or a whole one.

What a text says best comes first: the fields that a bounce has for programs (RFC 3464), then what it tells people. The
mail that a bounce returns is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import islice

from posthouse.analysis.mime import Kind, leaves
from posthouse.mail import Reply

REPLY_LIMIT = 100
"""Replies taken from one text."""

_LINES = 200_000  # looked at: more than a log of 8 MiB has
_RECIPIENTS = 1000  # looked at in a bounce
_LINE_LENGTH = 16 << 10
_TEXT_LENGTH = 1000

_RETURNED = re.compile(
    r"(?im)^(?:--- below this line is a copy of the message|-{3,} (?:this is a copy of|original message follows)"
    r"|original message headers:)"
)
"""How qmail, Exim, Sendmail and Exchange begin what they return."""

_SPEAKER = re.compile(r"[ \t>|]*(?:(?:[CS]:|SMTP[<>]{2}|[<>~=*-]{1,3}(?=[ \t\d]))[ \t]*)?")
_BEGINS = re.compile(r"[2-5]\d\d[ -]")
_UNFINISHED = re.compile(r"(?:^|[:'\"]\s*)([2-5]\d\d)-")
_ENHANCED = r"[245]\.\d{1,3}\.\d{1,3}(?!\.?\d|\w)"
_QUOTED = r",[ ]b?['\"]"  # (550, b'5.1.1 …'), as Python's smtplib shows it
_ALONE = rf"{_QUOTED}(?!{_ENHANCED})"
_REPLY = re.compile(
    rf"""
      (?<![\w.\[/-]) (?P<code>[245][0-5]\d) (?: (?P<more>[ -]) [ ]* \#? | {_QUOTED} ) (?P<enhanced>{_ENHANCED})
    | (?: ^ | [;:'"]\s* | <[-~*,]*\s* | \b(?:LED|reply|response|error|code)[ =]['"]? | \( (?=...{_ALONE}) )
      (?P<basic>[2-5][0-5]\d) (?: (?P<goes_on>[ -]) (?=[ ]*[^\W\d]|[ ]*[<\#\[(]) | {_ALONE} | $ )
    | (?: ^ | \# | \bresponse[ ]was:\s* | \b(?:dsn|status|code|error|ndr)[ =:]\s*(?:code:?\s*)? ) (?P<bare>{_ENHANCED})
    """,
    re.VERBOSE | re.IGNORECASE | re.MULTILINE,
)
"""Both codes anywhere; one alone only where it can't be another number."""

_ENDS = (" (in reply to ", "> #", "')", '")')
_FIELD = re.compile(r"(?im)^(action|status|diagnostic-code):[ \t]*([^\n]*(?:\n[ \t][^\n]*)*)")
_BLANK_LINE = re.compile(r"\n[ \t]*\n")
_SUCCEEDED = {"delivered", "relayed", "expanded"}


def replies_in(text: str | bytes) -> Iterator[Reply]:
    """Each refusal once; where there is none, one of the other replies. `code` is 0 where only an enhanced is told."""
    found: set[Reply] = set()
    accepted: Reply | None = None
    for reply in _replies(text):
        if (reply.enhanced or str(reply.code))[0] in "23":
            accepted = reply
        elif reply not in found and not _is_echo(reply, found):
            found.add(reply)
            yield reply
            if len(found) == REPLY_LIMIT:
                return
    if accepted and not found:
        yield accepted


def lines_in(text: str | bytes) -> Iterator[str]:
    """The lines that people read, without who said them; folded ones and those of one reply together."""
    for kind, part in leaves(text):
        if kind is Kind.TEXT:
            yield from _lines(_RETURNED.split(part, maxsplit=1)[0])


def replies_in_line(line: str) -> Iterator[Reply]:
    """The replies that a line quotes, one or several. The lines of one reply may stand one behind the other."""
    begun: Reply | None = None
    matches = list(_REPLY.finditer(line))
    for number, match in enumerate(matches, 1):
        is_last = number == len(matches)
        if match["bare"] and not is_last:
            continue  # it announces the reply that follows
        reply = _reply(match, line, len(line) if is_last else matches[number].start())
        if begun and (begun.code, begun.enhanced) == (reply.code, reply.enhanced):
            reply = replace(reply, text=f"{begun.text} {reply.text}"[:_TEXT_LENGTH])
        elif begun:
            yield begun
        begun = reply
        if "-" not in (match["more"], match["goes_on"]):
            yield begun
            begun = None
    if begun:
        yield begun


def _reply(match: re.Match[str], line: str, end: int) -> Reply:
    """Words stand behind the codes; before them where qmail puts a code alone into brackets."""
    code, enhanced = int(match["code"] or match["basic"] or 0), match["enhanced"] or match["bare"] or ""
    text = _trimmed(line[match.end() : end])
    if match["bare"] and text in ("", ")"):
        text = _trimmed(line[: match.start()]).rstrip(" (")
    return Reply(code, enhanced, text)


def _replies(text: str | bytes) -> Iterator[Reply]:
    for kind, part in leaves(text):
        if kind is Kind.DELIVERY_STATUS:
            for block in _BLANK_LINE.split(part, _RECIPIENTS)[:_RECIPIENTS]:
                yield from _recipient(dict(_fields(block)))
        else:
            for line in _lines(_RETURNED.split(part, maxsplit=1)[0]):
                yield from replies_in_line(line)


def _fields(block: str) -> Iterator[tuple[str, str]]:
    for match in _FIELD.finditer(block):
        yield match[1].lower(), " ".join(match[2].split())


def _recipient(fields: dict[str, str]) -> Iterator[Reply]:
    """What became of a recipient: the remote server's words, where they are told, and the status in any case."""
    if fields.get("action", "").lower() in _SUCCEEDED:
        return
    status = next(replies_in_line(fields.get("status", "")), Reply(0, "", ""))
    _, _, words = fields.get("diagnostic-code", "").partition(";")
    quoted = list(replies_in_line(words.strip()))
    for reply in quoted:
        fits = not reply.enhanced and str(reply.code)[0] == status.enhanced[:1] and status.enhanced[1:] != ".0.0"
        yield replace(reply, enhanced=status.enhanced) if fits else reply
    if not quoted and status.enhanced:
        yield replace(status, text=words.strip()[:_TEXT_LENGTH])


def _is_echo(reply: Reply, found: Iterable[Reply]) -> bool:
    """Whether a bare enhanced code repeats one that came with words."""
    return not reply.code and not reply.text and any(reply.enhanced == other.enhanced for other in found)


def _lines(text: str) -> Iterator[str]:
    """Whole lines: what is folded (indented at least as much), and the lines of a multi-line reply, belong together."""
    parts: list[str] = []
    length = indent = 0
    unfinished = ""
    for raw in islice(text.splitlines(), _LINES):
        raw = raw.rstrip()[:_LINE_LENGTH]
        speaker = _SPEAKER.match(raw)
        line = raw[speaker.end() :] if speaker else raw
        here = len(raw) - len(raw.lstrip())
        is_folded = not _BEGINS.match(line) and here == len(raw) - len(line) and here >= max(indent, 1)
        is_next = bool(unfinished) and line.startswith(unfinished)
        if parts and line and (is_folded or is_next) and length < _LINE_LENGTH:
            parts += ("\n" if is_next else " ", line)
        else:
            yield "".join(parts)
            parts, indent, length = [line], here, 0
        length += len(line)
        open_reply = _UNFINISHED.search(line)
        unfinished = open_reply[1] if open_reply else ""
    yield "".join(parts)


def _trimmed(text: str) -> str:
    for end in _ENDS:
        text = text.partition(end)[0]
    return " ".join(text.split())[:_TEXT_LENGTH].rstrip(" '\"#}")
