"""Message trace: the search, a page of it at a time, and the same as a file for spreadsheets."""

from __future__ import annotations

import csv
import io
import time
from collections.abc import Iterable, Iterator
from http import HTTPStatus
from itertools import islice
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from posthouse.admin import AdminError, Administration, Permission
from posthouse.admin.shown import shown_entry
from posthouse.mail import received_time
from posthouse.spool import TraceEntry, TracePage
from posthouse.web.pages.forms import query_form
from posthouse.web.pages.mailflow.states import KINDS, awaited_limit, state_names
from posthouse.web.pages.mailflow.wanted import Wanted
from posthouse.web.pages.rendering import render, texts_of
from posthouse.web.pages.visitor import Acting, Visiting, Visitor

router = APIRouter()

_PAGE = 50
MOST_EXPORTED = 100_000
"""Rows of a file; the last line of one that would be longer says so."""
_CHUNK = 64 << 10
_COLUMNS = (
    "received",
    "status",
    "sender",
    "recipient",
    "subject",
    "message_id",
    "id",
    "size",
    "client",
    "helo",
    "login",
    "protocol",
    "tls",
    "certificate",
    "connector",
    "outbound_connector",
    "destination",
    "remote",
    "attempts",
    "at",
    "reply",
)


@router.get("/trace")
def search(request: Request, admin: Acting, visitor: Visiting) -> Response:
    form, text = query_form(request), texts_of(request)
    wanted, cursor = Wanted.of(form), form.text("cursor")
    errors = wanted.errors(text)
    page = TracePage((), None) if errors else admin.mail.trace_page(wanted.filter(time.time()), _PAGE, cursor or None)
    return render(
        request,
        "trace/search.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        wanted=wanted,
        errors=errors,
        entries=page.entries,
        next_page=wanted.address(cursor=page.cursor) if page.cursor else "",
        looked_back_to=_looked_back_to(page),
        is_first=not cursor,
        names=state_names(text),
        kinds=KINDS,
        awaited_limit=awaited_limit,
        connectors=_connectors(admin, visitor),
        most_exported=MOST_EXPORTED,
    )


@router.get("/trace.csv")
def export(request: Request, admin: Acting, _: Visiting) -> Response:
    text = texts_of(request)
    wanted = Wanted.of(query_form(request))
    if errors := wanted.errors(text):
        raise AdminError(*(line for lines in errors.values() for line in lines))
    entries = admin.mail.trace(wanted.filter(time.time()))
    stopped = text("There is more than these {count} rows: ask for a shorter time.", count=MOST_EXPORTED)
    headers = {"Content-Disposition": 'attachment; filename="message-trace.csv"'}
    return StreamingResponse(_chunks(_lines(entries, stopped)), media_type="text/csv", headers=headers)


def _looked_back_to(page: TracePage) -> float | None:
    """Where a search gave up for now, short of a whole page."""
    if page.cursor is None or len(page.entries) == _PAGE:
        return None
    return received_time(page.cursor.partition(".")[0])


def _connectors(admin: Administration, visitor: Visitor) -> list[str]:
    """To choose from; whoever may not see them has to know their names."""
    if not visitor.may(Permission.VIEW_ORGANIZATION):
        return []
    organization = admin.organization()
    return sorted({connector.name for connector in (*organization.inbound, *organization.outbound)})


def _lines(entries: Iterator[TraceEntry], stopped: str) -> Iterator[Iterable[Any]]:
    yield _COLUMNS
    for entry in islice(entries, MOST_EXPORTED):
        shown = shown_entry(entry)
        yield [_cell(shown[column]) for column in _COLUMNS]
    if next(entries, None) is not None:
        yield [stopped]


def _chunks(lines: Iterable[Iterable[Any]]) -> Iterator[str]:
    """With the mark by which Excel knows UTF-8."""
    held = io.StringIO()
    held.write("\N{ZERO WIDTH NO-BREAK SPACE}")
    writer = csv.writer(held)
    for line in lines:
        writer.writerow(line)
        if held.tell() > _CHUNK:
            yield held.getvalue()
            held.seek(0)
            held.truncate()
    yield held.getvalue()


def _cell(value: Any) -> Any:
    """Spreadsheets take what begins so for a formula (https://owasp.org/www-community/attacks/CSV_Injection)."""
    is_formula = isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r"))
    return f"'{value}" if is_formula else value
