"""The queue and the message trace."""

from __future__ import annotations

from collections.abc import Callable
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import AwareDatetime, BaseModel, Field

from posthouse.admin import QueueAct
from posthouse.admin.shown import shown_entry
from posthouse.analysis import explain_reply
from posthouse.spool import QueueFilter, State, TraceEntry, TraceFilter, TracePage
from posthouse.web.access import Acting
from posthouse.web.conditions import answer
from posthouse.web.paging import Limit, Pattern
from posthouse.web.problems import Refusal
from posthouse.web.shapes import Given

router = APIRouter()

MessageId = Annotated[
    str, Path(max_length=64, pattern=r"^[A-Za-z0-9-]+$", description="Ours, as in the reply to DATA.")
]
Place = Annotated[
    str | None,
    Query(
        pattern=r"^[A-Za-z0-9-]{1,64}\.[0-9]{1,9}$",
        description="`next` of the page before; without it the first page.",
    ),
]
Since = Annotated[AwareDatetime | None, Query(description="Received at that time or later (ISO 8601 with its zone).")]
Until = Annotated[AwareDatetime | None, Query(description="Received at that time or before.")]
_ADDRESS = r"^[^\x00-\x1f\x7f]+$"


class Event(BaseModel):
    at: str
    event: str
    detail: str


class Entry(BaseModel):
    """What happened to one recipient of a message. Times are ISO 8601 in UTC."""

    id: str = Field(description="The message's, which every reply, log line and DSN carries.")
    received: str
    origin: str = Field(description="`smtp`, or `dsn` for one of our own notifications.")
    sender: str = Field(description="The reverse-path; `<>` is the null one.")
    recipient: str
    subject: str
    message_id: str = Field(description="The Message-ID header's.")
    size: int
    client: str
    helo: str
    protocol: str
    tls: str
    certificate: str
    login: str
    connector: str | None = Field(description="The inbound connector that it was attributed to.")
    reasons: list[str] = Field(description="Why that one, and why it was taken.")
    status: Literal["waiting", "held", "delivered", "failed", "dropped"]
    attempts: int
    due: str | None = Field(description="When it is tried next.")
    reply: str | None = Field(description="The last answer.")
    remote: str
    at: str | None = Field(description="When that was.")
    outbound_connector: str
    destination: str
    events: list[Event]


class QueuedEntry(Entry):
    explanation: dict[str, Any] | None = Field(description="What the last reply means, where it was a refusal.")


class Entries(BaseModel):
    value: list[Entry]
    next: str | None = Field(description="The cursor of the next page; null if this is the last one.")


class EntriesOfMessage(BaseModel):
    value: list[Entry]


class QueuedMessage(BaseModel):
    value: list[QueuedEntry]


class Chosen(Given):
    """Which mail of the queue: `all` of it, or what has all that is given besides."""

    ids: list[Annotated[str, Field(max_length=64, pattern=r"^[A-Za-z0-9-]+$")]] = Field([], max_length=1000)
    sender: Annotated[str, Field(max_length=320, pattern=_ADDRESS)] | None = Field(
        None, alias="from", description="With `*` as wildcard at either end."
    )
    recipient: Annotated[str, Field(max_length=320, pattern=_ADDRESS)] | None = Field(None, alias="to")
    every: bool = Field(False, alias="all")


class QueueChanged(BaseModel):
    changed: int = Field(description="Recipients.")
    in_delivery: int = Field(description="Recipients that were left alone, because they are being delivered now.")


@router.get("/queue", tags=["Queue"], summary="List what waits or is held, oldest first", response_model=Entries)
def list_queue(
    request: Request,
    admin: Acting,
    sender: Annotated[Pattern, Query(alias="from")] = "",
    recipient: Annotated[Pattern, Query(alias="to")] = "",
    status: Annotated[Literal["waiting", "held"] | None, Query()] = None,
    limit: Limit = 100,
    cursor: Place = None,
) -> Response:
    wanted = QueueFilter(sender=sender, recipient=recipient, state=State(status) if status else None)
    return answer(request, _page(admin.mail.queue_page(wanted, limit, cursor)))


@router.get(
    "/queue/{message_id}", tags=["Queue"], summary="Show all about a queued message", response_model=QueuedMessage
)
def show_queued(request: Request, admin: Acting, message_id: MessageId) -> Response:
    """With what the last reply means."""
    entries = admin.mail.queued(message_id)
    return answer(request, {"value": [{**shown_entry(entry), "explanation": _explained(entry)} for entry in entries]})


@router.get(
    "/queue/{message_id}/content",
    tags=["Queue"],
    summary="Read a queued message",
    response_class=Response,
    responses={200: {"content": {"message/rfc822": {"schema": {"type": "string", "format": "binary"}}}}},
)
def read_queued(admin: Acting, message_id: MessageId) -> Response:
    """Others' mail: that it was read is on record."""
    content = admin.mail.content(message_id)
    disposition = f'attachment; filename="{message_id}.eml"'
    return StreamingResponse(
        content.chunks(), media_type="message/rfc822", headers={"Content-Disposition": disposition}
    )


def _act(act: QueueAct, summary: str) -> Callable[..., Response]:
    @router.post(f"/queue/{act}", name=f"{act}_mail", tags=["Queue"], summary=summary, response_model=QueueChanged)
    def change(admin: Acting, body: Chosen) -> Response:
        chosen = QueueFilter(message_ids=tuple(body.ids), sender=body.sender or "", recipient=body.recipient or "")
        if not body.every and chosen == QueueFilter():
            raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, "name messages by ids, from or to; or set all to true")
        done = admin.mail.act(act, chosen)
        return JSONResponse({"changed": done.changed, "in_delivery": done.in_delivery})

    return change


_ACTS: dict[QueueAct, str] = {
    "retry": "Try deferred mail again now",
    "hold": "Keep mail back until it is released",
    "release": "Deliver mail that was held",
    "drop": "Delete mail, without telling its sender",
}
for _name, _summary in _ACTS.items():
    _act(_name, _summary)


@router.get("/trace", tags=["Trace"], summary="Search what happened to messages, newest first", response_model=Entries)
def list_trace(
    request: Request,
    admin: Acting,
    sender: Annotated[Pattern, Query(alias="from")] = "",
    recipient: Annotated[Pattern, Query(alias="to")] = "",
    since: Since = None,
    until: Until = None,
    status: Annotated[State | None, Query()] = None,
    message_id: Annotated[Pattern, Query(alias="id", description="Ours, or the Message-ID header's.")] = "",
    subject: Annotated[Pattern, Query(description="A part of it.")] = "",
    connector: Annotated[Pattern, Query(description="Inbound or outbound.")] = "",
    limit: Limit = 100,
    cursor: Place = None,
) -> Response:
    """A page may be short of its limit: the search goes on from `next` until that is null."""
    wanted = TraceFilter(
        sender=sender,
        recipient=recipient,
        since=since.timestamp() if since else None,
        until=until.timestamp() if until else None,
        state=status,
        message_id=message_id,
        subject=subject,
        connector=connector,
    )
    return answer(request, _page(admin.mail.trace_page(wanted, limit, cursor)))


@router.get(
    "/trace/{message_id}",
    tags=["Trace"],
    summary="Show what happened to a message, recipient by recipient",
    response_model=EntriesOfMessage,
)
def show_trace(request: Request, admin: Acting, message_id: MessageId) -> Response:
    return answer(request, {"value": [shown_entry(entry) for entry in admin.mail.traced(message_id)]})


def _page(page: TracePage) -> dict[str, Any]:
    return {"value": [shown_entry(entry) for entry in page.entries], "next": page.cursor}


def _explained(entry: TraceEntry) -> dict[str, Any] | None:
    return explain_reply(entry.reply).to_json() if entry.reply and not entry.reply.is_positive else None
