"""Queue: what waits for what and why, and what an administrator does about it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, fields, replace
from http import HTTPStatus
from typing import Any
from urllib.parse import urlencode

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from posthouse.admin import AdminError, Administration, Forbidden, QueueAct
from posthouse.analysis import Explanation, explain_reply
from posthouse.spool import QueueChange, QueueFilter, QueueGroup, State
from posthouse.web.pages import shown
from posthouse.web.pages.forms import Form, query_form
from posthouse.web.pages.live import streamed
from posthouse.web.pages.mailflow.states import KINDS, awaited_limit, state_names
from posthouse.web.pages.rendering import redirect, render, rendered, texts_of
from posthouse.web.pages.texts import Texts
from posthouse.web.pages.visitor import Acting, Visiting

router = APIRouter()

_PAGE = 50
_EVERY = 3.0
_ACTS: Mapping[str, QueueAct] = {"retry": "retry", "hold": "hold", "release": "release", "drop": "drop"}
_IN_QUEUE = (State.WAITING, State.HELD)
UNTRIED = "-"
"""In an address: the group of what was never tried, which has neither connector nor destination."""


@dataclass(frozen=True, slots=True)
class Chosen:
    """What of the queue is meant, as it stands in an address."""

    sender: str = ""
    recipient: str = ""
    status: str = ""
    connector: str = ""
    destination: str = ""

    @classmethod
    def of(cls, form: Form) -> Chosen:
        return cls(**{field.name: form.text(_ADDRESSED.get(field.name, field.name)) for field in fields(cls)})

    @classmethod
    def group(cls, group: QueueGroup) -> Chosen:
        return cls(
            status=group.state.value,
            connector=group.connector or UNTRIED,
            destination=group.destination or UNTRIED,
        )

    def filter(self, message_ids: tuple[str, ...] = ()) -> QueueFilter:
        return QueueFilter(
            message_ids=message_ids,
            sender=self.sender,
            recipient=self.recipient,
            state=State(self.status) if self.status in _IN_QUEUE else None,
            connector=_group_key(self.connector),
            destination=_group_key(self.destination),
        )

    def pairs(self) -> list[tuple[str, str]]:
        values = ((_ADDRESSED.get(field.name, field.name), getattr(self, field.name)) for field in fields(self))
        return [(name, value) for name, value in values if value]

    def address(self, *, cursor: str = "", path: str = "/queue") -> str:
        pairs = [*self.pairs(), *([("cursor", cursor)] if cursor else [])]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    def without_group(self) -> Chosen:
        return replace(self, status="", connector="", destination="")


@dataclass(frozen=True, slots=True)
class Group:
    """A group as it is shown. `waits_for` is the limit that its mail waits for, `meaning` that of its last answer."""

    of: QueueGroup
    chosen: Chosen
    waits_for: str
    meaning: Explanation | None


_ADDRESSED = {"sender": "from", "recipient": "to"}


@router.get("/queue")
def show_queue(request: Request, admin: Acting, _: Visiting) -> Response:
    return _page(request, admin, query_form(request))


@router.get("/queue/events")
def events(request: Request, admin: Acting, _: Visiting) -> Response:
    """The groups, as they change."""

    async def fragments() -> AsyncGenerator[str, None]:
        while True:
            await asyncio.sleep(_EVERY)
            yield await run_in_threadpool(_fragment, request, admin)

    return streamed(request, fragments())


@router.post("/queue/act")
def act(request: Request, admin: Acting, visitor: Visiting) -> Response:
    form, text = visitor.form, texts_of(request)
    chosen, ids = Chosen.of(form), _ids(form)
    name = _ACTS.get(form.text("act"))
    if name is None or not (ids or form.flag("all")):
        return _page(request, admin, form, [text("Choose messages first, or all of them.")])
    try:
        change = admin.mail.act(name, chosen.filter(ids))
    except Forbidden:
        raise
    except AdminError as error:
        return _page(request, admin, form, error.lines)
    return redirect(shown.local_path(form.text("back", chosen.address())), _result(name, change, text))


def _page(request: Request, admin: Administration, form: Form, alerts: Sequence[str] = ()) -> Response:
    """`act` in the address asks before it does: in a dialogue, of what `ids` or `all` say."""
    chosen, cursor = Chosen.of(form), form.text("cursor")
    page = admin.mail.queue_page(chosen.filter(), _PAGE, cursor or None)
    ids = _ids(form)
    asked = _ACTS.get(form.text("act")) if not alerts else None
    if asked and not ids and not form.flag("all"):
        asked, alerts = None, [texts_of(request)("Choose messages first, or all of them.")]
    return render(
        request,
        "queue/queue.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if alerts else HTTPStatus.OK,
        alerts=alerts,
        chosen=chosen,
        entries=page.entries,
        next_page=chosen.address(cursor=page.cursor) if page.cursor else "",
        cursor=cursor,
        asked=asked,
        ids=ids,
        question=_question(asked, len(ids), texts_of(request)) if asked else ("", ""),
        **_groups(request, admin),
    )


def _ids(form: Form) -> tuple[str, ...]:
    """None where all are meant."""
    return () if form.flag("all") else form.several("ids")


def _fragment(request: Request, admin: Administration) -> str:
    return rendered(request, "queue/groups.html", chosen=Chosen.of(query_form(request)), **_groups(request, admin))


def _groups(request: Request, admin: Administration) -> dict[str, Any]:
    text = texts_of(request)
    found = admin.mail.queue_groups()
    return {
        "groups": [_group(group) for group in found.groups],
        "complete": found.complete,
        "names": state_names(text),
        "kinds": KINDS,
        "awaited_limit": awaited_limit,
    }


def _group(group: QueueGroup) -> Group:
    reply = group.reply
    waits_for = awaited_limit(reply)
    meaning = explain_reply(reply) if reply and not reply.is_positive and not waits_for else None
    return Group(group, Chosen.group(group), waits_for, meaning)


def _group_key(text: str) -> str | None:
    return None if not text else "" if text == UNTRIED else text


def _question(act: QueueAct, messages: int, text: Texts) -> tuple[str, str]:
    """A heading, and what would happen."""
    whose = text.count("{count} message", "{count} messages", messages) if messages else text("all that is listed")
    match act:
        case "retry":
            return text("Try {whose} again now?", whose=whose), text("What waits for its next try is due at once.")
        case "hold":
            return text("Hold {whose}?", whose=whose), text("It stays here until somebody releases it.")
        case "release":
            return text("Release {whose}?", whose=whose), text("It goes on as if it had just come.")
        case "drop":
            hint = text("It is deleted, and its sender is not told. Nothing brings it back.")
            return text("Drop {whose}?", whose=whose), hint


def _result(act: QueueAct, change: QueueChange, text: Texts) -> str:
    match act:
        case "retry":
            done = text.count(
                "{count} recipient is tried again.", "{count} recipients are tried again.", change.changed
            )
        case "hold":
            done = text.count("{count} recipient is held.", "{count} recipients are held.", change.changed)
        case "release":
            done = text.count("{count} recipient is released.", "{count} recipients are released.", change.changed)
        case "drop":
            done = text.count("{count} recipient is dropped.", "{count} recipients are dropped.", change.changed)
    if not change.in_delivery:
        return done
    left = text.count(
        "{count} is being delivered, and was left alone.",
        "{count} are being delivered, and were left alone.",
        change.in_delivery,
    )
    return f"{done} {left}"
