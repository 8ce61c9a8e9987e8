"""Whatever comes, and however it is cut, the server engine stays the same, bounded, and calm."""

from collections.abc import Callable
from itertools import pairwise
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.smtp.events import ContentChunk, Extensions, MessageEnd, ServerLimits

LIMITS = ServerLimits(size=60, recipients=2, errors=0, commands_without_mail=0, line=64, auth_line=128)
EXTENSIONS = Extensions(auth=("PLAIN", "LOGIN"), dsn=True)

COMMANDS = st.sampled_from(
    [
        b"EHLO a\r\n",
        b"HELO a\r\n",
        b"MAIL FROM:<a@b>\r\n",
        b"MAIL FROM:<a@b> SIZE=61\r\n",
        b"RCPT TO:<a@b>\r\n",
        b"RCPT TO:<@a:b@c>\r\n",
        b"DATA\r\n",
        b"BDAT 5\r\nQUIT\r",
        b"BDAT 7 LAST\r\nRSET\r\nx",
        b"BDAT 0 LAST\r\n",
        b"RSET\r\n",
        b"NOOP\n",
        b"AUTH LOGIN\r\n",
        b"dXNlcg==\r\n",
        b"*\r\n",
        b"text\r\n",
        b"..text\r\n",
        b"bare\ntext\r\n",
        b"x" * 50 + b"\r\n",
        b"x" * 70 + b"\r\n",
        b"\r\n.\r\n",
        b".\r\n",
        b".\n",
        b"\r",
        b"\n",
    ]
)
OPENING = b"EHLO a\r\nMAIL FROM:<a@b>\r\nRCPT TO:<a@b>\r\n"
DIALOGUES = st.tuples(st.sampled_from([b"", OPENING, OPENING + b"DATA\r\n"]), st.lists(COMMANDS, max_size=20)).map(
    lambda parts: parts[0] + b"".join(parts[1])
)
CUTS = st.lists(st.integers(0, 400), max_size=20)
NOISE = st.one_of(
    DIALOGUES, st.binary(max_size=300), st.text('MAILFROTCDSEHBQU:<>@. \r\n\0"\\[]=;', max_size=200).map(str.encode)
)


def split_at(data: bytes, cuts: list[int]) -> list[bytes]:
    return [data[a:b] for a, b in pairwise([0, *sorted(min(cut, len(data)) for cut in cuts), len(data)]) if a < b]


def without_faulty_content(events: list[Any]) -> list[Any]:
    """How much of a refused message had gone on before its fault showed hangs on the cuts, and on nothing else does."""
    kept: list[Any] = []
    for event in events:
        if isinstance(event, MessageEnd) and event.fault and kept and isinstance(kept[-1], ContentChunk):
            kept.pop()
        kept.append(event)
    if kept and isinstance(kept[-1], ContentChunk):
        kept.pop()
    return kept


@given(data=DIALOGUES, cuts=CUTS)
@settings(max_examples=150)
def test_any_cut_gives_the_same_replies_and_events(new_talk: Callable[..., Any], data: bytes, cuts: list[int]):
    whole = new_talk(EXTENSIONS, LIMITS).greeted()
    cut = new_talk(EXTENSIONS, LIMITS).greeted()
    assert whole.say(data) == cut.say(*split_at(data, cuts))
    assert without_faulty_content(whole.events) == without_faulty_content(cut.events)
    assert whole.engine.should_close == cut.engine.should_close


@given(pieces=st.lists(NOISE, max_size=8), bare_lf=st.sampled_from(["refuse", "repair"]))
@settings(max_examples=150)
def test_nothing_raises_grows_or_leaks(new_talk: Callable[..., Any], pieces: list[bytes], bare_lf: str):
    talk = new_talk(EXTENSIONS, LIMITS, bare_lf=bare_lf).greeted()
    said = ""
    for piece in pieces:
        said += talk.say(piece)
        assert talk.engine.buffered <= LIMITS.auth_line
    assert all(line[:3].isdigit() and line[3:4] in "- " for line in said.split("\r\n")[:-1])
    rest = talk.content.replace(b"\r\n", b"").removesuffix(b"\r")
    assert b"\n" not in rest
    assert b"\r" not in rest
