"""The tools: test mail, header analysis, explanations, doctor, health."""

from __future__ import annotations

import ipaddress
import json
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import asdict
from http import HTTPStatus
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Depends
from fastapi.responses import JSONResponse, Response, StreamingResponse
from pydantic import AfterValidator, BaseModel, Field
from starlette.concurrency import run_in_threadpool

from posthouse import __version__
from posthouse.admin import Act, Acts, Administration, Permission
from posthouse.analysis import analyze
from posthouse.analysis import explain as explained
from posthouse.mail import Notify, Ret
from posthouse.net.certificates import CertificateError, Identity, load_pfx
from posthouse.probe.doctor import Options, examine
from posthouse.probe.options import BODY
from posthouse.probe.send import Attachment, SendOptions, send_async
from posthouse.web.access import Acting, TheDesk, actor_of
from posthouse.web.problems import Refusal
from posthouse.web.shapes import Given, Secret, Text, plain
from posthouse.web.uploads import Content, decoded

router = APIRouter(tags=["Tools"])

EXAMINE = Act("Test-OutboundConnector", Permission.VIEW_ORGANIZATION)
_Address = Annotated[str, Field(max_length=320, pattern=r"^[^\x00-\x1f\x7f]*$")]


def _checked_ip(text: str) -> str:
    return text and str(ipaddress.ip_address(text))


class TestAttachment(Given):
    name: Annotated[str, Field(min_length=1, max_length=255, pattern=r"^[^\x00-\x1f\x7f]*$")]
    content: str = Field(description="In Base64.")


class TestMail(Given):
    """As `posthouse send` has it: to a `server`, or to the MX of the domain `mx`."""

    sender: _Address = Field(alias="from", description="The reverse-path; empty is the null one.")
    to: list[_Address] = Field(min_length=1, max_length=100)
    server: Annotated[str, Field(max_length=253)] = Field("", examples=["127.0.0.1"])
    mx: Annotated[str, Field(max_length=253)] = ""
    port: Annotated[int, Field(ge=1, le=65535)] = 25
    subject: Text = ""
    body: str | None = Field(None, description="Else a line that says it is a test.")
    html: str = ""
    attachments: list[TestAttachment] = Field([], max_length=20)
    raw: str | None = Field(None, description="A whole message to send as it is, in Base64.")
    tls: Literal["none", "starttls", "implicit"] | None = Field(
        None, description="Else starttls with a certificate or a user, none without."
    )
    tls_profile: Literal["modern", "intermediate", "legacy"] = "intermediate"
    pfx: str | None = Field(None, description="A client certificate in Base64.", max_length=100_000)
    pfx_password: Secret | None = None
    user: Text = ""
    password: Secret | None = Field(None, description="The user's, or the token for XOAUTH2.")
    auth: Literal["LOGIN", "PLAIN", "XOAUTH2"] | None = None
    notify: list[Literal["never", "success", "failure", "delay"]] = Field([], max_length=3)
    ret: Literal["FULL", "HDRS"] | None = None
    envid: Annotated[str, Field(max_length=100)] | None = None
    helo: Annotated[str, Field(max_length=255)] = ""
    timeout: Annotated[int, Field(ge=1, le=60)] = 30


class Sent(BaseModel):
    """What came of it, with all that was said."""

    accepted: bool
    replies: list[dict[str, Any]]
    dialogue: list[dict[str, Any]]
    error: str | None = Field(description="Why not everybody was accepted.")
    message_id: str
    server: str
    tls: str
    server_certificate: dict[str, Any] | None
    client_certificate_requested: bool
    client_certificate_sent: bool
    client_certificate: str
    client_certificate_authorities: list[str]
    explanations: list[dict[str, Any]]


class TextGiven(Given):
    text: Annotated[str, Field(min_length=1)] = Field(
        examples=["550 5.7.64 TenantAttribution; Relay Access Denied"],
        description="A reply, or all that shows it: a line of a log, a bounce.",
    )


class Explanations(BaseModel):
    value: list[dict[str, Any]]


class Analysis(BaseModel):
    """As `posthouse headers --json`: the way that a message went, hops oldest first."""

    summary: dict[str, Any]
    hops: list[dict[str, Any]]
    authentication: dict[str, Any]
    findings: list[dict[str, Any]]


class DoctorOptions(Given):
    """What to look at; nothing is the way of every enabled outbound connector."""

    connectors: list[Text] = Field([], max_length=100)
    sender: _Address = Field("", alias="from")
    internal: _Address = ""
    external: _Address = ""
    ip: Annotated[str, AfterValidator(_checked_ip)] = Field(
        "", description="The address that others see you come from.", examples=["192.0.2.1"]
    )
    selectors: list[Annotated[str, Field(max_length=63, pattern=r"^[\w-]+$")]] = Field([], max_length=20)
    send: bool = Field(False, description="Send a real test mail to the recipients.")
    timeout: Annotated[int, Field(ge=1, le=60)] = 20


class Step(BaseModel):
    """One line of the answer."""

    area: str
    subject: str
    status: Literal["ok", "warning", "failed", "skipped"]
    text: str
    remedy: str
    explanation: dict[str, Any] | None


class HealthReport(BaseModel):
    version: str
    revision: int = Field(description="Of the organization in the store.")
    queue: dict[str, int] = Field(description="Recipients that wait and that are held.")
    workers: list[dict[str, Any]] = Field(description="Of all nodes that share the store.")


@router.post("/send", summary="Send a test mail", response_model=Sent)
async def send(admin: Acting, desk: TheDesk, body: TestMail) -> Response:
    """The answer is 200 also where the server refuses: `accepted` and `error` tell."""
    options = await run_in_threadpool(allowed_mail, admin, body)
    async with desk.tools:
        result = await send_async(options)
    return JSONResponse(plain(result.to_json()))


@router.post(
    "/headers",
    summary="Analyze a message's header",
    response_model=Analysis,
    dependencies=[Depends(actor_of)],
    openapi_extra={
        "requestBody": {
            "required": True,
            "content": {kind: {"schema": {"type": "string"}} for kind in ("text/plain", "message/rfc822")},
        }
    },
)
def analyze_headers(content: Content) -> Response:
    """The body is the message, or its header, as it is."""
    return JSONResponse(plain(analyze(content).to_json()))


@router.post(
    "/explain",
    summary="Say what a reply means",
    response_model=Explanations,
    dependencies=[Depends(actor_of)],
)
def explain(body: TextGiven) -> Response:
    """Nothing, where there is no reply of a mail server in it."""
    return JSONResponse({"value": [explanation.to_json() for explanation in explained(body.text)]})


@router.post(
    "/doctor",
    summary="Check the way to each outbound connector",
    response_class=StreamingResponse,
    responses={200: {"model": Step, "content": {"application/x-ndjson": {}}}},
)
async def doctor(admin: Acting, desk: TheDesk, body: DoctorOptions) -> StreamingResponse:
    """A line of JSON for each step, as it ends. No mail is sent, unless `send` says so."""
    options = await run_in_threadpool(allowed_examination, admin, body)

    async def lines() -> AsyncIterator[str]:
        async with desk.tools, aclosing(examine(desk.config, options)) as steps:
            async for step in steps:
                yield json.dumps(asdict(step), ensure_ascii=False, default=str) + "\n"

    return StreamingResponse(lines(), media_type="application/x-ndjson")


@router.get("/health", summary="Show how the relay is", response_model=HealthReport)
def health(admin: Acting) -> Response:
    return JSONResponse({"version": __version__, **admin.health.report()})


def allowed_examination(admin: Administration, wanted: DoctorOptions) -> Options:
    """For who may look; that mail is sent is on record."""
    admin.ledger.check(EXAMINE)
    if wanted.send:
        _record(admin, ", ".join(wanted.connectors) or "all outbound connectors")
    return Options(
        connectors=tuple(wanted.connectors),
        sender=wanted.sender,
        internal=wanted.internal,
        external=wanted.external,
        public_ip=wanted.ip,
        selectors=tuple(wanted.selectors),
        send=wanted.send,
        timeout=wanted.timeout,
    )


def allowed_mail(admin: Administration, mail: TestMail) -> SendOptions:
    """In this order: a certificate is opened only for who may send."""
    admin.ledger.check(Acts.SEND_TEST)
    options = _options(mail)
    _record(admin, options.target)
    return options


def _record(admin: Administration, target: str) -> None:
    with admin.ledger.attempt(Acts.SEND_TEST, target) as record:
        admin.ledger.write(record())


def _options(mail: TestMail) -> SendOptions:
    identity = _identity(mail)
    try:
        return SendOptions(
            sender=mail.sender,
            recipients=tuple(mail.to),
            server=mail.server,
            mx=mail.mx,
            port=mail.port,
            subject=mail.subject,
            body=BODY if mail.body is None else mail.body,
            html=mail.html,
            attachments=tuple(Attachment(one.name, decoded(one.content, "attachments")) for one in mail.attachments),
            raw=None if mail.raw is None else decoded(mail.raw, "raw"),
            tls=mail.tls or ("starttls" if identity or mail.user else "none"),
            tls_profile=mail.tls_profile,
            identity=identity,
            user=mail.user,
            password=mail.password or "",
            mechanism=mail.auth or "",
            notify=Notify.parse(",".join(mail.notify)),
            ret=Ret[mail.ret] if mail.ret else None,
            envid=mail.envid or None,
            helo=mail.helo,
            timeout=mail.timeout,
        )
    except ValueError as error:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None


def _identity(mail: TestMail) -> Identity | None:
    if mail.pfx is None:
        return None
    try:
        return load_pfx(decoded(mail.pfx, "pfx"), mail.pfx_password, source="pfx")
    except CertificateError as error:
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, str(error)) from None
