"""HTTPS on loopback, for stand-ins of web services."""

from __future__ import annotations

import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self, cast

import trustme


class HttpsServer(ThreadingHTTPServer):
    """With a certificate for `host`."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, authority: trustme.CA, host: str, handler: type[HttpsHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(host).configure_cert(self.tls)

    @property
    def port(self) -> int:
        return cast("tuple[str, int]", self.server_address)[1]

    def handle_error(self, *_: Any) -> None:
        """A client that doesn't trust us hangs up."""

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class HttpsHandler(BaseHTTPRequestHandler):
    """Shakes hands in the connection's own thread, so that a client that says nothing holds up nobody."""

    server: HttpsServer

    def setup(self) -> None:
        self.request = self.server.tls.wrap_socket(self.request, server_side=True)
        super().setup()

    def finish(self) -> None:
        try:
            super().finish()
        finally:
            self.request.close()

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


class WebServer(HttpsServer):
    """`documents` by path; a number instead of a text is the status it is answered with."""

    def __init__(self, authority: trustme.CA, host: str, documents: dict[str, str | int]) -> None:
        super().__init__(authority, host, _Documents)
        self.documents = documents


class _Documents(HttpsHandler):
    server: WebServer

    def do_GET(self) -> None:
        document = self.server.documents.get(self.path, 404)
        if isinstance(document, int):
            self.send_error(document)
            return
        self.send_response(200)
        self.end_headers()
        self.wfile.write(document.encode())
