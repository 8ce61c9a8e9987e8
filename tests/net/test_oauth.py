"""Tokens, from a stand-in of Entra that speaks its protocol."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from net.tls_peers import pem_of
from posthouse.net.certificates import Identity, load_pfx, self_signed
from posthouse.net.oauth import GRAPH, Application, Token, TokenError, TokenRefused, TokenUnavailable, acquire_token
from standins.entra import LIFETIME, Entra
from standins.proxy import Proxy

SECRET = "s3cret~value"

Acquire = Callable[..., Token]


@pytest.fixture(scope="module")
def certificate() -> Identity:
    """As it comes out of the store: a PFX."""
    return load_pfx(self_signed("relay.contoso.test", rsa_key=True).to_pfx())


@pytest.fixture
def acquire(entra: Entra, authority: trustme.CA) -> Acquire:
    """A token for an application; what is given differs from what is registered."""

    def acquire(registered: dict[str, Any], scope: str | None = None, **given: Any) -> Token:
        app = entra.register(**registered)
        proof = given.pop("proof", SECRET)
        options = {"tenant": entra.tenant, "client_id": app.client_id, "authority": entra.url} | given
        roots = options.pop("own_roots", [pem_of(authority)])
        timeout = options.pop("timeout", 10)
        application = Application(proof=proof, **options)
        return acquire_token(application, *([scope] if scope else []), own_roots=roots, timeout=timeout)

    return acquire


def test_a_client_secret_gets_a_token(acquire: Acquire, entra: Entra) -> None:
    before = time.time()
    token = acquire({"secret": SECRET})
    assert token.value == entra.issued[0]
    assert before + LIFETIME <= token.expires_at <= time.time() + LIFETIME


def test_a_certificate_gets_a_token_for_graph(acquire: Acquire, entra: Entra, certificate: Identity) -> None:
    token = acquire({"certificate": certificate.certificate}, GRAPH, proof=certificate)
    assert [token.value] == entra.issued


@pytest.mark.parametrize(
    ("given", "code", "remedy"),
    [
        ({"proof": "its-id"}, "AADSTS7000215", "store the secret's Value"),
        ({"client_id": "c0ffee"}, "AADSTS700016", "check client_id"),
        ({"tenant": "fabrikam.onmicrosoft.com"}, "AADSTS90002", "check tenant"),
    ],
)
def test_entra_refuses(acquire: Acquire, given: dict[str, str], code: str, remedy: str) -> None:
    with pytest.raises(TokenRefused) as refused:
        acquire({"secret": SECRET}, **given)
    assert refused.value.code == code
    assert str(refused.value).startswith(f"{code}: ")
    assert remedy in str(refused.value)
    assert "Trace ID" not in str(refused.value)
    assert str(refused.value).isprintable()


def test_a_scope_of_a_resource_that_the_tenant_has_not(acquire: Acquire) -> None:
    with pytest.raises(TokenRefused, match=r"^AADSTS500011: .*; the tenant has no such resource"):
        acquire({"secret": SECRET}, "https://nowhere.example/.default")


def test_a_code_without_a_remedy_leads_to_its_page(acquire: Acquire, entra: Entra) -> None:
    entra.nonsense = b'{"error_description": "AADSTS12345: Because."}'
    with pytest.raises(TokenRefused, match=r"see https://login\.microsoftonline\.com/error\?code=12345"):
        acquire({"secret": SECRET})


def test_an_empty_secret(acquire: Acquire) -> None:
    with pytest.raises(TokenRefused, match=r"^AADSTS7000218: .*; give the credential its secret"):
        acquire({"secret": SECRET}, proof="")


def test_entra_says_how_long_to_wait(acquire: Acquire, entra: Entra) -> None:
    entra.trouble, entra.retry_after = 429, "17"
    with pytest.raises(TokenUnavailable) as unavailable:
        acquire({"secret": SECRET})
    assert unavailable.value.retry_after == 17.0


def test_a_certificate_that_was_not_uploaded(acquire: Acquire, certificate: Identity) -> None:
    with pytest.raises(TokenRefused, match=r"^AADSTS700027: .*; upload this certificate"):
        acquire({"secret": SECRET}, proof=certificate)


def test_a_certificate_while_the_clock_is_wrong(acquire: Acquire, entra: Entra, certificate: Identity) -> None:
    entra.clock_ahead = 3600
    with pytest.raises(TokenRefused, match=r"^AADSTS700024: .*; the clock of this machine is wrong"):
        acquire({"certificate": certificate.certificate}, proof=certificate)


def test_entra_takes_no_elliptic_curve(acquire: Acquire) -> None:
    with pytest.raises(TokenRefused, match="RSA"):
        acquire({}, proof=self_signed("relay.contoso.test"))


def test_an_authority_that_is_no_address(acquire: Acquire) -> None:
    with pytest.raises(TokenRefused, match="check authority"):
        acquire({}, authority="http://127.0.0.1")


def test_an_authority_that_is_not_trusted(acquire: Acquire, stranger: trustme.CA) -> None:
    with pytest.raises(TokenUnavailable, match="its certificate is not trusted"):
        acquire({"secret": SECRET}, own_roots=[pem_of(stranger)])


def test_an_authority_where_nobody_listens(acquire: Acquire) -> None:
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))
        with pytest.raises(TokenUnavailable, match="no connection"):
            acquire({}, authority=f"https://127.0.0.1:{reserved.getsockname()[1]}")


def test_an_authority_that_says_nothing(acquire: Acquire) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent, pytest.raises(TokenUnavailable, match="no answer in time"):
        acquire({}, authority=f"https://127.0.0.1:{silent.getsockname()[1]}", timeout=0.2)


@pytest.mark.parametrize("status", [429, 500, 503])
def test_an_authority_in_trouble(acquire: Acquire, entra: Entra, status: int) -> None:
    entra.trouble = status
    with pytest.raises(TokenUnavailable, match=rf"HTTP {status}.*try again later"):
        acquire({"secret": SECRET})


@pytest.mark.parametrize(
    "nonsense",
    [
        b"",
        b"\xff",
        b"null",
        b"[]",
        b'"text"',
        b"[" * 100_000,
        b'{"access_token": 5}',
        b'{"access_token": ""}',
        b'{"access_token": "a\\r\\nb"}',
        b'{"access_token": "a", "expires_in": []}',
        b'{"access_token": "a", "expires_in": "soon"}',
        b'{"access_token": "a", "expires_in": 1e400}',
        b'{"error_description": {}}',
    ],
)
def test_an_answer_that_makes_no_sense(
    acquire: Acquire, entra: Entra, nonsense: bytes, capfd: pytest.CaptureFixture[str]
) -> None:
    entra.nonsense = nonsense
    with pytest.raises(TokenRefused, match="no token that makes sense; check authority"):
        acquire({"secret": SECRET})
    assert capfd.readouterr() == ("", "")


def test_an_endless_explanation_is_cut(acquire: Acquire, entra: Entra) -> None:
    entra.nonsense = json.dumps({"error_description": "AADSTS50000: why" + " " * 1_000_000}).encode()
    with pytest.raises(TokenRefused, match=r"^AADSTS50000: why *; see"):
        acquire({"secret": SECRET})


def test_the_secret_does_not_follow_a_redirection(acquire: Acquire, entra: Entra) -> None:
    with socket.create_server(("127.0.0.1", 0)) as elsewhere:
        entra.elsewhere = f"http://127.0.0.1:{elsewhere.getsockname()[1]}"
        with pytest.raises(TokenRefused, match="sends us elsewhere; check authority"):
            acquire({"secret": SECRET}, timeout=2)
        elsewhere.settimeout(0)
        with pytest.raises(BlockingIOError):
            elsewhere.accept()


def test_the_way_through_a_proxy_trusts_the_same(
    acquire: Acquire, entra: Entra, stranger: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Such a proxy may open TLS itself: then it is its CA that trusted_roots hold."""
    monkeypatch.setenv("no_proxy", "")
    with Proxy() as proxy:
        monkeypatch.setenv("https_proxy", proxy.url)
        assert acquire({"secret": SECRET}).value == entra.issued[0]
        assert set(proxy.asked) == {f"CONNECT 127.0.0.1:{entra.port}"}
        with pytest.raises(TokenUnavailable, match="its certificate is not trusted"):
            acquire({"secret": SECRET}, own_roots=[pem_of(stranger)])


def test_neither_secret_nor_token_is_ever_shown(acquire: Acquire, entra: Entra, certificate: Identity) -> None:
    token = acquire({"secret": SECRET})
    key = certificate.key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    applications = [Application("t", "c", proof) for proof in (SECRET, certificate)]
    shown = f"{token!r} {token} {applications!r}"
    with pytest.raises(TokenError) as refused:
        acquire({"secret": "another"})
    shown += f"{refused.value} {refused.value!r}"
    assert not [part for part in (SECRET, token.value, key) if part in shown]
