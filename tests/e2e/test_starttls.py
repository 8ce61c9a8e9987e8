"""STARTTLS and implicit TLS against the running relay: what must not get across, what breaks, what is replaced."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from pathlib import Path

import pytest
import trustme
from OpenSSL import SSL

from support.house import House, MakeHouse, wait_for
from support.wire import Wire

STARTTLS, IMPLICIT, LEGACY, REPLACED = 2525, 2526, 2527, 2528

LISTENERS = f"""
[[listener]]
address = "ADDRESS:{STARTTLS}"
certificate = "relay.pem"
auth_without_tls = true

[[listener]]
address = "ADDRESS:{IMPLICIT}"
tls = "implicit"
certificate = "relay.pem"

[[listener]]
address = "ADDRESS:{LEGACY}"
tls_profile = "legacy"

[[listener]]
address = "ADDRESS:{REPLACED}"
certificate = "replaced.pem"
key = "replaced.key"
"""

ORGANIZATION = """
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Logins"
connector_type = "OnPremises"
sender_credentials = [{ user = "scanner", password_env = "SCANNER" }]

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["*"]

[[outbound_connector]]
name = "Internet"
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = 9
"""

AUTH = b"AUTH PLAIN AHNjYW5uZXIAc2VjcmV0\r\n"  # scanner, secret


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse, authority: trustme.CA) -> House:
    house = shared_house(ORGANIZATION, LISTENERS)
    authority.issue_cert("relay.test").private_key_and_cert_chain_pem.write_to_path(house.folder / "relay.pem")
    put_certificate(house.folder, authority.issue_cert("relay.test"))
    house.apply(SCANNER="secret")
    return house.start()


@pytest.fixture
def context(authority: trustme.CA) -> ssl.SSLContext:
    context = ssl.create_default_context()
    authority.configure_trust(context)
    return context


def put_certificate(folder: Path, leaf: trustme.LeafCert) -> None:
    """As a renewal does it: one file after the other."""
    (folder / "replaced.pem").write_bytes(b"".join(blob.bytes() for blob in leaf.cert_chain_pems))
    leaf.private_key_pem.write_to_path(folder / "replaced.key")


def is_well(relay: House) -> bool:
    with relay.wire() as wire:
        return wire.greeted().say(b"NOOP\r\n") == "250 2.0.0 OK"


# Injection: what came in plain must never be taken for what came under TLS


@pytest.mark.parametrize(
    "injected",
    [b"EHLO evil\r\n", b"RSET\r\nMAIL FROM:<ceo@contoso.com>\r\n", b"N", b"\r\n", b"\x16\x03\x01\x02\x00\x01"],
    ids=["EHLO", "MAIL", "half a command", "empty line", "an early ClientHello"],
)
def test_what_is_in_one_segment_with_starttls_is_refused(relay: House, injected: bytes) -> None:
    with relay.wire() as wire:
        wire.greeted()
        assert wire.say(b"STARTTLS\r\n" + injected).startswith("554 5.5.1 ")
        assert wire.hears_the_end()


def test_a_command_pipelined_before_starttls_is_answered_in_plain(relay: House, context: ssl.SSLContext) -> None:
    with relay.wire() as wire:
        wire.greeted()
        assert wire.say(b"NOOP\r\nSTARTTLS\r\n") == "250 2.0.0 OK"
        assert wire.reply() == "220 2.0.0 SMTP server ready"
        assert wire.start_tls(context).say(b"EHLO device\r\n").startswith("250-relay.test")


def test_what_is_said_in_plain_before_the_handshake_is_never_answered(relay: House) -> None:
    with relay.wire() as wire:
        wire.greeted()
        assert wire.say(b"STARTTLS\r\n").startswith("220 ")
        wire.send(b"EHLO evil\r\nMAIL FROM:<ceo@contoso.com>\r\n")
        assert "250" not in wire.reply()


def test_plaintext_after_the_handshake_ends_the_session(relay: House, context: ssl.SSLContext) -> None:
    with relay.wire() as wire:
        wire.greeted().upgrade(context).send_in_plain(b"NOOP\r\n")
        assert wire.hears_the_end()
    assert is_well(relay)


# What is forgotten


def test_all_is_forgotten_with_the_handshake(relay: House, context: ssl.SSLContext) -> None:
    with relay.wire() as wire:
        wire.greeted()
        assert wire.say(b"STARTTLS\r\n").startswith("220 ")
        wire.start_tls(context)
        assert wire.say(b"MAIL FROM:<a@contoso.com>\r\n").startswith("503 5.5.1 ")
        assert wire.say(b"STARTTLS\r\n").startswith("503 5.5.1 ")
        offered = wire.say(b"EHLO device\r\n")
        assert "STARTTLS" not in offered
        assert wire.say(b"STARTTLS\r\n").startswith("503 5.5.1 ")


def test_starttls_within_a_transaction_is_out_of_order(relay: House) -> None:
    with relay.wire() as wire:
        wire.greeted().begin("a@fabrikam.test", "b@contoso.com")
        assert wire.say(b"STARTTLS\r\n").startswith("503 5.5.1 ")


def test_a_login_before_starttls_is_forgotten(relay: House, context: ssl.SSLContext) -> None:
    with relay.wire() as wire:
        assert wire.greeted().say(AUTH).startswith("235 ")
        wire.begin("a@contoso.com", "b@example.net")
        wire.say(b"RSET\r\n")
        wire.upgrade(context).begin("a@contoso.com")
        assert wire.say(b"RCPT TO:<b@example.net>\r\n").startswith("550 5.7.64 ")
        wire.say(b"RSET\r\n")
        assert wire.say(AUTH).startswith("235 ")
        wire.begin("a@contoso.com", "b@example.net")


# What is no TLS


@pytest.mark.parametrize("port", [STARTTLS, IMPLICIT])
@pytest.mark.parametrize(
    "garbage",
    [b"\x00" * 100, b"GET / HTTP/1.1\r\nHost: relay\r\n\r\n", b"\x16\x03\x01\x00\x05hello", b"\xff" * 20_000],
    ids=["zeros", "HTTP", "a broken record", "much"],
)
def test_garbage_instead_of_a_client_hello_ends_only_its_session(relay: House, port: int, garbage: bytes) -> None:
    with relay.wire(port=port) as wire:
        if port == STARTTLS:
            assert wire.greeted().say(b"STARTTLS\r\n").startswith("220 ")
        wire.send_if_open(garbage)
        assert not wire.reply().startswith("2")
    assert is_well(relay)


def test_a_client_that_leaves_in_the_handshake_disturbs_nobody(relay: House) -> None:
    for _ in range(5):
        with relay.wire() as wire:
            assert wire.greeted().say(b"STARTTLS\r\n").startswith("220 ")
            wire.send(b"\x16\x03\x01")
    assert is_well(relay)


# Implicit TLS


def test_implicit_tls_greets_under_tls_and_offers_no_starttls(relay: House, context: ssl.SSLContext) -> None:
    with relay.wire(port=IMPLICIT) as wire:
        wire.start_tls(context)
        assert wire.reply() == "220 relay.test ESMTP Posthouse"
        assert "STARTTLS" not in wire.say(b"EHLO device\r\n")
        assert wire.say(b"STARTTLS\r\n").startswith("503 5.5.1 ")
        assert wire.send_mail("a@fabrikam.test", "implicit@contoso.com").startswith("250 2.6.0 ")
    (mail,) = relay.await_mail("implicit@contoso.com")
    assert b"by relay.test with ESMTPS id" in mail
    assert b"(using TLSv1.3 with cipher " in mail


def test_starttls_mail_is_traced_as_such(relay: House, context: ssl.SSLContext) -> None:
    with relay.wire() as wire:
        wire.greeted().upgrade(context)
        assert wire.send_mail("a@fabrikam.test", "starttls@contoso.com").startswith("250 2.6.0 ")
    (mail,) = relay.await_mail("starttls@contoso.com")
    assert b"by relay.test with ESMTPS id" in mail


# Profiles


def tls_1_0(wire: Wire) -> SSL.Connection:
    """What an old printer does after STARTTLS. On pyOpenSSL, since the system's OpenSSL may forbid it."""
    context = SSL.Context(SSL.TLS_CLIENT_METHOD)
    context.set_min_proto_version(SSL.TLS1_VERSION)
    context.set_max_proto_version(SSL.TLS1_VERSION)
    context.set_cipher_list(b"AES128-SHA:@SECLEVEL=0")
    wire.socket.settimeout(None)  # pyOpenSSL wants a blocking one
    connection = SSL.Connection(context, wire.socket)
    connection.set_connect_state()
    return connection


def test_an_old_printer_is_served_where_the_listener_is_legacy(relay: House) -> None:
    with relay.wire(port=LEGACY) as wire:
        assert wire.greeted().say(b"STARTTLS\r\n").startswith("220 ")
        printer = tls_1_0(wire)
        printer.do_handshake()
        printer.sendall(b"EHLO printer\r\n")
        assert printer.recv(4096).startswith(b"250-relay.test\r\n")
        printer.sendall(
            b"MAIL FROM:<a@fabrikam.test>\r\nRCPT TO:<printer@contoso.com>\r\nDATA\r\n\r\nx\r\n.\r\nQUIT\r\n"
        )
        (mail,) = relay.await_mail("printer@contoso.com")
    assert b"(using TLSv1 with cipher AES128-SHA (128/128 bits))" in mail


def test_an_old_printer_is_refused_elsewhere_and_the_house_lives_on(relay: House) -> None:
    with relay.wire() as wire:
        assert wire.greeted().say(b"STARTTLS\r\n").startswith("220 ")
        with pytest.raises(SSL.Error, match="protocol version"):
            tls_1_0(wire).do_handshake()
    wait_for(lambda: any("TLS versions" in line["reason"] for line in relay.log_lines("tls failed")))
    assert is_well(relay)


# Certificates replaced while serving


def serial(wire: Wire) -> str:
    certificate = wire.tls.getpeercert()
    assert certificate
    return str(certificate["serialNumber"])


@pytest.fixture
def shown(relay: House, context: ssl.SSLContext) -> Callable[[], str]:
    """The serial number of the certificate that a new session is shown."""

    def shown() -> str:
        with relay.wire(port=REPLACED) as wire:
            return serial(wire.greeted().upgrade(context))

    return shown


def test_a_replaced_certificate_is_used_at_once_and_open_sessions_go_on(
    relay: House, authority: trustme.CA, context: ssl.SSLContext, shown: Callable[[], str]
) -> None:
    with relay.wire(port=REPLACED) as before:
        before.greeted().upgrade(context)
        old = serial(before)
        put_certificate(relay.folder, authority.issue_cert("relay.test"))
        # each worker looks once a second: new to all within 2 s
        wait_for(lambda: old not in [shown() for _ in range(8)], what="the new certificate")
        assert before.send_mail("a@fabrikam.test", "undisturbed@contoso.com").startswith("250 2.6.0 ")


@pytest.mark.parametrize("broken", ["half a certificate", "a key that does not fit", "no file"])
def test_a_broken_certificate_leaves_the_old_one_in_use(
    relay: House, authority: trustme.CA, shown: Callable[[], str], broken: str
) -> None:
    file = relay.folder / "replaced.pem"
    good = file.read_bytes()
    wait_for(lambda: len({shown() for _ in range(8)}) == 1, what="all workers to agree")
    before, warnings = shown(), len(relay.log_lines("certificate not reloaded"))
    match broken:
        case "half a certificate":
            file.write_bytes(good[: len(good) // 3])
        case "a key that does not fit":
            file.write_bytes(authority.issue_cert("relay.test").cert_chain_pems[0].bytes())
        case _:
            file.unlink()
    wait_for(lambda: len(relay.log_lines("certificate not reloaded")) >= warnings + len(relay.workers))
    assert {shown() for _ in range(8)} == {before}
    put_certificate(relay.folder, authority.issue_cert("relay.test"))
    wait_for(lambda: before not in [shown() for _ in range(8)], what="the repaired certificate")
