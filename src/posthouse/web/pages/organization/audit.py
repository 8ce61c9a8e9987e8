"""Organization > Audit log: who did what, or was refused it."""

from __future__ import annotations

import csv
import io
import json
import time
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from http import HTTPStatus

from fastapi import APIRouter, Request
from fastapi.responses import Response, StreamingResponse

from posthouse.admin import AdminError, Face
from posthouse.admin.shown import timestamp
from posthouse.settings import parse_duration
from posthouse.spool import AuditFilter, AuditOutcome, AuditRecord
from posthouse.web.pages.forms import Errors, Form, query_form, with_query
from posthouse.web.pages.rendering import render, texts_of
from posthouse.web.pages.texts import Texts
from posthouse.web.pages.visitor import Acting, Visiting

router = APIRouter()

PERIODS = ("1h", "1d", "7d", "30d", "")
_A_PAGE = 50
_FIELDS = ("period", "since", "until", "who", "act", "object", "outcome", "face")
_COLUMNS = ("at", "who", "face", "origin", "act", "object", "outcome", "reason", "changes")
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@router.get("/audit")
def search(request: Request, admin: Acting, _: Visiting) -> Response:
    form = query_form(request)
    asked = {name: form.text(name) for name in _FIELDS}
    wanted, errors = _wanted(form, texts_of(request))
    page = admin.audit.page(wanted, _A_PAGE, form.text("cursor") or None)
    return render(
        request,
        "organization/audit.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        errors=errors,
        records=[] if errors else page.records,
        form=form,
        is_narrowed=any(asked.values()),
        older=with_query("/audit", **asked, cursor=page.cursor) if page.cursor else None,
        newest=with_query("/audit", **asked) if "cursor" in form else None,
        as_csv=with_query("/audit.csv", **asked),
        periods=[(period, with_query("/audit", **asked | {"period": period})) for period in PERIODS],
        outcomes=list(AuditOutcome),
        faces=list(Face),
    )


@router.get("/audit.csv")
def export(request: Request, admin: Acting, _: Visiting) -> Response:
    """All that the search finds, as it is read."""
    wanted, errors = _wanted(query_form(request), texts_of(request))
    if errors:
        raise AdminError(*(f"{name}: {text}" for name, texts in errors.items() for text in texts))
    headers = {"Content-Disposition": 'attachment; filename="audit.csv"'}
    return StreamingResponse(_lines(admin.audit.find(wanted)), media_type="text/csv; charset=utf-8", headers=headers)


@router.get("/audit/{identity}")
def show_record(request: Request, admin: Acting, _: Visiting, identity: int) -> Response:
    return render(request, "organization/record.html", record=admin.audit.record(identity))


def _wanted(form: Form, text: Texts) -> tuple[AuditFilter, Errors]:
    errors: dict[str, list[str]] = {}
    times: dict[str, float | None] = {}
    for name in ("since", "until"):
        try:
            times[name] = _time(form.text(name))
        except ValueError:
            times[name] = None
            errors[name] = [text("This is no time; write one like 2026-11-25T08:00.")]
    period = form.text("period")
    if times["since"] is None and period in PERIODS and period:
        times["since"] = time.time() - parse_duration(period)
    outcome, face = form.text("outcome"), form.text("face")
    return AuditFilter(
        times["since"],
        times["until"],
        form.text("who"),
        form.text("act"),
        form.text("object"),
        AuditOutcome(outcome) if outcome in list(AuditOutcome) else None,
        face if face in list(Face) else "",
    ), errors


def _time(written: str) -> float | None:
    """UTC, unless it says another zone."""
    if not written:
        return None
    at = datetime.fromisoformat(written)
    return (at if at.tzinfo else at.replace(tzinfo=UTC)).timestamp()


def _lines(records: Iterable[AuditRecord]) -> Iterator[str]:
    yield _line(_COLUMNS)
    for record in records:
        changes = [{"key": each.key, "before": each.before, "after": each.after} for each in record.changes]
        yield _line(
            (
                timestamp(record.at) or "",
                record.who,
                record.face,
                record.origin,
                record.act,
                record.object,
                record.outcome.value,
                record.reason,
                json.dumps(changes, ensure_ascii=False, default=str) if changes else "",
            )
        )


def _line(cells: Iterable[str]) -> str:
    """RFC 4180. What a spreadsheet would take for a formula begins with an apostrophe."""
    buffer = io.StringIO()
    csv.writer(buffer).writerow(f"'{cell}" if cell.startswith(_FORMULA) else cell for cell in cells)
    return buffer.getvalue()
