"""Mail flow > Doctor: walks the way out of this relay, step by step, while one looks."""

from __future__ import annotations

from collections import Counter
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import aclosing
from http import HTTPStatus
from itertools import groupby
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from posthouse.admin import Administration
from posthouse.probe.doctor import Step, examine
from posthouse.web.access import TheDesk
from posthouse.web.api.tools import EXAMINE, DoctorOptions, allowed_examination
from posthouse.web.pages.forms import Errors, Form, query_form
from posthouse.web.pages.live import Run, live_of, streamed
from posthouse.web.pages.rendering import redirect, render, rendered, texts_of
from posthouse.web.pages.tools.fields import errors_of_fields, given
from posthouse.web.pages.visitor import Acting, Visiting, Visitor

router = APIRouter()

_KIND = "doctor"
_FIELDS = ("from", "internal", "external", "ip")


@router.get("/doctor")
def doctor(request: Request, admin: Acting, visitor: Visiting) -> Response:
    """What is asked for may stand in the address; else it is what was asked for last."""
    run = live_of(request).run_of(visitor, _KIND)
    typed = {**(run.fields if run else {}), **_typed(query_form(request))}
    return _page(request, admin, visitor, typed, {})


@router.post("/doctor")
async def start(request: Request, admin: Acting, visitor: Visiting, desk: TheDesk) -> Response:
    typed = _typed(visitor.form)
    try:
        wanted = DoctorOptions.model_validate(given(typed))
    except ValidationError as error:
        errors = errors_of_fields(error, texts_of(request))
        return await run_in_threadpool(_page, request, admin, visitor, typed, errors, 422)
    options = await run_in_threadpool(allowed_examination, admin, wanted)

    async def walk(run: Run[Step]) -> None:
        async with desk.tools, aclosing(examine(desk.config, options)) as steps:
            async for step in steps:
                run.add(step)

    live_of(request).start(visitor, _KIND, typed, walk)
    return redirect("/doctor#walk")


@router.post("/doctor/cancel")
async def cancel(request: Request, visitor: Visiting) -> Response:
    if (run := live_of(request).run_of(visitor, _KIND)) is not None:
        run.cancel()
    return redirect("/doctor#walk")


@router.get("/doctor/events")
def events(request: Request, admin: Acting, visitor: Visiting) -> Response:
    admin.ledger.check(EXAMINE)
    return streamed(request, _fragments(request, live_of(request).run_of(visitor, _KIND)))


async def _fragments(request: Request, run: Run[Step] | None) -> AsyncGenerator[str, None]:
    if run is not None:
        async with aclosing(run.changes()) as changes:
            async for _ in changes:
                yield await run_in_threadpool(rendered, request, "tools/walk.html", **_walk(run))


def _page(
    request: Request,
    admin: Administration,
    visitor: Visitor,
    typed: Mapping[str, Any],
    errors: Errors,
    status: int = HTTPStatus.OK,
) -> Response:
    admin.ledger.check(EXAMINE)
    outbound = [connector for connector in admin.organization().outbound if connector.enabled]
    run = live_of(request).run_of(visitor, _KIND)
    return render(
        request,
        "tools/doctor.html",
        status,
        typed=typed,
        errors=errors,
        connectors=[connector.name for connector in outbound],
        **_walk(run),
    )


def _walk(run: Run[Step] | None) -> dict[str, Any]:
    """What the template of the walk shows."""
    steps: Sequence[Step] = tuple(run.items) if run else ()
    subjects = [(subject, list(some)) for subject, some in groupby(steps, lambda step: (step.area, step.subject))]
    return {"run": run, "subjects": subjects, "counts": Counter(step.status.value for step in steps)}


def _typed(form: Form) -> dict[str, Any]:
    typed: dict[str, Any] = {name: form.text(name) for name in _FIELDS if name in form}
    if "connectors" in form:
        typed["connectors"] = list(form.several("connectors"))
    if "send" in form:
        typed["send"] = form.flag("send")
    return typed
