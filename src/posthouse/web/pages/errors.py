"""Errors as pages: the same statuses and texts as the API's problem details, for whoever asked by a page's address."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.responses import RedirectResponse, Response

from posthouse.mail.text import one_line
from posthouse.web.pages import shown
from posthouse.web.pages.forms import with_query
from posthouse.web.pages.rendering import redirect, render, texts_of
from posthouse.web.pages.visitor import SignInFirst

_PROGRAMS = ("/api/", "/adminapi/", "/healthz", "/metrics")
HEADINGS = {
    HTTPStatus.FORBIDDEN: "You may not do that",
    HTTPStatus.NOT_FOUND: "There is nothing here",
    HTTPStatus.PRECONDITION_FAILED: "Somebody was faster",
    HTTPStatus.TOO_MANY_REQUESTS: "Wait a little",
    HTTPStatus.SERVICE_UNAVAILABLE: "The store is not available",
    HTTPStatus.INTERNAL_SERVER_ERROR: "That went wrong",
}
HEADING = "That did not work"

Handler = Callable[[Request, Any], Awaitable[Response]]


def add_handlers(app: FastAPI) -> None:
    """After those of the API."""
    for kind, handler in tuple(app.exception_handlers.items()):
        app.add_exception_handler(kind, _for_pages(handler))
    app.add_exception_handler(SignInFirst, _to_sign_in)


def _for_pages(handler: Any) -> Handler:
    async def handle(request: Request, error: Any) -> Response:
        response: Response = await handler(request, error)
        if request.url.path.startswith(_PROGRAMS):
            return response
        text = texts_of(request)
        status = HTTPStatus(response.status_code)
        detail = one_line(str(json.loads(bytes(response.body))["detail"]))
        details = [detail] if detail != status.phrase else []
        return render(request, "error.html", status, heading=text(HEADINGS.get(status, HEADING)), details=details)

    return handle


async def _to_sign_in(request: Request, _: Any) -> RedirectResponse:
    back = shown.here(request) if request.method == "GET" and request.url.path != "/" else ""
    return redirect(with_query("/sign-in", next=back))
