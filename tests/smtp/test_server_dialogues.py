"""Golden dialogues: each file of dialogues/ is run whole, byte by byte, and in one flight where it allows.

option auth=PLAIN,LOGIN starttls errors=3     what the engine is made with, `lockstep`: not in one flight
refuse RcptTo 550 5.1.1 No such user          the session's answer to the next event of that type
c -> MAIL FROM:<a@b.example>                  the client's line, CRLF added; escapes as in Python
c => octets                                   the same without CRLF
s <- 250 2.1.0 Sender OK                      the server's line; one that ends with … may go on
e <- MailFrom(reverse_path='a@b.example'      an event: how its repr begins. All are listed, or none
tls                                           the handshake takes place
closed                                        the engine wants the connection closed
"""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from posthouse.mail import Reply
from posthouse.smtp.events import Extensions, ServerLimits

Lines = list[tuple[str, str]]


def read(path: Path) -> Lines:
    lines = [line for line in path.read_text("utf-8").splitlines() if line and not line.startswith("#")]
    return [_parse(line) for line in lines]


def _parse(line: str) -> tuple[str, str]:
    if line[:5] in ("c -> ", "c => ", "s <- ", "e <- "):
        return line[:4], line[5:]
    word, _, rest = line.partition(" ")
    return word, rest


def client_octets(kind: str, text: str) -> bytes:
    octets = text.encode("utf-8").decode("unicode_escape").encode("latin-1")
    return octets + b"\r\n" if kind == "c ->" else octets


def steps(lines: Lines) -> Iterator[tuple[bytes, Lines]]:
    """What the client says in one go, with what is expected after it."""
    said, expected = b"", []
    for kind, text in lines:
        if kind in ("c ->", "c =>"):
            if expected:
                yield said, expected
                said, expected = b"", []
            said += client_octets(kind, text)
        else:
            expected.append((kind, text))
    yield said, expected


def begin(new_talk: Callable[..., Any], lines: Lines) -> Any:
    words = dict(word.partition("=")[::2] for kind, text in lines if kind == "option" for word in text.split())
    extensions = Extensions(
        starttls="starttls" in words,
        auth=tuple(words["auth"].split(",")) if "auth" in words else (),
        size=1000,
        dsn="dsn" in words,
        chunking="nochunking" not in words,
        smtputf8="nosmtputf8" not in words,
    )
    limits = ServerLimits(size=1000, recipients=3)
    limits = replace(
        limits, **{name: int(words[name]) for name in ("errors", "commands_without_mail") if name in words}
    )
    talk = new_talk(extensions, limits, bare_lf=words.get("bare_lf", "refuse"), secure="secure" in words)
    for kind, text in lines:
        if kind == "refuse":
            event, code, enhanced, reason = text.split(" ", 3)
            talk.refusals[event].append(Reply(int(code), enhanced, reason))
    talk.engine.greet(Reply(220, "", "relay.example ESMTP"))
    return talk


def check(talk: Any, said: str, expected: Lines) -> None:
    replies = [text for kind, text in expected if kind == "s <-"]
    lines = said.split("\r\n")[:-1]
    assert len(lines) == len(replies), said
    for line, reply in zip(lines, replies, strict=True):
        assert line.startswith(reply[:-1]) if reply.endswith("…") else line == reply
    for kind, _ in expected:
        if kind == "tls":
            talk.engine.tls_started()
        if kind == "closed":
            assert talk.engine.should_close


def check_events(talk: Any, lines: Lines) -> None:
    wanted = [text for kind, text in lines if kind == "e <-"]
    if not wanted:
        return
    assert len(talk.events) == len(wanted), talk.events
    for event, text in zip(talk.events, wanted, strict=True):
        assert repr(event).startswith(text)


DIALOGUES = {path.stem: read(path) for path in sorted((Path(__file__).parent / "dialogues").glob("*.txt"))}
FLIGHTS = {name: lines for name, lines in DIALOGUES.items() if ("option", "lockstep") not in lines}

every_dialogue = pytest.mark.parametrize("lines", DIALOGUES.values(), ids=DIALOGUES.keys())
every_flight = pytest.mark.parametrize("lines", FLIGHTS.values(), ids=FLIGHTS.keys())


def test_there_are_dialogues():
    assert len(DIALOGUES) >= 15


@every_dialogue
def test_step_by_step(new_talk: Callable[..., Any], lines: Lines):
    talk = begin(new_talk, lines)
    for octets, expected in steps(lines):
        check(talk, talk.say(octets) if octets else talk.engine.data_to_send().decode(), expected)
    check_events(talk, lines)


@every_dialogue
def test_byte_by_byte(new_talk: Callable[..., Any], lines: Lines):
    talk = begin(new_talk, lines)
    for octets, expected in steps(lines):
        pieces = (octets[at : at + 1] for at in range(len(octets)))
        check(talk, talk.say(*pieces) if octets else talk.engine.data_to_send().decode(), expected)
    check_events(talk, lines)


@every_flight
def test_in_one_flight(new_talk: Callable[..., Any], lines: Lines):
    talk = begin(new_talk, lines)
    flight = b"".join(client_octets(kind, text) for kind, text in lines if kind in ("c ->", "c =>"))
    check(talk, talk.say(flight), lines)
    check_events(talk, lines)
