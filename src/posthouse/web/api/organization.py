"""The organization's own settings, and the settings in force."""

from __future__ import annotations

from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, Field

from posthouse.admin import Acts, cmdlet_spelling, settings_in_force
from posthouse.web.access import Acting, TheDesk
from posthouse.web.api.items import Change, told
from posthouse.web.conditions import IfMatch, answer, tag_of
from posthouse.web.shapes import Count, Given, Text, plain
from posthouse.web.uploads import NOWHERE

router = APIRouter(tags=["Organization"])

_Pem = Annotated[str, Field(max_length=500_000, pattern=r"^\s*-----BEGIN CERTIFICATE-----")]
_Duration = Annotated[str, Field(max_length=32, examples=["4h"])]
_Size = Annotated[str, Field(max_length=32, examples=["150 MiB"])]


class GivenDelivery(Given):
    """When deferred mail is tried again, warned about and given up; null is the node's own value."""

    retry_after: list[_Duration] | None = Field(None, alias="RetryAfter")
    warn_after: _Duration | None = Field(None, alias="WarnAfter")
    give_up_after: _Duration | None = Field(None, alias="GiveUpAfter")


class GivenLimits(Given):
    """What one client or message may use; null is the node's own value, 0 no limit."""

    message_size: _Size | Count | None = Field(None, alias="MessageSize")
    recipients: Count | None = Field(None, alias="Recipients")
    sessions: Count | None = Field(None, alias="Sessions")
    sessions_per_client: Count | None = Field(None, alias="SessionsPerClient")
    min_free: _Size | Count | None = Field(None, alias="MinFree")
    trace_keep: _Duration | None = Field(None, alias="TraceKeep")


class GivenSettings(Given):
    """What is not given stays; null is the default."""

    reject_direct_send: bool | None = Field(
        None, alias="RejectDirectSend", description="Refuse mail of your own domains that matches no connector."
    )
    postmaster_address: Text | None = Field(
        None, alias="PostmasterAddress", description="Where `<postmaster>` goes.", examples=["admin@contoso.com"]
    )
    trusted_roots: list[_Pem] | None = Field(
        None, alias="TrustedRoots", description="CAs that client certificates may come from, besides the public ones."
    )
    delivery: GivenDelivery | None = Field(None, alias="Delivery")
    limits: GivenLimits | None = Field(None, alias="Limits")


class ShownSettings(BaseModel):
    """The organization's own settings. What it says nothing of in Delivery and Limits is the node's own."""

    RejectDirectSend: bool
    PostmasterAddress: str
    TrustedRoots: list[str]
    Delivery: dict[str, Any]
    Limits: dict[str, Any]


class ChangedSettings(BaseModel):
    value: ShownSettings
    changes: list[Change]
    notices: list[str]


class SettingInForce(BaseModel):
    key: str
    value: Any
    origin: str = Field(description="A variable, a file, `organization` or `default`.")


class SettingsInForce(BaseModel):
    value: list[SettingInForce]


@router.get("/organization", summary="Show the organization's settings", response_model=ShownSettings)
def show_organization(request: Request, admin: Acting) -> Response:
    return answer(request, _settings(admin.read()[1]))


@router.patch("/organization", summary="Change the organization's settings", response_model=ChangedSettings)
def change_organization(admin: Acting, condition: IfMatch, body: GivenSettings) -> Response:
    def edit(document: dict[str, Any]) -> dict[str, Any]:
        condition.check(_settings(document))
        return _merged(document, body.values_given())

    applied = admin.change(edit, NOWHERE, act=Acts.SET_ORGANIZATION)
    now = _settings(admin.read()[1])
    return JSONResponse({"value": now, **told(applied)}, headers={"ETag": tag_of(now)})


@router.get("/settings", summary="Show the settings in force", response_model=SettingsInForce)
def show_settings(request: Request, admin: Acting, desk: TheDesk) -> Response:
    admin.ledger.check(Acts.GET_ORGANIZATION)
    return answer(request, plain({"value": [asdict(setting) for setting in settings_in_force(desk.config)]}))


def _settings(document: dict[str, Any]) -> dict[str, Any]:
    """Of a document as it is written, in the cmdlet's spelling."""
    shown = {
        "reject_direct_send": document.get("reject_direct_send", False),
        "postmaster_address": document.get("postmaster_address", ""),
        "trusted_roots": document.get("trusted_roots", []),
        "delivery": _spelled(document.get("delivery", {})),
        "limits": _spelled(document.get("limits", {})),
    }
    return _spelled(shown)


def _merged(document: dict[str, Any], values: dict[str, Any]) -> dict[str, Any]:
    """RFC 7396: null takes a key away, a table is merged key by key."""
    merged = dict(document)
    for key, value in values.items():
        merged[key] = _merged(merged.get(key, {}), value) if isinstance(value, dict) else value
    return {key: value for key, value in merged.items() if value is not None}


def _spelled(values: dict[str, Any]) -> dict[str, Any]:
    return {cmdlet_spelling(key): value for key, value in values.items()}
