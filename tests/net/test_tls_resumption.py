"""Sessions that are resumed, with the verdict on their certificate or not at all."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest
import trustme

from net.tls_clients import CLIENTS
from net.tls_peers import PythonTls, load_into, shake_hands
from posthouse.net.certificates import Identity
from posthouse.net.tls import ServerContext, TlsError, TlsSession
from posthouse.net.verification import Verifier
from posthouse.organization.certificate import CertificateVerdict, ValidationStatus

HOST = "relay.contoso.test"


def resume(client: PythonTls, context: ssl.SSLContext, server_context: ServerContext) -> tuple[PythonTls, TlsSession]:
    again, server = PythonTls(context, HOST, client.tls.session), TlsSession(server_context)
    shake_hands(again, server)
    return again, server


@pytest.fixture(params=[ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["TLSv1.2", "TLSv1.3"])
def resuming_client(request: pytest.FixtureRequest, python_client: ssl.SSLContext) -> ssl.SSLContext:
    python_client.maximum_version = request.param
    return python_client


def test_a_session_without_certificate_is_resumed(
    server_context: ServerContext, resuming_client: ssl.SSLContext
) -> None:
    first = PythonTls(resuming_client, HOST)
    shake_hands(first, TlsSession(server_context))
    again, server = resume(first, resuming_client, server_context)
    assert again.tls.session_reused
    assert server.peer_verdict == CertificateVerdict(ValidationStatus.EMPTY_CERTIFICATE)


@pytest.mark.parametrize("case", ["valid", "intermediate", "missing intermediate", "unknown issuer", "self-signed"])
def test_a_resumed_session_keeps_its_verdict(
    server_context: ServerContext,
    resuming_client: ssl.SSLContext,
    authority: trustme.CA,
    stranger: trustme.CA,
    case: str,
    tmp_path: Path,
) -> None:
    make, status = CLIENTS[case]
    identity = make(authority, stranger)
    assert identity
    load_into(resuming_client, identity, tmp_path)
    first, server = PythonTls(resuming_client, HOST), TlsSession(server_context)
    shake_hands(first, server)
    again, resumed = resume(first, resuming_client, server_context)
    assert again.tls.session_reused
    assert resumed.peer_verdict == server.peer_verdict
    assert resumed.peer_verdict
    assert resumed.peer_verdict.status is status


def test_a_session_is_not_resumed_after_the_roots_changed(
    server_identity: Identity, verifier: Verifier, resuming_client: ssl.SSLContext, authority: trustme.CA
) -> None:
    """New roots come with a new context, which cannot read the old one's tickets."""
    authority.issue_cert("a.test").configure_cert(resuming_client)
    first = PythonTls(resuming_client, HOST)
    shake_hands(first, TlsSession(ServerContext(server_identity, "intermediate", verifier)))
    again, server = resume(first, resuming_client, ServerContext(server_identity, "intermediate", Verifier()))
    assert not again.tls.session_reused
    assert server.peer_verdict
    assert server.peer_verdict.status is ValidationStatus.UNKNOWN_ISSUER


def test_a_resumed_session_whose_verdict_was_lost_goes_no_further(
    server_context: ServerContext, resuming_client: ssl.SSLContext, intermediate: trustme.CA
) -> None:
    intermediate.issue_cert("a.test").configure_cert(resuming_client)
    first = PythonTls(resuming_client, HOST)
    shake_hands(first, TlsSession(server_context))
    server_context.verifier._known.clear()
    with pytest.raises(TlsError, match="connect anew"):
        resume(first, resuming_client, server_context)
