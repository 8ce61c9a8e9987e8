"""Mail flow > Credentials: what signs in to the next hops. Secrets are written here, and never shown."""

from __future__ import annotations

import asyncio
import base64
import threading
from collections.abc import AsyncGenerator, Callable, Mapping
from contextlib import aclosing
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from posthouse.admin import Act, Acts, AdminError, Administration, Items, NotFound, Permission
from posthouse.admin.roles import change_of
from posthouse.organization import Organization
from posthouse.organization.connectors import Credential, CredentialKind
from posthouse.probe.doctor import Options, Step, examine_credential
from posthouse.web.access import TheDesk
from posthouse.web.conditions import Condition, tag_of
from posthouse.web.pages import shown
from posthouse.web.pages.forms import NOWHERE, Errors, Form, errors_of, query_form
from posthouse.web.pages.live import Run, live_of, streamed
from posthouse.web.pages.rendering import redirect, render, rendered, texts_of
from posthouse.web.pages.texts import Texts
from posthouse.web.pages.visitor import Acting, Visiting
from posthouse.web.problems import Refusal
from posthouse.web.uploads import uploads

if TYPE_CHECKING:
    from posthouse.net.oauth_user import DeviceCode

router = APIRouter()

TEST = Act("Test-Credential", Permission.CHANGE_ORGANIZATION)
_NEW, _SET = change_of("New", "Credential"), change_of("Set", "Credential")
_TEXTS = ("user", "tenant", "client_id", "authority")
_LIMITS = ("messages_per_minute", "recipients_per_day", "connections")
_TEST_SECONDS = 20.0


@router.get("/credentials")
def list_credentials(request: Request, admin: Acting, _: Visiting) -> Response:
    organization = admin.organization()
    rows = [(each, _path(each.name), _users(organization, each.name)) for each in organization.credentials]
    return render(request, "credentials/list.html", rows=rows, kinds=_kinds(texts_of(request)))


@router.get("/credentials/new")
def choose_kind(request: Request, admin: Acting, _: Visiting) -> Response:
    admin.ledger.check(_NEW)
    return render(request, "credentials/choose.html", kinds=_kinds(texts_of(request)))


@router.get("/credentials/new/{kind}")
def new_credential(request: Request, admin: Acting, _: Visiting, kind: CredentialKind) -> Response:
    admin.ledger.check(_NEW)
    return _form_page(request, kind, query_form(request), {})


@router.post("/credentials/new/{kind}")
def make_credential(request: Request, admin: Acting, visitor: Visiting, kind: CredentialKind) -> Response:
    admin.ledger.check(_NEW)
    form = visitor.form
    name = form.text("name")
    try:
        with uploads() as files:
            Items(admin, "credential", files.folder).new(name, files.item(_values(kind, form)))
    except AdminError as error:
        return _form_page(request, kind, form, errors_of(error))
    return redirect(_path(name), texts_of(request)("{name} is saved, and in force.", name=name))


@router.get("/credentials/by-name/{name:path}/edit")
def edit_credential(request: Request, admin: Acting, _: Visiting, name: str) -> Response:
    admin.ledger.check(_SET, name)
    item = _stored(admin, name)
    return _form_page(request, CredentialKind(item["kind"]), Form(list(_fields(item).items())), {}, item)


@router.post("/credentials/by-name/{name:path}/edit")
def change_credential(request: Request, admin: Acting, visitor: Visiting, name: str) -> Response:
    admin.ledger.check(_SET, name)
    form, item = visitor.form, _stored(admin, name)
    kind = CredentialKind(item["kind"])

    def approve(document: Mapping[str, Any]) -> None:
        Condition(form.text("seen")).check(_in(document, name))

    try:
        with uploads() as files:
            Items(admin, "credential", files.folder, approve).set(name, files.item(_values(kind, form)))
    except AdminError as error:
        return _form_page(request, kind, form, errors_of(error), item)
    return redirect(_path(name), texts_of(request)("{name} is saved, and in force.", name=name))


@router.post("/credentials/by-name/{name:path}/remove")
def remove(request: Request, admin: Acting, _: Visiting, name: str) -> Response:
    Items(admin, "credential", NOWHERE).remove(name)
    return redirect("/credentials", texts_of(request)("{name} is removed.", name=name))


@router.post("/credentials/by-name/{name:path}/sign-in")
async def sign_in(request: Request, admin: Acting, visitor: Visiting, name: str) -> Response:
    """By a device code, which the page shows until somebody has entered it, or nobody has in time."""
    await run_in_threadpool(admin.ledger.check, Acts.LOGIN_CREDENTIAL, name)

    async def work(run: Run[Any]) -> None:
        loop, given_up = asyncio.get_running_loop(), threading.Event()

        def show(code: DeviceCode) -> None:
            loop.call_soon_threadsafe(run.add, code)

        try:
            run.result = await asyncio.to_thread(admin.credentials.login, name, show, _pause(given_up))
        except AdminError as error:
            run.error = str(error)
        finally:
            given_up.set()

    live_of(request).start(visitor, _kind_of("sign-in", name), {}, work)
    return redirect(f"{_path(name)}#sign-in")


@router.post("/credentials/by-name/{name:path}/test")
async def examine(request: Request, admin: Acting, visitor: Visiting, desk: TheDesk, name: str) -> Response:
    await run_in_threadpool(admin.ledger.check, TEST, name)

    async def work(run: Run[Step]) -> None:
        async with desk.tools, aclosing(examine_credential(name, desk.config, Options(timeout=_TEST_SECONDS))) as steps:
            async for step in steps:
                run.add(step)

    live_of(request).start(visitor, _kind_of("test", name), {}, work)
    return redirect(f"{_path(name)}#test")


@router.post("/credentials/by-name/{name:path}/cancel")
async def cancel(request: Request, visitor: Visiting, name: str) -> Response:
    for what in ("sign-in", "test"):
        if (run := live_of(request).run_of(visitor, _kind_of(what, name))) is not None:
            run.cancel()
    return redirect(_path(name))


@router.get("/credentials/by-name/{name:path}/events/{what}")
def events(request: Request, admin: Acting, visitor: Visiting, name: str, what: str) -> Response:
    admin.ledger.check(Acts.GET_ORGANIZATION)
    if what not in ("sign-in", "test"):
        raise Refusal(HTTPStatus.NOT_FOUND, "there is nothing to watch by this name")
    return streamed(request, _fragments(request, live_of(request).run_of(visitor, _kind_of(what, name)), what, name))


@router.get("/credentials/by-name/{name:path}")
def show_credential(request: Request, admin: Acting, visitor: Visiting, name: str) -> Response:
    organization = admin.organization()
    found = _found(organization, name)
    live = live_of(request)
    return render(
        request,
        "credentials/credential.html",
        credential=found,
        kinds=_kinds(texts_of(request)),
        users=_users(organization, found.name),
        path_of=_path(found.name),
        signing_in=live.run_of(visitor, _kind_of("sign-in", found.name)),
        testing=live.run_of(visitor, _kind_of("test", found.name)),
    )


async def _fragments(request: Request, run: Run[Any] | None, what: str, name: str) -> AsyncGenerator[str, None]:
    template = "credentials/sign_in.html" if what == "sign-in" else "credentials/test.html"
    if run is not None:
        async with aclosing(run.changes()) as changes:
            async for _ in changes:
                yield await run_in_threadpool(rendered, request, template, run=run, path_of=_path(name))


def _form_page(
    request: Request, kind: CredentialKind, form: Form, errors: Errors, item: Mapping[str, Any] | None = None
) -> Response:
    return render(
        request,
        "credentials/form.html",
        HTTPStatus.UNPROCESSABLE_ENTITY if errors else HTTPStatus.OK,
        kind=kind.value,
        kinds=_kinds(texts_of(request)),
        form=form,
        errors=errors,
        name=item["name"] if item else None,
        path_of=_path(item["name"]) if item else "/credentials",
        certificate=item.get("certificate") if item else None,
    )


def _fields(item: Mapping[str, Any]) -> dict[str, str]:
    fields = {key: str(item.get(key, "")) for key in _TEXTS}
    fields |= {key: str(item.get("throttle", {}).get(key, "")) for key in _LIMITS}
    return {**fields, "by": "certificate" if item.get("certificate") else "secret", "seen": tag_of(item)}


def _values(kind: CredentialKind, form: Form) -> dict[str, Any]:
    """For `Items`: None is the default. A secret or certificate that isn't given is kept."""
    values: dict[str, Any] = {"kind": kind.value, **{key: form.text(key) or None for key in _TEXTS}}
    limits = {key: int(text) if (text := form.text(key)).isdecimal() else text or None for key in _LIMITS}
    if any(limits.values()) or "seen" in form:
        values["throttle"] = limits
    if form.text("by") != "certificate":
        values["certificate"] = None
        if secret := form.secret("secret"):
            values["secret"] = secret
    elif pfx := form.file("pfx"):
        values["certificate"] = {"pfx": base64.b64encode(pfx).decode(), "password": form.secret("pfx_password")}
    return values


def _pause(given_up: threading.Event) -> Callable[[float], object]:
    def pause(seconds: float) -> None:
        if given_up.wait(seconds):
            raise AdminError("given up; nothing has changed")

    return pause


def _stored(admin: Administration, name: str) -> dict[str, Any]:
    """As a file has it; the references to secrets that come with it say which it has."""
    return _in(admin.read()[1], name)


def _in(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    for item in document.get("credential", ()):
        if item["name"].casefold() == name.casefold():
            return item
    raise NotFound(f'there is no credential "{name}"')


def _found(organization: Organization, name: str) -> Credential:
    for credential in organization.credentials:
        if credential.name.casefold() == name.casefold():
            return credential
    raise NotFound(f'there is no credential "{name}"')


def _users(organization: Organization, name: str) -> list[str]:
    """The connectors that it signs in for."""
    return [each.name for each in organization.outbound if name in each.credential]


def _kinds(text: Texts) -> dict[str, str]:
    return {
        CredentialKind.CLIENT_CREDENTIALS: text("An application in Entra ID"),
        CredentialKind.DEVICE_CODE: text("A user of Entra ID, by device code"),
        CredentialKind.MANAGED_IDENTITY: text("A managed identity in Azure"),
        CredentialKind.BASIC: text("User and password"),
    }


def _kind_of(what: str, name: str) -> str:
    return f"credential {what} {name.casefold()}"


def _path(name: str) -> str:
    return f"/credentials/by-name/{shown.segment(name)}"
