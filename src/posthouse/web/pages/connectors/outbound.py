"""The wizard of outbound connectors, and one of them to look at."""

from __future__ import annotations

import asyncio
import dataclasses
from collections.abc import AsyncGenerator, Container, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import dataclass
from functools import cached_property, partial
from ipaddress import ip_address
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import Response
from starlette.concurrency import run_in_threadpool

from posthouse.admin import Acts, AdminError, Administration
from posthouse.admin.certificates import stored_identities
from posthouse.admin.rehearsal import Rehearsal, rehearse, walk
from posthouse.admin.tenant.endpoint import tenant_endpoint
from posthouse.net.certificates import CertificateError, Identity, load_pem, load_pfx
from posthouse.net.dns import Resolver
from posthouse.organization import Organization, OutboundConnector, TransportKind
from posthouse.organization.connectors import CredentialKind
from posthouse.organization.fields import Invalid, mail_address
from posthouse.probe.doctor import Options, Status
from posthouse.probe.doctor import Step as Walked
from posthouse.settings import Settings
from posthouse.web.access import TheDesk
from posthouse.web.api.tools import EXAMINE
from posthouse.web.pages.connectors.certificates import Drawer, shown_certificate
from posthouse.web.pages.connectors.outbound_draft import UPLOAD, OutboundDraft
from posthouse.web.pages.connectors.tenant_side import tenant_side
from posthouse.web.pages.connectors.ways import shown_way, shown_ways
from posthouse.web.pages.connectors.wizard import NAME, SCOPE, Step, Wizard
from posthouse.web.pages.forms import NOWHERE, Errors, Form, errors_of, query_form
from posthouse.web.pages.live import Run, live_of, streamed
from posthouse.web.pages.rendering import redirect, rendered
from posthouse.web.pages.texts import Texts
from posthouse.web.pages.visitor import Acting, Visiting, Visitor
from posthouse.web.uploads import uploads

router = APIRouter()

USE = Step("use", "When to use", "connectors/outbound/use.html", ("use", "recipient_domains"))
ROUTING = Step(
    "routing",
    "Routing",
    "connectors/outbound/routing.html",
    ("tenant_domain", "smart_hosts", "port", "source_address", "mailboxes"),
)
SECURITY = Step(
    "security",
    "Security",
    "connectors/outbound/security.html",
    ("tls_settings", "tls_domain", "certificate", "client_certificate"),
    posts=True,
)
SIGN_IN = Step("sign-in", "Sign-in to the next hop", "connectors/outbound/sign_in.html", ("credential",))
LIMITS = Step(
    "limits",
    "Limits and senders",
    "connectors/outbound/limits.html",
    ("messages_per_minute", "recipients_per_day", "connections", "throttle", "rewrite_from"),
)
VALIDATION = Step(
    "validation", "Validation", "connectors/outbound/validation.html", ("recipient", "public_ip"), posts=True
)
SUMMARY = Step("summary", "Summary", "connectors/outbound/summary.html", posts=True)
_RUN = "validation"


@router.get("/connectors/validation/events")
def events(request: Request, admin: Acting, visitor: Visiting) -> Response:
    admin.ledger.check(EXAMINE)
    return streamed(request, _fragments(request, live_of(request).run_of(visitor, _RUN)))


@router.get("/connectors/new/outbound/{step}")
def new_step(request: Request, admin: Acting, visitor: Visiting, step: str) -> Response:
    return OutboundWizard(request, admin, visitor).step(step, query_form(request))


@router.post("/connectors/new/outbound/{step}")
async def new_step_posted(request: Request, admin: Acting, visitor: Visiting, desk: TheDesk, step: str) -> Response:
    return await _posted(request, admin, visitor, desk, step)


@router.get("/connectors/outbound/{name:path}/edit/{step}")
def edit_step(request: Request, admin: Acting, visitor: Visiting, name: str, step: str) -> Response:
    return OutboundWizard(request, admin, visitor, name).step(step, query_form(request))


@router.post("/connectors/outbound/{name:path}/edit/{step}")
async def edit_step_posted(
    request: Request, admin: Acting, visitor: Visiting, desk: TheDesk, name: str, step: str
) -> Response:
    return await _posted(request, admin, visitor, desk, step, name)


async def _posted(
    request: Request, admin: Administration, visitor: Visitor, desk: TheDesk, step: str, name: str = ""
) -> Response:
    """What is to be tried goes on in the background, while its page shows how far it has come."""
    wizard = await run_in_threadpool(OutboundWizard, request, admin, visitor, name)
    answer = await run_in_threadpool(wizard.posted, step, visitor.form)
    if isinstance(answer, Response):
        return answer

    async def tried(run: Run[Walked]) -> None:
        async with desk.tools, aclosing(walk(answer.rehearsal, answer.way, desk.settings, answer.options)) as steps:
            async for each in steps:
                run.add(each)
        decisive = run.items[-1:] if answer.options.send else run.items
        run.result = all(each.status is not Status.FAILED for each in decisive)

    live_of(request).start(visitor, _RUN, dict(answer.draft.fields()), tried)
    return redirect(answer.address)


async def _fragments(request: Request, run: Run[Walked] | None) -> AsyncGenerator[str, None]:
    if run is not None:
        async with aclosing(run.changes()) as changes:
            async for _ in changes:
                yield await run_in_threadpool(rendered, request, "connectors/outbound/walk.html", run=run)


@dataclass(frozen=True, slots=True)
class Trial:
    """What is to be tried. Its page is at `address`."""

    draft: OutboundDraft
    rehearsal: Rehearsal
    way: OutboundConnector
    options: Options
    address: str


class OutboundWizard(Wizard[OutboundDraft]):
    direction = "outbound"
    steps = (SCOPE, NAME, USE, ROUTING, SECURITY, SIGN_IN, LIMITS, VALIDATION, SUMMARY)

    def __init__(self, request: Request, admin: Administration, visitor: Visitor, name: str = "") -> None:
        super().__init__(request, admin, OutboundDraft, name)
        self._visitor = visitor
        self._drawer: Drawer = request.app.state.drawer

    def steps_of(self, draft: OutboundDraft) -> Sequence[Step]:
        match draft.transport:
            case TransportKind.GRAPH:
                unneeded = {ROUTING, SECURITY}
            case TransportKind.MAILBOX:
                unneeded = {SECURITY, SIGN_IN, LIMITS}
            case _:
                unneeded = set[Step]() if draft.may_sign_in else {SIGN_IN}
        return [step for step in self.steps if step not in unneeded]

    def pressed(self, step: Step, draft: OutboundDraft, form: Form) -> Response:
        go = form.text("go")
        if step is SCOPE and go == "next":
            draft = draft.with_way()
        if step is ROUTING and (go == "find" or (go == "next" and draft.tenant_domain and not draft.smart_hosts)):
            return self._found(draft)
        return super().pressed(step, draft, form)

    def posted(self, key: str, form: Form) -> Response | Trial:
        draft = self._start.filled_in(form)
        step = self.found(key, draft)
        go = form.text("go")
        match step.key, go:
            case SECURITY.key, "read" | "next" if draft.certificate == UPLOAD:
                return self._read(draft, form)
            case VALIDATION.key, "try":
                return self._trial(draft, send=form.flag("send"))
            case VALIDATION.key, "cancel":
                if (run := live_of(self._request).run_of(self._visitor, _RUN)) is not None:
                    run.cancel()
                return redirect(self.address(VALIDATION, draft))
            case SUMMARY.key, _:
                return self._save(draft)
            case _:
                return self.pressed(step, draft, form)

    def errors(self, draft: OutboundDraft, step: Step) -> Errors:
        errors = dict(super().errors(draft, step))
        for line in errors.pop("throttle", ()):
            limit, _, said = line.partition(": ")
            errors[limit] = [said]
        is_asked = draft.is_smtp and step in (SECURITY, SUMMARY)
        if is_asked and draft.certificate not in ("", UPLOAD, *self._identities):
            errors["certificate"] = [self._text("This certificate is not there any more; upload it again.")]
        return errors

    def script(self, draft: OutboundDraft) -> str:
        return draft.script

    def also(self, step: Step, draft: OutboundDraft) -> dict[str, Any]:
        organization = self._admin.organization()
        more = outbound_facts(draft, organization, self._identities, self._text, self._desk.settings, self._stored)
        match step.key:
            case SCOPE.key:
                more |= {"out": draft, **shown_ways(self._text)}
            case ROUTING.key:
                more["example"] = draft.preset.needs.get("smart_hosts", "") if draft.preset else "relay.contoso.com"
            case SECURITY.key:
                more["certificates"] = list(self._identities.values())
            case SIGN_IN.key:
                more |= {"credentials": organization.credentials, "kinds": _kinds(self._text)}
            case VALIDATION.key:
                run = live_of(self._request).run_of(self._visitor, _RUN)
                more["run"] = run if run is not None and run.fields == dict(draft.fields()) else None
            case _:
                pass
        return more

    @cached_property
    def _stored(self) -> dict[str, Identity]:
        return stored_identities(self._desk.store, self._admin.organization())

    @property
    def _identities(self) -> dict[str, Identity]:
        """Those to choose from."""
        return {**self._drawer.of(self._visitor), **self._stored}

    def _found(self, draft: OutboundDraft) -> Response:
        """The tenant's host, by a domain of it."""
        if not draft.tenant_domain:
            return self.page(ROUTING, draft, {"tenant_domain": [self._text("Fill this in.")]})
        resolver = Resolver(self._desk.settings.delivery.nameservers)
        try:
            host = asyncio.run(tenant_endpoint(draft.tenant_domain, resolver))
        except AdminError as error:
            return self.page(ROUTING, draft, {"tenant_domain": error.lines})
        return redirect(self.address(ROUTING, dataclasses.replace(draft, smart_hosts=(host,))))

    def _read(self, draft: OutboundDraft, form: Form) -> Response:
        """The certificate in a file; its page shows it then."""
        content = form.file("pfx")
        if not content:
            return self.page(SECURITY, draft, {"pfx": [self._text("Choose a file.")]})
        password = form.secret("pfx_password")
        load = partial(load_pem, content, None) if b"-----BEGIN " in content else partial(load_pfx, content)
        try:
            identity = load(password, source="the file")
        except CertificateError as error:
            return self.page(SECURITY, draft, {"pfx": [str(error)]})
        self._drawer.put(self._visitor, identity)
        return redirect(self.address(SECURITY, dataclasses.replace(draft, certificate=identity.thumbprint)))

    def _save(self, draft: OutboundDraft) -> Response:
        if errors := self.errors(draft, SUMMARY):
            return self.page(SUMMARY, draft, errors)
        with self._values(draft) as (values, folder):
            response = self.saved(draft, values, folder)
        if response.headers.get("location"):
            self._drawer.discard(self._visitor, draft.certificate)
        return response

    @contextmanager
    def _values(self, draft: OutboundDraft) -> Iterator[tuple[dict[str, Any], Path]]:
        """With what was uploaded in a file, from where an organization reads one."""
        identity = None if draft.certificate in self._stored else self._identities.get(draft.certificate)
        if identity is None:
            yield draft.values(draft.certificate_reference), NOWHERE
            return
        with uploads() as room:
            (room.folder / "certificate.pfx").write_bytes(identity.to_pfx())
            yield draft.values({"pfx": "certificate.pfx"}), room.folder

    def _trial(self, draft: OutboundDraft, *, send: bool) -> Response | Trial:
        self._admin.ledger.check(EXAMINE)
        errors = dict(self.errors(draft, SUMMARY)) or self._errors_of_trial(draft)
        if errors:
            return self.page(VALIDATION, draft, errors)
        recipient = mail_address(draft.recipient)
        try:
            with self._values(draft) as (values, folder):
                rehearsal = rehearse(self._desk.store, lambda document: self.edited(document, draft, values), folder)
            way = rehearsal.connector(draft.name, recipient)
        except AdminError as error:
            return self.page(VALIDATION, draft, errors_of(error))
        if send:
            with self._admin.ledger.attempt(Acts.SEND_TEST, f"{draft.name}: {recipient}") as record:
                self._admin.ledger.write(record())
        options = Options(internal=recipient, public_ip=draft.public_ip, send=send)
        return Trial(draft, rehearsal, way, options, self.address(VALIDATION, draft) + "#walk")

    def _errors_of_trial(self, draft: OutboundDraft) -> Errors:
        errors: dict[str, list[str]] = {}
        try:
            mail_address(draft.recipient)
        except Invalid as error:
            errors["recipient"] = [str(error) if draft.recipient else self._text("Fill this in.")]
        if draft.public_ip:
            try:
                ip_address(draft.public_ip)
            except ValueError:
                errors["public_ip"] = [self._text("Write an IP address.")]
        return errors


def outbound_facts(
    draft: OutboundDraft,
    organization: Organization,
    identities: Mapping[str, Identity],
    text: Texts,
    settings: Settings,
    stored: Container[str] | None = None,
) -> dict[str, Any]:
    """What the summary and the connector's page show besides the draft. `stored`: all are, without."""
    identity = identities.get(draft.certificate) if draft.is_smtp else None
    is_stored = stored is None or draft.certificate in stored
    return {
        "way": shown_way(draft.way, text),
        "certificate": identity and shown_certificate(identity, organization, is_stored=is_stored),
        "tenant": tenant_side(draft, organization, identity, settings.hostname),
    }


def _kinds(text: Texts) -> Mapping[str, str]:
    return {
        CredentialKind.BASIC: text("User and password"),
        CredentialKind.CLIENT_CREDENTIALS: text("An application in Entra ID"),
        CredentialKind.DEVICE_CODE: text("A user of Entra ID, by device code"),
        CredentialKind.MANAGED_IDENTITY: text("A managed identity in Azure"),
    }
