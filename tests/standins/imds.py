"""Where Azure gives tokens to a managed identity: the metadata service of a VM, and the endpoint of App Service.

https://learn.microsoft.com/entra/identity/managed-identities-azure-resources/how-to-use-vm-token
https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
"""

from __future__ import annotations

import json
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, cast
from urllib.parse import parse_qs, urlsplit

from standins.entra import RESOURCES, Entra

SYSTEM_ASSIGNED = "5a5a5a5a-0000-4000-8000-000000000001"
VM_PATH, APP_SERVICE_PATH = "/metadata/identity/oauth2/token", "/msi/token"
IDENTITY_HEADER = "853b9a84-5bfa-4b22-a3f3-0b9a43d9ad8a"


class Imds(ThreadingHTTPServer):
    """On loopback over HTTP, as Azure's is on the machine itself. `identities` are client ids that the machine has.

    Instead of a token `trouble` is a status that it answers with. `environment` leads an Azure library here.

    with Imds(entra) as imds:
        house.start(**imds.environment)
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self, entra: Entra, *, is_app_service: bool = False) -> None:
        super().__init__(("127.0.0.1", 0), _Request)
        self.entra = entra
        self.identities = [SYSTEM_ASSIGNED]
        self.is_app_service = is_app_service
        self.trouble = 0

    @property
    def environment(self) -> dict[str, str]:
        url = f"http://127.0.0.1:{cast('tuple[str, int]', self.server_address)[1]}"
        if self.is_app_service:
            return {"IDENTITY_ENDPOINT": f"{url}{APP_SERVICE_PATH}", "IDENTITY_HEADER": IDENTITY_HEADER}
        return {"AZURE_POD_IDENTITY_AUTHORITY_HOST": url}

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Request(BaseHTTPRequestHandler):
    server: Imds

    def do_GET(self) -> None:
        url = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(url.query).items()}
        expected = APP_SERVICE_PATH if self.server.is_app_service else VM_PATH
        if self.server.trouble or url.path != expected:
            self._say(self.server.trouble or 404, {})
        elif self.server.is_app_service:
            self._app_service(query)
        else:
            self._vm(query)

    def _vm(self, query: dict[str, str]) -> None:
        if self.headers["Metadata"] != "true":
            self._refuse("invalid_request", "Required metadata header not specified")
        elif "api-version" not in query:
            self._refuse("bad_request_102", "Required query variable 'api-version' is missing")
        elif query.get("resource") not in RESOURCES:
            self._refuse("invalid_resource", f"AADSTS500011: The resource principal named {query.get('resource')}")
        elif (identity := self._identity(query)) is None:
            self._refuse("invalid_request", "Identity not found")
        else:
            self._say(200, self._token(identity, query["resource"]) | {"expires_in": str(self.server.entra.lifetime)})

    def _app_service(self, query: dict[str, str]) -> None:
        if self.headers["X-IDENTITY-HEADER"] != IDENTITY_HEADER:
            self._say(403, {"statusCode": 403, "message": "Forbidden"})
        elif (identity := self._identity(query)) is None or query.get("resource") not in RESOURCES:
            self._say(400, {"statusCode": 400, "message": "No User Assigned or Delegated Managed Identity found"})
        else:
            self._say(200, self._token(identity, query["resource"]))

    def _identity(self, query: dict[str, str]) -> str | None:
        """The one asked for, else the machine's own."""
        wanted = query.get("client_id", SYSTEM_ASSIGNED)
        return wanted if wanted in self.server.identities else None

    def _token(self, identity: str, resource: str) -> dict[str, Any]:
        entra = self.server.entra
        return {
            "access_token": entra.issue(identity, resource),
            "client_id": identity,
            "expires_on": str(int(time.time()) + entra.lifetime),
            "resource": resource,
            "token_type": "Bearer",
        }

    def _refuse(self, error: str, text: str) -> None:
        self._say(400, {"error": error, "error_description": text})

    def _say(self, status: int, answer: dict[str, Any]) -> None:
        content = json.dumps(answer).encode() if answer else b""
        self.send_response(status)
        self.send_header("Content-Type", "application/json; charset=utf-8")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""
