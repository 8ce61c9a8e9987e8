"""The start page itself, and its numbers as they change."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from posthouse.admin import Administration, Period
from posthouse.analysis import explain_reply
from posthouse.mail import Reply
from posthouse.settings import Settings
from posthouse.spool.overview import MOST_LOOKED_AT
from posthouse.web.access import TheDesk
from posthouse.web.pages.forms import query_form
from posthouse.web.pages.home.charts import HEIGHT, WIDTH, charts
from posthouse.web.pages.home.concerns import said
from posthouse.web.pages.live import streamed
from posthouse.web.pages.rendering import render, rendered, texts_of
from posthouse.web.pages.visitor import Acting, Visiting

router = APIRouter()

_EVERY = 10.0
_PERIODS = {"hour": Period.HOUR, "day": Period.DAY, "week": Period.WEEK}


@router.get("/")
def home(request: Request, admin: Acting, _: Visiting, desk: TheDesk) -> Response:
    return render(request, "home.html", **_values(request, admin, desk.settings))


@router.get("/home/events")
def events(request: Request, admin: Acting, _: Visiting, desk: TheDesk) -> Response:
    async def fragments() -> AsyncGenerator[str, None]:
        while True:
            await asyncio.sleep(_EVERY)
            yield await run_in_threadpool(_fragment, request, admin, desk.settings)

    return streamed(request, fragments())


def _fragment(request: Request, admin: Administration, settings: Settings) -> str:
    return rendered(request, "home/now.html", **_values(request, admin, settings))


def _values(request: Request, admin: Administration, settings: Settings) -> dict[str, Any]:
    text = texts_of(request)
    chosen = query_form(request).text("period")
    period = _PERIODS.get(chosen, Period.HOUR)
    condition = admin.attention.condition(settings)
    recently = admin.traffic.recently()
    return {
        "condition": condition,
        "concerns": [said(concern, text) for concern in condition.concerns],
        "waited": time.time() - condition.queue.oldest if condition.queue.oldest else None,
        "listeners": settings.listener,
        "period": next(name for name, each in _PERIODS.items() if each is period),
        "charts": charts(admin.traffic.over(period), period, text),
        "plot": (WIDTH, HEIGHT),
        "recently": recently,
        "looked_at": MOST_LOOKED_AT,
        "troubles": [(trouble, explain_reply(trouble.reply)) for trouble in recently.troubles],
        "refusals": [(status, count, explain_reply(_refusal(status))) for status, count in admin.traffic.refusals()],
    }


def _refusal(status: str) -> Reply:
    """What a refusal of ours begins with."""
    is_status = status[:1] in ("4", "5")
    return Reply({"4": 450, "5": 550}.get(status[:1], 550), status if is_status else "", "")
