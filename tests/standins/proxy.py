"""An HTTP proxy on loopback, as stands between a relay and Microsoft: it only opens tunnels (RFC 9110 9.3.6)."""

from __future__ import annotations

import contextlib
import socket
import socketserver
import threading
from typing import Self


class Proxy(socketserver.ThreadingTCPServer):
    """`asked` are the first lines of its requests.

    with Proxy() as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
    """

    daemon_threads = True
    block_on_close = False

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Tunnel)
        self.asked: list[str] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def __enter__(self) -> Self:
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self.server_close()


class _Tunnel(socketserver.StreamRequestHandler):
    server: Proxy

    def handle(self) -> None:
        request = self.rfile.readline().decode().rsplit(" ", 1)[0]
        self.server.asked.append(request)
        while self.rfile.readline() not in (b"\r\n", b""):
            pass
        host, _, port = request.removeprefix("CONNECT ").partition(":")
        with socket.create_connection((host, int(port))) as inner:
            self.wfile.write(b"HTTP/1.1 200 Connection established\r\n\r\n")
            back = threading.Thread(target=_pass_on, args=(inner, self.connection), daemon=True)
            back.start()
            _pass_on(self.connection, inner)
            back.join()


def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
        sink.shutdown(socket.SHUT_WR)
