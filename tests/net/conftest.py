"""Authorities and what they issued: made once, since nothing changes them."""

import pytest
import trustme

from net.tls_peers import identity_of, pem_of
from posthouse.net.certificates import Identity
from posthouse.net.verification import Verifier


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
