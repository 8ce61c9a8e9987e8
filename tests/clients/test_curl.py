"""curl, which speaks SMTP too."""

from __future__ import annotations

from typing import Any

import pytest

from support.programs import output_of

MAIL = b"From: scanner@contoso.com\r\nSubject: Scan\r\n\r\nScan\r\n.\r\n..dots\r\n"
STRANGER = ["--interface", "127.0.0.66"]
LOGIN = ["--user", "scanner-2:tray 4"]
CERTIFICATE = ["--cert", "app.pem", "--key", "app.key"]


def curl(relay: Any, *options: str, scheme: str = "smtp", port: int = 2525, to: list[str], mail: bytes = MAIL) -> None:
    (relay.folder / "mail").write_bytes(mail)
    output_of(
        *("curl", "--silent", "--show-error", "--url", f"{scheme}://{relay.address}:{port}/device.test"),
        *("--cacert", "ca.pem", "--upload-file", "mail", *options),
        *("--mail-from", "scanner@contoso.com", *(word for one in to for word in ("--mail-rcpt", one))),
        folder=relay.folder,
    )


@pytest.mark.parametrize(
    ("options", "protocol", "connector"),
    [
        pytest.param([], b"ESMTP", b"Devices", id="plain"),
        pytest.param(["--ssl-reqd"], b"ESMTPS", b"Devices", id="STARTTLS"),
        pytest.param(
            ["--ssl-reqd", *LOGIN, "--login-options", "AUTH=LOGIN", *STRANGER], b"ESMTPSA", b"Logins", id="AUTH LOGIN"
        ),
        pytest.param(
            ["--ssl-reqd", *LOGIN, "--login-options", "AUTH=PLAIN", *STRANGER], b"ESMTPSA", b"Logins", id="AUTH PLAIN"
        ),
        pytest.param(
            ["--ssl-reqd", *LOGIN, "--sasl-ir", *STRANGER], b"ESMTPSA", b"Logins", id="AUTH with initial response"
        ),
        pytest.param(["--ssl-reqd", *CERTIFICATE, *STRANGER], b"ESMTPS", b"Certificates", id="certificate"),
    ],
)
def test_it_hands_in_a_mail_for_a_colleague_and_a_customer(
    relay: Any, options: list[str], protocol: bytes, connector: bytes, request: pytest.FixtureRequest
) -> None:
    name = "curl-" + request.node.callspec.id.replace(" ", "-").lower()
    to = [f"{name}@contoso.com", f"{name}@example.net"]
    curl(relay, *options, to=to)

    for mail in (relay.arrived(to[0]), relay.went_out(to[1]).content):
        assert b"\r\n\tby relay.test with %b id " % protocol in mail
        assert b"\r\n\t(connector %b)" % connector in mail
        assert mail.endswith(b"\r\n\r\nScan\r\n.\r\n..dots\r\n")


def test_implicit_tls(relay: Any) -> None:
    curl(relay, scheme="smtps", port=2465, to=["curl-implicit@contoso.com"])
    assert b"\r\n\tby relay.test with ESMTPS id " in relay.arrived("curl-implicit@contoso.com")


def test_eight_mebibytes(relay: Any) -> None:
    scan = (b"0123456789abcdef" * 4 + b"\r\n") * 127_000
    curl(relay, "--ssl-reqd", to=["curl-large@contoso.com"], mail=MAIL + scan)
    assert relay.arrived("curl-large@contoso.com").endswith(b"\r\n..dots\r\n" + scan)


def test_verify_of_an_address_is_answered_without_telling(relay: Any) -> None:
    asked = output_of("curl", "--silent", "--url", f"smtp://{relay.address}:2525", "--mail-rcpt", "user@contoso.com")
    assert asked.startswith("252 ")


def test_a_refusal_is_its_failure(relay: Any) -> None:
    with pytest.raises(AssertionError, match=r"< 550 5\.7\.64 TenantAttribution; Relay Access Denied"):
        curl(relay, "--verbose", *STRANGER, to=["user@example.net"])
