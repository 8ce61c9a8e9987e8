"""Mail flow > Test mail: one mail to one server, with all that is said on the way."""

from __future__ import annotations

import dataclasses
import ipaddress
from collections.abc import AsyncGenerator, Iterator, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from pydantic import ValidationError
from starlette.concurrency import run_in_threadpool

from posthouse.admin import Acts, Administration
from posthouse.probe.send import DialogueLine, send_async
from posthouse.settings import Settings
from posthouse.web.access import TheDesk, desk_of
from posthouse.web.api.tools import TestMail, allowed_mail
from posthouse.web.pages.forms import Errors, Form, query_form
from posthouse.web.pages.live import Run, live_of, streamed
from posthouse.web.pages.rendering import redirect, render, rendered, texts_of
from posthouse.web.pages.tools.fields import errors_of_fields, given
from posthouse.web.pages.visitor import Acting, Visiting, Visitor
from posthouse.web.problems import Refusal

router = APIRouter()

_KIND = "mail"
_TEXTS = ("from", "way", "listener", "server", "mx", "port", "tls", "tls_profile", "user", "auth", "subject", "body")
_LOOPBACK = {4: "127.0.0.1", 6: "::1"}
_SECRETS = ("password", "pfx", "pfx_password")


@router.get("/test-mail")
def compose(request: Request, admin: Acting, visitor: Visiting) -> Response:
    """What is to be sent may stand in the address; else it is what was sent last."""
    run = live_of(request).run_of(visitor, _KIND)
    return _page(request, admin, visitor, {**(run.fields if run else {}), **_typed(query_form(request))}, {})


@router.post("/test-mail")
async def send(request: Request, admin: Acting, visitor: Visiting, desk: TheDesk) -> Response:
    typed = _typed(visitor.form)
    secrets = {name: visitor.form.secret(name) for name in _SECRETS}
    try:
        mail = TestMail.model_validate(given({**_mail(typed, desk.settings), **secrets}))
        options = await run_in_threadpool(allowed_mail, admin, mail)
    except ValidationError as error:
        errors = errors_of_fields(error, texts_of(request))
        return await run_in_threadpool(_page, request, admin, visitor, typed, errors, 422)
    except Refusal as refusal:
        return await run_in_threadpool(_page, request, admin, visitor, typed, {"": [refusal.detail]}, 422)

    async def talk(run: Run[DialogueLine]) -> None:
        async with desk.tools:
            run.result = await send_async(dataclasses.replace(options, observe=run.add))

    live_of(request).start(visitor, _KIND, typed, talk)
    return redirect("/test-mail#dialogue")


@router.post("/test-mail/cancel")
async def cancel(request: Request, visitor: Visiting) -> Response:
    if (run := live_of(request).run_of(visitor, _KIND)) is not None:
        run.cancel()
    return redirect("/test-mail#dialogue")


@router.get("/test-mail/events")
def events(request: Request, admin: Acting, visitor: Visiting) -> Response:
    admin.ledger.check(Acts.SEND_TEST)
    return streamed(request, _fragments(request, live_of(request).run_of(visitor, _KIND)))


async def _fragments(request: Request, run: Run[DialogueLine] | None) -> AsyncGenerator[str, None]:
    if run is not None:
        async with aclosing(run.changes()) as changes:
            async for _ in changes:
                yield await run_in_threadpool(rendered, request, "tools/dialogue.html", run=run)


def _page(
    request: Request,
    admin: Administration,
    visitor: Visitor,
    typed: Mapping[str, Any],
    errors: Errors,
    status: int = HTTPStatus.OK,
) -> Response:
    admin.ledger.check(Acts.SEND_TEST)
    settings = desk_of(request).settings
    return render(
        request,
        "tools/test_mail.html",
        status,
        typed={"way": "relay", "port": "25", **typed},
        errors=errors,
        listeners=list(_listeners(settings)),
        run=live_of(request).run_of(visitor, _KIND),
    )


def _listeners(settings: Settings) -> Iterator[tuple[str, str]]:
    """Where each can be reached from here, and how it is written in the settings."""
    for listener in settings.listener:
        address = ipaddress.ip_address(listener.host)
        host = _LOOPBACK[address.version] if address.is_unspecified else listener.host
        yield f"{host} {listener.port}", f"{listener.address} ({listener.tls})"


def _mail(typed: Mapping[str, Any], settings: Settings) -> dict[str, Any]:
    """As the API takes it."""
    names = ("from", "to", "tls", "tls_profile", "user", "auth", "subject", "body", "notify")
    mail = {name: typed.get(name) for name in names}
    mail["from"] = typed.get("from", "") or None
    match typed.get("way"):
        case "relay":
            known = dict(_listeners(settings))
            host, _, port = typed.get("listener", "").rpartition(" ")
            if f"{host} {port}" not in known:
                host, _, port = next(iter(known), " ").rpartition(" ")
            mail |= {"server": host, "port": port}
        case "mx":
            mail |= {"mx": typed.get("mx"), "port": 25}
        case _:
            mail |= {"server": typed.get("server"), "port": typed.get("port")}
    if str(mail.get("port", "")).isdecimal():
        mail["port"] = int(str(mail["port"])[:6])
    return mail


def _typed(form: Form) -> dict[str, Any]:
    """What can be shown again, and stand in an address."""
    typed: dict[str, Any] = {name: form.text(name) for name in _TEXTS if name in form}
    for name in ("to", "notify"):
        if name in form:
            typed[name] = list(form.several(name))
    return typed
