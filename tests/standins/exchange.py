"""Exchange Online's admin API as far as a tenant is set up by it: InvokeCommand, and the preview of AcceptedDomain.

The first is what Microsoft's own module speaks, and not documented; answers and refusals have the shapes that its users
have recorded. What the cmdlets take is on their pages, and how they refuse it in the module's texts.

https://learn.microsoft.com/powershell/module/exchange/new-inboundconnector
https://learn.microsoft.com/powershell/exchange/app-only-auth-powershell-v2
https://learn.microsoft.com/exchange/reference/admin-api-get-started
https://learn.microsoft.com/exchange/reference/admin-api-endpoints-accepted-domain
"""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qs, urlsplit

import trustme

from standins.entra import Entra
from standins.exchange_connectors import CmdletFailed, Connectors
from standins.https import HttpsHandler, HttpsServer

RESOURCE = "https://outlook.office365.com"
MANAGE, MANAGE_V2 = "Exchange.ManageAsApp", "Exchange.ManageAsAppV2"
PAGE = 1000

_PATH = re.compile(r"/adminapi/(?P<version>[^/]+)/(?P<tenant>[^/]+)/(?P<endpoint>[^/]+)")
_ODATA = "Microsoft.Exchange.Admin.OData.Core.ODataServiceException"


@dataclass
class Principal:
    """What an application was given: permissions that were consented to, and whether it has a directory role."""

    permissions: set[str] = field(default_factory=lambda: {MANAGE})
    has_role: bool = True


@dataclass
class Call:
    """One request that was let in. `headers` are in lower case."""

    endpoint: str
    cmdlet: str
    parameters: dict[str, Any]
    headers: dict[str, str]


@dataclass
class Fault:
    """What one request meets: a status, or the end of its connection where that is 0. `done`: it is done all the same.

    `content` is what is said besides, whatever it is. With a `cmdlet`, it waits for a request of that one.
    """

    status: int = 0
    retry_after: str = ""
    content: bytes = b""
    location: str = ""
    done: bool = False
    cmdlet: str = ""


class _Cut(Exception):
    """Hang up."""


class Exchange(HttpsServer):
    """One tenant, on loopback over HTTPS. Tokens are those of `entra`, for applications that are `allow`ed.

    `domains` are its accepted domains with their types, `connectors` what its cmdlets are about. `calls` were let in,
    `faults` come first, each for one request.

    with Exchange(authority, entra) as exchange:
        exchange.allow(app.client_id)
    """

    def __init__(self, authority: trustme.CA, entra: Entra) -> None:
        super().__init__(authority, "127.0.0.1", _Request)
        self.entra = entra
        self.principals: dict[str, Principal] = {}
        self.domains: dict[str, str] = {"contoso.onmicrosoft.com": "Authoritative"}
        self.connectors = Connectors()
        self.reject_direct_send = False
        self.calls: list[Call] = []
        self.faults: list[Fault] = []
        self.lock = threading.RLock()

    @property
    def url(self) -> str:
        """The endpoint that clients are to be told."""
        return f"https://127.0.0.1:{self.port}"

    @property
    def cmdlets(self) -> list[str]:
        return [call.cmdlet for call in self.calls]

    def allow(self, client_id: str, *permissions: str, has_role: bool = True) -> Principal:
        made = Principal(set(permissions or {MANAGE}), has_role)
        self.principals[client_id] = made
        return made

    def next_fault(self, cmdlet: str) -> Fault | None:
        with self.lock:
            fault = next((each for each in self.faults if each.cmdlet in ("", cmdlet)), None)
            if fault is not None:
                self.faults.remove(fault)
            return fault

    def answer(self, request: _Request) -> tuple[int, bytes, dict[str, str]]:
        """Status, content and headers."""
        address = urlsplit(request.path)
        found = _PATH.fullmatch(address.path)
        if found is None or found["version"] not in ("beta", "v1.0", "v2.0"):
            return 404, b"", {}
        refusal = self._refusal(request, found["version"])
        if refusal is not None:
            return refusal
        if found["tenant"] != self.entra.tenant:
            return _error(
                404, CmdletFailed("OrganizationNotFound", f"The organization '{found['tenant']}' isn't here.")
            )
        try:
            call = _call_of(request, found["endpoint"])
            self.calls.append(call)
            objects = self._run(found["version"], call)
        except CmdletFailed as failed:
            return _error(failed.status, failed)
        return self._page(request, found["tenant"], parse_qs(address.query), objects)

    def _refusal(self, request: _Request, version: str) -> tuple[int, bytes, dict[str, str]] | None:
        """Who has no right is told so, or gets zeros: whether it is the permission or a role, they don't say."""
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        grant = self.entra.grant(token, RESOURCE)
        if grant is None:
            return 401, b"", {"WWW-Authenticate": 'Bearer client_id="00000002-0000-0ff1-ce00-000000000000"'}
        principal = self.principals.get(grant.client_id, Principal(set()))
        if (MANAGE_V2 if version == "v2.0" else MANAGE) not in principal.permissions:
            return 403, b"\0" * 512, {}
        if not principal.has_role:
            text = (
                f"The role assigned to application {grant.client_id} isn't supported in this scenario. Please check "
                "online documentation for assigning correct Directory Roles to Azure AD Application for EXO App-Only "
                "Authentication."
            )
            return _error(403, CmdletFailed("Microsoft.Exchange.Configuration.CmdletAccessDeniedException", text))
        return None

    def _run(self, version: str, call: Call) -> list[dict[str, Any]]:
        if version == "v2.0" and (call.endpoint, call.cmdlet) != ("AcceptedDomain", "Get-AcceptedDomain"):
            raise CmdletFailed("CommandNotFoundException", f"{call.cmdlet} isn't supported on this endpoint.")
        if version != "v2.0" and call.endpoint != "InvokeCommand":
            raise CmdletFailed("CommandNotFoundException", f"{call.endpoint} isn't an endpoint.", 404)
        fixed: dict[str, Callable[[], list[dict[str, Any]]]] = {
            "Get-AcceptedDomain": self._accepted_domains,
            "Get-OrganizationConfig": lambda: [
                {"Name": self.entra.tenant, "RejectDirectSend": self.reject_direct_send, "IsDehydrated": False}
            ],
        }
        with self.lock:
            if call.cmdlet in fixed:
                return fixed[call.cmdlet]()
            return self.connectors.run(call.cmdlet, call.parameters)

    def _accepted_domains(self) -> list[dict[str, Any]]:
        return [
            {"Name": name, "DomainName": name, "DomainType": kind, "Default": number == 0, "MatchSubDomains": False}
            for number, (name, kind) in enumerate(self.domains.items())
        ]

    def _page(
        self, request: _Request, tenant: str, query: dict[str, list[str]], objects: list[dict[str, Any]]
    ) -> tuple[int, bytes, dict[str, str]]:
        asked = re.search(r"odata\.maxpagesize=(\d+)", request.headers.get("Prefer", ""))
        size = min(int(asked[1]) if asked else PAGE, PAGE)
        skip = int(query.get("$skiptoken", ["0"])[0])
        path = urlsplit(request.path).path
        answer = {
            "@odata.context": f"{self.url}/adminapi/beta/{tenant}/$metadata#Collection(Exchange.GenericHashTable)",
            "adminapi.warnings@odata.type": "#Collection(String)",
            "@adminapi.warnings": self.connectors.taken_warnings(),
            "value": objects[skip : skip + size],
        }
        if len(objects) > skip + size:
            answer["@odata.nextLink"] = f"{self.url}{path}?$skiptoken={skip + size}"
        return 200, json.dumps(answer).encode(), {}


def _call_of(request: _Request, endpoint: str) -> Call:
    try:
        given = json.loads(request.body)["CmdletInput"]
        name, parameters = given["CmdletName"], given.get("Parameters", {})
    except (ValueError, KeyError, TypeError):
        raise CmdletFailed("Microsoft.OData.ODataException", "The request body is not what is expected.") from None
    headers = {key.lower(): value for key, value in request.headers.items()}
    return Call(endpoint, name, parameters, headers)


def _error(status: int, failed: CmdletFailed) -> tuple[int, bytes, dict[str, str]]:
    """The text that helps is deep inside; what is at the top is always the same."""
    inner = {"message": failed.text, "type": failed.kind, "stacktrace": ""}
    body = {
        "error": {
            "code": {400: "BadRequest", 403: "Forbidden", 404: "NotFound"}[status],
            "message": "Invalid Operation",
            "details": [{"code": "Client", "target": "", "message": f"|{failed.kind}|{failed.text}"}],
            "innererror": {
                "message": "Invalid Operation",
                "type": _ODATA,
                "stacktrace": "",
                "internalexception": inner,
            },
        },
        "adminapi.warnings@odata.type": "#Collection(String)",
        "@adminapi.warnings": [],
    }
    return status, json.dumps(body).encode(), {}


class _Request(HttpsHandler):
    server: Exchange
    body: bytes

    def do_POST(self) -> None:
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        try:
            status, content, headers = self._answer()
        except _Cut:
            return
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Type", "application/json;odata.metadata=minimal")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def _answer(self) -> tuple[int, bytes, dict[str, str]]:
        fault = self.server.next_fault(self.headers.get("X-CmdletName", ""))
        if fault is None:
            return self.server.answer(self)
        if fault.done:
            self.server.answer(self)
        if not fault.status:
            raise _Cut
        headers = {"Retry-After": fault.retry_after, "Location": fault.location}
        return fault.status, fault.content, {name: value for name, value in headers.items() if value}
