"""HTTPS as a client: whom to trust, and one small document from a given address. Blocking."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections.abc import Iterable

import certifi

_MOST = 64 * 1024
"""RFC 8461 3.3 suggests this limit for a policy; nothing else is fetched here."""


class HttpsError(Exception):
    """The document can't be had. One line: why."""


def client_context(own_roots: Iterable[str] = ()) -> ssl.SSLContext:
    """Trusts the public roots (certifi) and an organization's own, which are PEM texts."""
    context = ssl.create_default_context(cafile=certifi.where())
    for pem in own_roots:
        context.load_verify_locations(cadata=pem)
    return context


def fetch(host: str, path: str, address: tuple[str, int], context: ssl.SSLContext, timeout: float) -> str:
    """The text of `https://host/path`, from the server at `address`. A redirection is an error (RFC 8461 3.3).

    `timeout` is for each step. Raises `HttpsError`.
    """
    connection = http.client.HTTPConnection(host, timeout=timeout)
    try:
        plain = socket.create_connection(address, timeout)
        try:
            connection.sock = context.wrap_socket(plain, server_hostname=host)
        finally:
            plain.close()
        connection.request("GET", path)
        with connection.getresponse() as response:
            if response.status != http.client.OK:
                raise HttpsError(f"https://{host}{path} was answered {response.status} {response.reason}")
            return response.read(_MOST).decode("utf-8", "replace")
    except ssl.SSLCertVerificationError as error:
        raise HttpsError(f"the certificate of https://{host} is not valid: {error.verify_message}") from None
    except (OSError, http.client.HTTPException) as error:
        raise HttpsError(f"https://{host}{path} can't be read: {error}") from None
    finally:
        connection.close()
