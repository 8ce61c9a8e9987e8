"""Authorities and what they issued: made once, since nothing changes them."""

import ssl
from collections.abc import Iterator

import pytest
import trustme

from net.tls_peers import identity_of, pem_of, shake_hands
from posthouse.net.certificates import Identity
from posthouse.net.tls import ClientContext, ServerContext, TlsSession
from posthouse.net.verification import Verifier
from standins.entra import Entra


@pytest.fixture(scope="session")
def authority() -> trustme.CA:
    """The root that the verifier trusts."""
    return trustme.CA()


@pytest.fixture(scope="session")
def intermediate(authority: trustme.CA) -> trustme.CA:
    return authority.create_child_ca()


@pytest.fixture(scope="session")
def stranger() -> trustme.CA:
    """A root that nobody trusts."""
    return trustme.CA()


@pytest.fixture(scope="session")
def server_identity(authority: trustme.CA) -> Identity:
    return identity_of(authority.issue_cert("relay.contoso.test"))


@pytest.fixture
def verifier(authority: trustme.CA) -> Verifier:
    return Verifier([pem_of(authority)])


@pytest.fixture
def server_context(server_identity: Identity, verifier: Verifier) -> ServerContext:
    return ServerContext(server_identity, "intermediate", verifier)


@pytest.fixture
def client_context(verifier: Verifier) -> ClientContext:
    return ClientContext(None, "intermediate", verifier)


@pytest.fixture
def python_client(authority: trustme.CA) -> ssl.SSLContext:
    return ssl.create_default_context(cadata=pem_of(authority))


@pytest.fixture
def pair(server_context: ServerContext, client_context: ClientContext) -> tuple[TlsSession, TlsSession]:
    client, server = TlsSession(client_context, "relay.contoso.test"), TlsSession(server_context)
    shake_hands(client, server)
    return client, server


@pytest.fixture
def entra(authority: trustme.CA) -> Iterator[Entra]:
    with Entra(authority) as running:
        yield running
