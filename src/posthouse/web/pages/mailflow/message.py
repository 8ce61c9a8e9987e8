"""One message in the trace: why it was taken, how it went on to each recipient, and what each reply means."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from posthouse.analysis import Explanation, explain, explain_reply
from posthouse.mail import Content, received_time
from posthouse.mail.headers import split
from posthouse.spool import EventKind, State, TraceEntry
from posthouse.web.access import desk_of
from posthouse.web.pages.forms import query_form
from posthouse.web.pages.mailflow.states import KINDS, awaited_limit, event_names, state_names
from posthouse.web.pages.rendering import render, texts_of
from posthouse.web.pages.texts import Texts
from posthouse.web.pages.visitor import Acting, Visiting

router = APIRouter()

_MOST_SHOWN = 256 << 10
"""Bytes of a content that its page shows."""
_MOST_STEPS = 200


@dataclass(frozen=True, slots=True)
class Step:
    """Something that happened. `said` is what a server answered, or another text as it is; `meaning` is new with it."""

    at: float
    title: str
    kind: str = "quiet"
    said: str = ""
    meaning: Explanation | None = None


@router.get("/trace/{message_id}")
def show_message(request: Request, admin: Acting, _: Visiting, message_id: str) -> Response:
    entries = admin.mail.traced(message_id)
    text, place = texts_of(request), query_form(request).text("recipient")
    entry = next((each for each in entries if str(each.recipient) == place), entries[0])
    return render(
        request,
        "trace/message.html",
        entry=entry,
        entries=entries,
        steps=list(islice(_steps(entry, text), _MOST_STEPS)),
        taken_in=max(0.0, entry.received_at - received_time(message_id)),
        hostname=desk_of(request).settings.hostname,
        names=state_names(text),
        kinds=KINDS,
        awaited_limit=awaited_limit,
        in_queue=any(not each.state.is_final for each in entries),
    )


@router.get("/trace/{message_id}/content")
def show_content(request: Request, admin: Acting, _: Visiting, message_id: str) -> Response:
    """As text, whatever it is. That it was read is on record."""
    content = admin.mail.content(message_id)
    shown = _beginning(content)
    end = split(shown)
    return render(
        request,
        "trace/content.html",
        message_id=message_id,
        header=shown[:end].decode("utf-8", "replace"),
        body=shown[end:].decode("utf-8", "replace"),
        size=content.size,
        is_whole=content.size <= len(shown),
    )


@router.get("/trace/{message_id}/message.eml")
def download(admin: Acting, _: Visiting, message_id: str) -> Response:
    content = admin.mail.content(message_id)
    headers = {"Content-Disposition": f'attachment; filename="{message_id}.eml"'}
    return StreamingResponse(content.chunks(), media_type="message/rfc822", headers=headers)


def _beginning(content: Content) -> bytes:
    held = bytearray()
    for chunk in content.chunks():
        held += chunk
        if len(held) >= _MOST_SHOWN:
            break
    return bytes(held[:_MOST_SHOWN])


def _steps(entry: TraceEntry, text: Texts) -> Iterator[Step]:
    """In order of time. A meaning is told once."""
    yield Step(entry.received_at, text("Accepted"), "good")
    names = event_names(text)
    told: set[str] = set()
    for event in entry.events:
        meaning = None
        if event.kind is EventKind.DEFERRED:
            meaning = _untold(next(iter(explain(event.detail)), None), told)
        yield Step(event.at, names[event.kind], _kind_of(event.kind), event.detail, meaning)
    if entry.at is not None and entry.state in (State.DELIVERED, State.FAILED):
        reply = entry.reply
        meaning = explain_reply(reply) if reply and not reply.is_positive else None
        yield Step(
            entry.at, state_names(text)[entry.state], KINDS[entry.state], str(reply or ""), _untold(meaning, told)
        )


def _untold(meaning: Explanation | None, told: set[str]) -> Explanation | None:
    if meaning is None or meaning.title in told:
        return None
    told.add(meaning.title)
    return meaning


def _kind_of(event: EventKind) -> str:
    match event:
        case EventKind.DEFERRED | EventKind.WAITS:
            return "warn"
        case EventKind.HELD | EventKind.RELEASED | EventKind.RETRIED:
            return "info"
        case _:
            return "quiet"
