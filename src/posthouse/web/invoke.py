"""Exchange Online's own wire: `POST /adminapi/beta/{tenant}/InvokeCommand`, which Microsoft's module and others speak.

One cmdlet a request, its parameters by name. Microsoft doesn't document it; what its module and its users send and read
is what is answered here: objects in `value`, warnings in `@adminapi.warnings`, more of them at `@odata.nextLink`, an
error as OData has it (https://docs.oasis-open.org/odata/odata-json-format/v4.01, section 21), with the exception's name
and text in `details`, divided by `|`.

Connect-ExchangeOnline itself needs more than this: it loads its cmdlets from what `EXOModuleFile` gives, a file of
Microsoft's, signs in to Entra, and asks for CLIXML.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from http import HTTPStatus
from itertools import islice
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Header, Path, Query, Request
from fastapi.responses import JSONResponse, Response
from pydantic import BaseModel, ConfigDict, Field

from posthouse.admin import AdminError, Forbidden
from posthouse.cmdlets.binding import Given, bind, require
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.exchange import EXCHANGE
from posthouse.cmdlets.files import AllowedFiles
from posthouse.cmdlets.interface import Bound, Cmdlet, Services, Stream
from posthouse.cmdlets.limits import Budget, LimitReached
from posthouse.cmdlets.mail.message import MESSAGES
from posthouse.cmdlets.mail.message_trace import MESSAGE_TRACE
from posthouse.cmdlets.mail.message_trace_detail import MESSAGE_TRACE_DETAIL
from posthouse.cmdlets.mail.queue import QUEUES
from posthouse.cmdlets.operators import Operators
from posthouse.cmdlets.powershell.running import Preferences, Running, without_common
from posthouse.cmdlets.registry import Registry
from posthouse.cmdlets.values import Hashtable, PSObject, Value
from posthouse.web.access import Acting, TheDesk
from posthouse.web.shapes import plain

router = APIRouter(tags=["Exchange Online"])

REGISTRY = Registry(EXCHANGE + MESSAGE_TRACE + MESSAGE_TRACE_DETAIL + QUEUES + MESSAGES)
"""What administers: not what a script needs besides, nor what sends mail."""
_PAGE = 1000
_surrogate = re.compile("[\ud800-\udfff]").search
_page_size = re.compile(r"odata\.maxpagesize=([0-9]{1,6})", re.IGNORECASE).search
_DEEPEST = 20  # tables and lists in a parameter
_STATUS = {
    "CommandNotFoundException": HTTPStatus.NOT_FOUND,
    "ManagementObjectNotFoundException": HTTPStatus.NOT_FOUND,
    "CmdletAccessDeniedException": HTTPStatus.FORBIDDEN,
}


class CmdletInput(BaseModel):
    model_config = ConfigDict(extra="ignore")

    CmdletName: str = Field(max_length=100, examples=["New-InboundConnector"])
    Parameters: dict[str, Any] = Field({}, examples=[{"Name": "Scanners", "ConnectorType": "OnPremises"}])


class Invocation(BaseModel):
    model_config = ConfigDict(extra="ignore")

    CmdletInput: CmdletInput


class ODataError(BaseModel):
    """What went wrong, as OData has it."""

    model_config = ConfigDict(extra="allow")

    error: dict[str, Any]


class Results(BaseModel):
    model_config = ConfigDict(extra="allow")

    value: list[Any]


_REFUSALS: dict[int | str, dict[str, Any]] = {
    status: {"model": ODataError} for status in (HTTPStatus.BAD_REQUEST, HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND)
}


@router.post(
    "/adminapi/{version}/{tenant}/InvokeCommand", summary="Run a cmdlet", response_model=Results, responses=_REFUSALS
)
def invoke(
    request: Request,
    admin: Acting,
    desk: TheDesk,
    version: Literal["beta", "v1.0"],
    tenant: Annotated[str, Path(max_length=253, description="Any: this posthouse is the tenant.")],
    body: Invocation,
    skip: Annotated[int, Query(alias="$skiptoken", ge=0, le=1_000_000_000)] = 0,
    select: Annotated[str, Query(alias="$select", max_length=2000, description="Properties, with commas.")] = "",
    prefer: Annotated[str, Header(description="`odata.maxpagesize=100`")] = "",
) -> Response:
    """As Exchange Online's module sends it; the headers X-CmdletName and X-AnchorMailbox may be there."""
    call = _Call(admin, desk.settings)
    asked = _page_size(prefer)
    size = max(1, min(int(asked[1]) if asked else _PAGE, _PAGE))
    found = call.page(body.CmdletInput, skip, size)
    if call.errors:
        return _refusal(call.errors, call.warnings)
    service = f"{request.base_url}adminapi/{version}/{tenant}"
    answer = {
        "@odata.context": f"{service}/$metadata#Collection(Exchange.GenericHashTable)",
        "adminapi.warnings@odata.type": "#Collection(String)",
        "@adminapi.warnings": call.warnings,
        "value": plain([_selected(_shown(value), select) for value in found.objects]),
    }
    if call.what_if:
        answer["@adminapi.confirmationmessage"] = "\n".join(call.what_if)
    if found.more:
        answer["@odata.nextLink"] = str(request.url.include_query_params(**{"$skiptoken": skip + size}))
    return JSONResponse(answer)


@dataclass(frozen=True, slots=True)
class _Page:
    objects: list[Value]
    more: bool = False


class _Call:
    """One cmdlet, with nobody to ask and no files: what it has to say besides its output is kept."""

    interactive = False
    width = 120

    def __init__(self, *services: object) -> None:
        self.warnings: list[str] = []
        self.errors: list[PSError] = []
        self.what_if: list[str] = []
        self._services = Services(self, AllowedFiles(), lambda: datetime.now().astimezone(), services)

    def page(self, given: CmdletInput, skip: int, size: int) -> _Page:
        """What it outputs, or what went wrong in `errors`. What changes something does so once, and has one page."""
        try:
            cmdlet = _named(given.CmdletName)
            output = self._run(cmdlet, given.Parameters)
            if cmdlet.should_process:
                return _Page([*output])
            found = [*islice(output, skip, skip + size + 1)]
            return _Page(found[:size], len(found) > size)
        except PSError as error:
            self.errors.append(error)
        except (AdminError, LimitReached) as error:
            name = "CmdletAccessDeniedException" if isinstance(error, Forbidden) else type(error).__name__
            self.errors.append(PSError(str(error), error_id=name))
        return _Page([])

    def _run(self, cmdlet: Cmdlet, parameters: Mapping[str, Any]) -> Iterator[Value]:
        binding = bind(cmdlet, [*_arguments(parameters)])
        require(binding.missing(pipeline=False), cmdlet)
        running = self._running(cmdlet, binding.values)
        return iter(cmdlet.run(running, Bound(without_common(binding.values))))

    def _running(self, cmdlet: Cmdlet, values: Mapping[str, Value]) -> Running:
        preferences = Preferences.of(cmdlet, values, _preference)
        operators = Operators(Budget())
        return Running(cmdlet, self._services, REGISTRY, operators, preferences, self.errors.append, _preference)

    def write(self, stream: Stream, text: str) -> None:
        if stream == "warning":
            self.warnings.append(text.removeprefix("WARNING: ").rstrip())
        elif stream == "host":
            self.what_if.append(text.removeprefix("What if: ").rstrip())

    def ask(self, question: str) -> str:
        raise PSError(f"Nobody is there to answer: {question}", error_id="InvalidOperation")


def _named(name: str) -> Cmdlet:
    cmdlet = REGISTRY.cmdlet(name)
    if cmdlet is None:
        text = f"The term '{name}' is not recognized as the name of a cmdlet that is answered here."
        raise PSError(text, category="ObjectNotFound", error_id="CommandNotFoundException")
    return cmdlet


def _preference(name: str) -> Value:
    """The module asks its user itself, before it sends anything."""
    return "None" if name == "ConfirmPreference" else None


def _arguments(parameters: Mapping[str, Any]) -> Iterator[Given]:
    for name, value in parameters.items():
        if "@" not in name:  # annotations tell types, which our parameters have themselves
            yield Given(name=_value(name), value=_value(value), has_value=True)


def _value(given: Any, depth: int = 0) -> Any:
    """A table is what `@{Add = …; Remove = …}` is in PowerShell. What no JSON can say back is refused."""
    if depth > _DEEPEST:
        raise PSError(f"A parameter may hold tables and lists {_DEEPEST} deep.", category="InvalidData")
    match given:
        case dict():
            return Hashtable({_value(key): _value(value, depth + 1) for key, value in given.items() if "@" not in key})
        case list():
            return [_value(value, depth + 1) for value in given]
        case str() if not given.isascii() and _surrogate(given):
            raise PSError("A text has half a character (a lone surrogate).", category="InvalidData")
        case float() if not math.isfinite(given):
            raise PSError(f"{given} is no number.", category="InvalidData")
    return given


def _shown(value: Value) -> Any:
    if isinstance(value, PSObject):
        return _shown(value.properties)
    if isinstance(value, Hashtable):
        return {str(key): _shown(part) for key, part in value.items()}
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat().replace("+00:00", "Z")
    return [_shown(part) for part in value] if isinstance(value, list | tuple) else value


def _selected(shown: Any, select: str) -> Any:
    wanted = {name.strip().lower() for name in select.split(",")} - {""}
    if not wanted or not isinstance(shown, dict):
        return shown
    return {name: value for name, value in shown.items() if name.lower() in wanted}


def _refusal(errors: list[PSError], warnings: list[str]) -> JSONResponse:
    """All that is wrong; the first error gives the status."""
    first = errors[0]
    status = _STATUS.get(first.error_id.partition(",")[0], HTTPStatus.BAD_REQUEST)
    body = {
        "error": {
            "code": status.phrase.replace(" ", ""),
            "message": first.message,
            "details": [
                {"code": "Context", "target": "", "message": f"|{error.exception}|{error.message}"} for error in errors
            ],
            "innererror": {
                "message": first.message,
                "type": first.exception,
                "internalexception": {"message": first.message, "type": first.exception},
            },
        },
        "adminapi.warnings@odata.type": "#Collection(String)",
        "@adminapi.warnings": warnings,
    }
    return JSONResponse(body, status)
