"""One document over HTTPS, from a given address."""

from __future__ import annotations

import socket
from collections.abc import Iterator

import pytest
import trustme

from net.tls_peers import pem_of
from posthouse.net.https import HttpsError, client_context, fetch
from standins.https import WebServer

HOST = "mta-sts.contoso.test"


@pytest.fixture
def server(authority: trustme.CA) -> Iterator[WebServer]:
    with WebServer(authority, HOST, {"/policy": "mode: enforce\n", "/moved": 301, "/long": "x" * 100_000}) as running:
        yield running


def fetched(server: WebServer, authority: trustme.CA, path: str, host: str = HOST) -> str:
    context = client_context([pem_of(authority)])
    return fetch(host, path, ("127.0.0.1", server.port), context, 10)


def test_a_document(server: WebServer, authority: trustme.CA) -> None:
    assert fetched(server, authority, "/policy") == "mode: enforce\n"


def test_a_long_one_is_cut(server: WebServer, authority: trustme.CA) -> None:
    assert len(fetched(server, authority, "/long")) == 64 * 1024


@pytest.mark.parametrize(("path", "status"), [("/moved", 301), ("/elsewhere", 404)])
def test_anything_but_200_is_an_error(server: WebServer, authority: trustme.CA, path: str, status: int) -> None:
    with pytest.raises(HttpsError, match=f"https://{HOST}{path} was answered {status}"):
        fetched(server, authority, path)


def test_a_certificate_for_another_name(server: WebServer, authority: trustme.CA) -> None:
    with pytest.raises(HttpsError, match=r"the certificate of https://other\.test is not valid: Hostname mismatch"):
        fetched(server, authority, "/policy", "other.test")


def test_a_certificate_of_a_stranger(server: WebServer, stranger: trustme.CA) -> None:
    with pytest.raises(HttpsError, match="is not valid: unable to get local issuer certificate"):
        fetched(server, stranger, "/policy")


def test_nobody_listens(authority: trustme.CA) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        with pytest.raises(HttpsError, match=r"can't be read: .*refused"):
            fetch(HOST, "/policy", reserved.getsockname(), client_context(), 10)


def test_a_server_that_says_nothing() -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(HttpsError, match="timed out"):
        fetch(HOST, "/policy", silent.getsockname(), client_context(), 0.2)
