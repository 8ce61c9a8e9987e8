"""What becomes of mail when the next hop refuses, misbehaves, is down, or wants it another way."""

from __future__ import annotations

import base64
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    pkcs12,
)

from net.tls_peers import load_into
from posthouse.net.certificates import load_pem, self_signed
from support.house import House, MakeHouse, own_address, wait_for
from support.internet import RELAY, SMTP, Internet
from support.peers import CLOSE, EXTENSIONS, GARBAGE, GOOD, HALF_LINE, SILENCE, Answer, Peer

Entry = dict[str, Any]

TLS_CONNECTORS = "".join(
    f"""
[[outbound_connector]]
name = "{settings}"
recipient_domains = ["*.{settings.lower()}.test"]
use_mx_record = true
port = {SMTP}
tls_settings = "{settings}"
"""
    for settings in ("EncryptionOnly", "CertificateValidation", "DomainValidation")
)

NEVER_AGAIN = {"retry_after": ["1s", "1h"], "give_up_after": "10m"}
"""A second try after a second; when that fails too, the mail is given up."""


@pytest.fixture(scope="module")
def ca() -> trustme.CA:
    return trustme.CA()


@pytest.fixture(scope="module")
def relay(shared_house: MakeHouse, internet: Internet, ca: trustme.CA) -> House:
    roots = f"trusted_roots = ['''{ca.cert_pem.bytes().decode()}''']\n"
    relay = shared_house(roots + RELAY + TLS_CONNECTORS, internet.settings(**NEVER_AGAIN))
    relay.apply()
    return relay.start()


def tried(count: int) -> Callable[[list[Entry]], bool]:
    """That so many recipients have been tried."""
    return lambda entries: len(entries) == count and all(entry["reply"] for entry in entries)


def over(count: int) -> Callable[[list[Entry]], bool]:
    """That so many recipients have come to their end."""
    return lambda entries: (
        len(entries) == count and all(entry["status"] in ("delivered", "failed") for entry in entries)
    )


def ends(relay: House, sender: str, count: int, tell: Callable[[Entry], str]) -> dict[str, str]:
    """What became of the sender's mail in the end, by the name of the host it was for."""
    entries = relay.trace("--from", sender, "--limit", "1000", until=over(count))
    return {entry["recipient"].partition("@")[2].removesuffix(".test"): tell(entry) for entry in entries}


def first_word(entry: Entry) -> str:
    """How the first attempt ended."""
    deferrals = [event["detail"] for event in entry["events"] if event["event"] == "deferred"]
    return f"deferred {deferrals[0].split()[1]}" if deferrals else last_word(entry)


def last_word(entry: Entry) -> str:
    return f"{entry['status']} {entry['reply'].split()[1]}"


STAGES = {
    "connect": "CONNECT",
    "ehlo": "EHLO",
    "mail": "MAIL",
    "rcpt": "RCPT",
    "data": "DATA",
    "content": "CONTENT",
}

PASSING: dict[str, tuple[Answer, str]] = {
    "later": ("451 4.3.0 not now", "4.3.0"),
    "down": ("421 4.3.2 going down", "4.3.2"),
    "close": (CLOSE, "4.4.2"),
    "half": (HALF_LINE, "4.4.2"),
    "garbage": (GARBAGE, "4.5.0"),
}


class TestStages:
    def test_a_passing_trouble_is_tried_again_and_the_mail_arrives_once(self, relay: House, internet: Internet):
        peers: dict[str, Peer] = {}
        expected: dict[str, str] = {}
        for stage, verb in STAGES.items():
            for trouble, (answer, enhanced) in PASSING.items():
                host = f"{trouble}-at-{stage}"
                peers[host] = internet.host(f"{host}.test", **{verb: [answer, GOOD]})
                expected[host] = f"deferred {enhanced}, delivered 2.0.0"
                relay.send("stages@contoso.com", f"b@{host}.test")

        found = ends(relay, "stages@contoso.com", len(peers), lambda entry: f"{first_word(entry)}, {last_word(entry)}")

        assert found == expected
        assert {host: len(peer.messages) for host, peer in peers.items()} == dict.fromkeys(peers, 1)

    def test_a_final_no_fails_at_once_and_the_sender_is_told(self, relay: House, internet: Internet):
        for stage, verb in STAGES.items():
            script = {verb: "550 5.7.1 never", **({"HELO": "550 5.7.1 never"} if verb == "EHLO" else {})}
            internet.host(f"no-at-{stage}.test", **script)
            relay.send("refused@contoso.com", f"b@no-at-{stage}.test")

        found = ends(relay, "refused@contoso.com", len(STAGES), lambda entry: f"{entry['attempts']} {entry['reply']}")

        assert found == {f"no-at-{stage}": "1 550 5.7.1 never" for stage in STAGES}
        dsns = relay.await_mail("refused@contoso.com", len(STAGES))
        assert all(b"said: 550 5.7.1 never" in dsn for dsn in dsns)

    def test_mail_that_cannot_be_delivered_in_time_is_given_up(self, relay: House, internet: Internet):
        peer = internet.host("never.test", MAIL="451 4.3.0 not now")
        relay.send("patient@contoso.com", "b@never.test")

        (dsn,) = relay.await_mail("patient@contoso.com")

        assert len(peer.sessions[0].commands) > 1
        assert b"Status: 5.4.7" in dsn
        assert b"the last answer was: 451 4.3.0 not now" in b" ".join(dsn.split())
        assert ends(relay, "patient@contoso.com", 1, lambda entry: entry["reply"]) == {
            "never": "550 5.4.7 Delivery time expired; the last answer was: 451 4.3.0 not now"
        }


class TestRecipients:
    def test_each_has_a_fate_of_its_own(self, relay: House, internet: Internet):
        peer = internet.host("three.test", RCPT=["250 ok", "550 5.1.1 unknown", "450 4.2.1 busy", GOOD])
        relay.submit("three@contoso.com", "one@three.test", "two@three.test", "three@three.test")

        entries = relay.trace(
            "--from",
            "three@contoso.com",
            until=lambda found: {entry["status"] for entry in found} == {"delivered", "failed"},
        )

        assert {entry["recipient"]: f"{first_word(entry)}, {last_word(entry)}" for entry in entries} == {
            "one@three.test": "delivered 2.0.0, delivered 2.0.0",
            "two@three.test": "failed 5.1.1, failed 5.1.1",
            "three@three.test": "deferred 4.2.1, delivered 2.0.0",
        }
        assert [message.recipients for message in peer.messages] == [
            ["RCPT TO:<one@three.test>"],
            ["RCPT TO:<three@three.test>"],
        ]
        (dsn,) = relay.await_mail("three@contoso.com")
        assert b"Final-Recipient: rfc822; two@three.test" in dsn
        assert dsn.count(b"Final-Recipient:") == 1

    def test_a_silent_destination_does_not_hold_back_the_others(self, relay: House, internet: Internet):
        silent = internet.host("silent.test", CONNECT=SILENCE)
        for _ in range(30):
            relay.send("hurried@contoso.com", "b@silent.test")
        wait_for(silent.contacted.is_set)
        alive = internet.host("alive.test")

        relay.submit("hurried@contoso.com", "b@silent.test", "b@alive.test")

        wait_for(lambda: alive.messages)


class TestFailOver:
    def test_the_smart_host_that_works_gets_the_mail(self, house: MakeHouse, internet: Internet):
        nobody = own_address()
        busy = internet.listen(own_address(), CONNECT="421 4.3.2 busy")
        works = internet.listen(own_address())
        hosts = [nobody, *(str(peer.server_address[0]) for peer in (busy, works))]
        smart = RELAY.replace("use_mx_record = true", f"smart_hosts = {hosts}")
        relay = house(smart)
        relay.apply()
        relay.start()

        relay.send("a@contoso.com", "b@smart.test")
        relay.send("a@contoso.com", "c@other.test")

        wait_for(lambda: len(works.messages) == 2)
        assert busy.sessions
        assert (
            relay.trace("--to", "b@smart.test", until=lambda found: found[0]["status"] == "delivered")[0]["remote"]
            == f"{hosts[2]} [{hosts[2]}]"
        )
        assert relay.stop() == 0
        assert works.sessions[-1].commands[-1] == "QUIT"


IMPATIENT = """
from posthouse.transports import SmtpTransport, Timeouts
SmtpTransport.__init__.__kwdefaults__["timeouts"] = Timeouts(*[3] * 8)
"""


class TestSilence:
    def test_a_next_hop_that_says_nothing_is_tried_again(self, house: MakeHouse, internet: Internet):
        relay = house(RELAY, internet.settings(retry_after=["1s"]))
        relay.apply()
        relay.patch(IMPATIENT)
        relay.start()
        scripts = {f"silent-at-{stage}": {verb: [SILENCE, GOOD]} for stage, verb in STAGES.items()}
        peers = {name: internet.host(f"{name}.test", **script) for name, script in scripts.items()}
        for name in peers:
            relay.send("a@contoso.com", f"b@{name}.test")

        found = ends(relay, "a@contoso.com", len(peers), lambda entry: f"{first_word(entry)}, {last_word(entry)}")

        assert found == dict.fromkeys(peers, "deferred 4.4.2, delivered 2.0.0")
        assert {name: len(peer.messages) for name, peer in peers.items()} == dict.fromkeys(peers, 1)

    def test_one_that_does_not_answer_quit_holds_up_no_shutdown(self, house: MakeHouse, internet: Internet):
        relay = house(RELAY, internet.settings())
        relay.apply()
        relay.patch(IMPATIENT)
        relay.start()
        answers: dict[str, Answer] = {"close": CLOSE, "half": HALF_LINE, "garbage": GARBAGE, "silent": SILENCE}
        peers = [internet.host(f"quit-{name}.test", QUIT=answer) for name, answer in answers.items()]
        for name in answers:
            relay.send("a@contoso.com", f"b@quit-{name}.test")
        wait_for(lambda: all(peer.messages for peer in peers))

        assert relay.stop() == 0

        assert [peer.sessions[0].commands[-1] for peer in peers] == ["QUIT"] * len(peers)
        assert {entry["status"] for entry in relay.trace()} == {"delivered"}


WITHOUT = {missing: tuple(each for each in EXTENSIONS if each != missing) for missing in EXTENSIONS}
CONTENT = b"Subject: Gr\xc3\xbc\xc3\x9fe\r\n\r\n.dot\r\n..\r\nlast\r\n"


class TestExtensions:
    def test_mail_goes_in_the_way_that_the_next_hop_knows(self, relay: House, internet: Internet):
        ways: dict[str, dict[str, Any]] = {
            "pipelined": {},
            "one-by-one": {"extensions": WITHOUT["PIPELINING"]},
            "chunked": {"extensions": (*EXTENSIONS, "CHUNKING")},
            "helo-only": {"EHLO": "502 5.5.1 what?"},
        }
        peers = {way: internet.host(f"{way}.test", **script) for way, script in ways.items()}
        for way in ways:
            relay.submit("ways@contoso.com", f"b@{way}.test", f"c@{way}.test", content=CONTENT.replace(b"\xc3", b"A"))

        wait_for(lambda: all(peer.messages for peer in peers.values()))

        for peer in peers.values():
            (message,) = peer.messages
            assert message.recipients == [
                f"RCPT TO:<{name}@{way}.test>" for way in ways if peers[way] is peer for name in "bc"
            ]
            assert message.content.endswith(b"\r\n\r\n.dot\r\n..\r\nlast\r\n")
        verbs = {way: [command.split()[0] for command in peer.sessions[0].commands] for way, peer in peers.items()}
        assert "BDAT" in verbs["chunked"]
        assert "DATA" not in verbs["chunked"]
        assert verbs["helo-only"][:2] == ["EHLO", "HELO"]

    def test_mail_that_needs_what_the_next_hop_lacks_fails(self, relay: House, internet: Internet):
        small = internet.host("size.test", extensions=("SIZE 100", "8BITMIME"))
        ascii_only = internet.host("8bit.test", extensions=WITHOUT["8BITMIME"])
        old = internet.host("utf8.test", extensions=WITHOUT["SMTPUTF8"])
        relay.submit("needy@contoso.com", "b@size.test", content=b"Subject: x\r\n\r\n" + b"x" * 100)
        relay.submit("needy@contoso.com", "b@8bit.test", content=CONTENT, mail=["BODY=8BITMIME"])
        relay.submit("needy@contoso.com", "grüße@utf8.test", content=CONTENT, mail=["BODY=8BITMIME", "SMTPUTF8"])

        found = ends(relay, "needy@contoso.com", 3, last_word)

        assert found == {"size": "failed 5.3.4", "8bit": "failed 5.6.3", "utf8": "failed 5.6.7"}
        assert not any(peer.messages for peer in (small, ascii_only, old))
        assert len(relay.await_mail("needy@contoso.com", 3)) == 3

    def test_mail_that_needs_it_passes_where_it_is_there(self, relay: House, internet: Internet):
        peer = internet.host("modern.test")
        relay.submit("grüße@contoso.com", "grüße@modern.test", content=CONTENT, mail=["BODY=8BITMIME", "SMTPUTF8"])

        wait_for(lambda: peer.messages)

        (message,) = peer.messages
        assert message.mail.startswith("MAIL FROM:<grüße@contoso.com> SIZE=")
        assert message.mail.endswith("BODY=8BITMIME SMTPUTF8")
        assert message.recipients == ["RCPT TO:<grüße@modern.test>"]
        assert message.content.endswith(b"\r\n" + CONTENT)


REFUSED = "deferred 4.7.5"
NOT_OFFERED = "deferred 4.7.4"
OVER_TLS = "over TLS"
IN_THE_CLEAR = "in the clear"

TLS_FATES = {
    # the next hop:     opportunistic, EncryptionOnly, CertificateValidation, DomainValidation
    "plain": (IN_THE_CLEAR, NOT_OFFERED, NOT_OFFERED, NOT_OFFERED),
    "broken": (IN_THE_CLEAR, REFUSED, REFUSED, REFUSED),
    "unwilling": (IN_THE_CLEAR, NOT_OFFERED, NOT_OFFERED, NOT_OFFERED),
    "self-signed": (OVER_TLS, OVER_TLS, REFUSED, REFUSED),
    "stranger": (OVER_TLS, OVER_TLS, REFUSED, REFUSED),
    "expired": (OVER_TLS, OVER_TLS, REFUSED, REFUSED),
    "other-name": (OVER_TLS, OVER_TLS, OVER_TLS, REFUSED),
    "right": (OVER_TLS, OVER_TLS, OVER_TLS, OVER_TLS),
}
ZONES = ("opportunistic", "encryptiononly", "certificatevalidation", "domainvalidation")


class TestTls:
    def test_it_goes_as_far_as_the_connector_wants(
        self, relay: House, internet: Internet, ca: trustme.CA, tmp_path: Path
    ):
        yesterday = datetime.now(UTC) - timedelta(days=1)
        scripts: dict[str, Callable[[str], dict[str, Any]]] = {
            "plain": lambda _: {},
            "broken": lambda host: {"tls": serving(ca.issue_cert(host)), "STARTTLS": CLOSE},
            "unwilling": lambda host: {"tls": serving(ca.issue_cert(host)), "STARTTLS": "454 4.7.0 not now"},
            "self-signed": lambda host: {"tls": serving_itself(host, tmp_path)},
            "stranger": lambda host: {"tls": serving(trustme.CA().issue_cert(host))},
            "expired": lambda host: {"tls": serving(ca.issue_cert(host, not_after=yesterday))},
            "other-name": lambda _: {"tls": serving(ca.issue_cert("other.example.org"))},
            "right": lambda host: {"tls": serving(ca.issue_cert(host))},
        }
        peers: dict[str, Peer] = {}
        for zone in ZONES:
            for name, script in scripts.items():
                domain = f"{name}.{zone}.test"
                peers[domain] = internet.host(domain, **script(domain))
                relay.send("tls@contoso.com", f"b@{domain}")

        entries = relay.trace("--from", "tls@contoso.com", "--limit", "1000", until=tried(len(peers)))

        def fate(entry: Entry) -> str:
            peer = peers[entry["recipient"].partition("@")[2]]
            if not peer.messages:
                return first_word(entry)
            return OVER_TLS if "TLS" in peer.sessions[-1].commands else IN_THE_CLEAR

        found = {entry["recipient"].partition("@")[2]: fate(entry) for entry in entries}
        assert {name: tuple(found[f"{name}.{zone}.test"] for zone in ZONES) for name in scripts} == TLS_FATES

    def test_our_certificate_is_shown_outside_and_kept_secret_inside(
        self, house: MakeHouse, internet: Internet, ca: trustme.CA
    ):
        """The connector names the PFX; from then on it is in the store, and nobody can read it there."""
        context = serving(ca.issue_cert("partner.test"))
        ca.configure_trust(context)
        context.verify_mode = ssl.CERT_REQUIRED
        peer = internet.host("partner.test", tls=context)
        password = "correct horse battery staple"
        leaf = ca.issue_cert("relay.contoso.com")
        pfx = pfx_of(leaf, password)
        relay = house(
            RELAY + 'client_certificate = { pfx = "relay.pfx", password_env = "PFX_PASSWORD" }\n', internet.settings()
        )
        (relay.folder / "relay.pfx").write_bytes(pfx)
        relay.apply(PFX_PASSWORD=password)
        (relay.folder / "relay.pfx").unlink()
        relay.start()

        relay.send("a@contoso.com", "b@partner.test")
        wait_for(lambda: peer.messages)

        assert ("DNS", "relay.contoso.com") in peer.sessions[0].client_certificate["subjectAltName"]
        exported = relay.run("export").stdout
        kept = {file.name: file.read_bytes() for file in relay.data_dir.rglob("*") if file.is_file()}
        assert {"posthouse.db", "posthouse.db-wal"} <= kept.keys()
        for text in (*kept.values(), relay.log.read_bytes(), exported.encode()):
            for secret in (*forms_of(leaf), pfx, pfx[200:300], password.encode()):
                assert secret not in text
        (thumbprint,) = (line for line in exported.splitlines() if line.startswith("thumbprint"))
        assert thumbprint.split('"')[1] == load_pem(*pems_of(leaf)).thumbprint

        relay.apply(exported)  # what was exported keeps the certificate, without file and password

        relay.send("a@contoso.com", "c@partner.test")
        wait_for(lambda: len(peer.messages) == 2)


def serving(leaf: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    leaf.configure_cert(context)
    return context


def serving_itself(host: str, folder: Path) -> ssl.SSLContext:
    """With a certificate that it made itself."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    load_into(context, self_signed(host), folder)
    return context


def pems_of(leaf: trustme.LeafCert) -> tuple[bytes, bytes]:
    return leaf.cert_chain_pems[0].bytes(), leaf.private_key_pem.bytes()


def pfx_of(leaf: trustme.LeafCert, password: str) -> bytes:
    identity = load_pem(*pems_of(leaf))
    return pkcs12.serialize_key_and_certificates(
        b"relay", identity.key, identity.certificate, None, BestAvailableEncryption(password.encode())
    )


def forms_of(leaf: trustme.LeafCert) -> list[bytes]:
    """The private number of a key in all the ways that somebody might have written it down."""
    key = load_pem(*pems_of(leaf)).key
    assert isinstance(key, ec.EllipticCurvePrivateKey)
    number = key.private_numbers().private_value.to_bytes(32)
    der = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    pem_lines = leaf.private_key_pem.bytes().splitlines()[1:-1]
    return [number, number.hex().encode(), number.hex().upper().encode(), base64.b64encode(number), der, *pem_lines]
