"""The application: all resources of `/api/v1`, Exchange Online's wire, `/healthz`, and the pages."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from http import HTTPStatus
from pathlib import Path
from typing import Any

import anyio.to_thread
from fastapi import FastAPI, Request
from fastapi.responses import JSONResponse, Response
from pydantic.json_schema import models_json_schema

from posthouse import __version__
from posthouse.admin import Authentication, Role
from posthouse.settings import Settings
from posthouse.spool import Organizations, SpoolError, Store
from posthouse.web import invoke, problems
from posthouse.web.access import Acting, Desk, TheDesk, check_known, desk_of
from posthouse.web.api import items, mail, organization, people, session, tenant, tools, whole
from posthouse.web.guard import Guard
from posthouse.web.pages.mounted import add_pages

API = "/api/v1"
_THREADS = 8
"""Acts at once; each may wait for the store, or for workers to have a change in force."""
_DESCRIPTION = """
What `posthouse` commands do, over HTTP. Sign in with an API token (`posthouse token new NAME --role ROLE`), sent as
`Authorization: Bearer ph_...`.

Errors are problem details (RFC 9457). What can be changed has an `ETag`; send it back as `If-Match` with each change.
Collections come in pages: give `next` back as `cursor`. A change is in force when its answer comes.
"""
_PROBLEMS = {
    "400": "The request is no HTTP or JSON.",
    "401": "Nobody is signed in.",
    "403": "Your roles don't allow it.",
    "404": "It isn't there.",
    "409": "It is there already.",
    "412": "It is no longer what you have seen.",
    "413": "The request is too large.",
    "421": "The Host header names another host.",
    "422": "Something in the request is wrong; `errors` names the fields.",
    "428": "If-Match is missing.",
    "429": "Too many failed sign-ins; wait as long as Retry-After says.",
    "503": "The store is not available.",
}


def create_app(settings: Settings, store: Store, config: Path | None = None) -> FastAPI:
    """On this store. `config` is the file that the settings are from."""
    app = _Application(
        title="Posthouse",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=_lifespan,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    granted = {value: Role(role) for value, role in settings.admin.oidc_roles.items()}
    app.state.desk = Desk(settings, config, store, Authentication(store, granted))
    app.add_middleware(Guard, names=(settings.hostname, *settings.admin.names), check_known=check_known)
    problems.add_handlers(app)
    routers = (
        *items.ROUTERS,
        *(module.router for module in (organization, whole, mail, people, session, tenant, tools)),
    )
    for router in routers:
        app.include_router(router, prefix=API)
    app.include_router(invoke.router)
    app.add_api_route("/metrics", _metrics, include_in_schema=False)
    app.add_api_route("/healthz", _healthz, include_in_schema=False)
    add_pages(app)
    return app


class _Application(FastAPI):
    def openapi(self) -> dict[str, Any]:
        """With the problem details that any request may be answered by."""
        if self.openapi_schema is None:
            self.openapi_schema = _with_problems(super().openapi())
        return self.openapi_schema


@asynccontextmanager
async def _lifespan(_: FastAPI) -> AsyncIterator[None]:
    anyio.to_thread.current_default_thread_limiter().total_tokens = _THREADS
    yield


def _healthz(request: Request) -> Response:
    """For a load balancer: whether the store can be read, and no more."""
    try:
        Organizations(desk_of(request).store).revision()
    except SpoolError:
        return JSONResponse({"status": "unavailable"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse({"status": "ok"})


def _metrics(admin: Acting, desk: TheDesk) -> Response:
    from posthouse.web import metrics  # where nobody asks, it isn't loaded

    return Response(metrics.exposition(admin, desk.settings), media_type=metrics.CONTENT_TYPE)


def _with_problems(schema: dict[str, Any]) -> dict[str, Any]:
    _, definitions = models_json_schema(
        [(problems.Problem, "serialization")], ref_template="#/components/schemas/{model}"
    )
    components = schema.setdefault("components", {}).setdefault("schemas", {})
    components.update(definitions["$defs"])
    for path in schema["paths"].values():
        for operation in path.values():
            responses = operation["responses"]
            responses.pop("422", None)  # FastAPI's own shape, which is never answered
            for status, text in _PROBLEMS.items():
                responses.setdefault(status, {"description": text}).setdefault("content", {})[problems.MEDIA_TYPE] = {
                    "schema": {"$ref": "#/components/schemas/Problem"}
                }
    components.pop("HTTPValidationError", None)
    components.pop("ValidationError", None)
    return schema
