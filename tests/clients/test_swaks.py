"""swaks, the Swiss army knife for SMTP."""

from __future__ import annotations

from itertools import count
from typing import Any

import pytest

from support.programs import output_of

STRANGER = ["--local-interface", "127.0.0.66"]
LOGIN = ["--auth-user", "scanner-2", "--auth-password", "tray 4"]
CERTIFICATE = ["--tls-cert", "app.pem", "--tls-key", "app.key"]
_numbers = count(1)


def swaks(relay: Any, *options: str, port: int = 2525, to: str) -> str:
    """The dialogue as swaks saw it."""
    return output_of(
        *("swaks", "--server", relay.address, "--port", str(port), "--helo", "device.test"),
        *("--from", "scanner@contoso.com", "--to", to, "--body", "Scan\n.\n..dots\n"),
        *options,
        folder=relay.folder,
    )


@pytest.mark.parametrize(
    ("options", "port", "protocol", "connector"),
    [
        pytest.param(["--protocol", "SMTP"], 2525, b"SMTP", b"Devices", id="HELO"),
        pytest.param([], 2525, b"ESMTP", b"Devices", id="EHLO"),
        pytest.param(["--tls", "--tls-verify", "--tls-ca-path", "ca.pem"], 2525, b"ESMTPS", b"Devices", id="STARTTLS"),
        pytest.param(["--tlsc", "--tls-verify", "--tls-ca-path", "ca.pem"], 2465, b"ESMTPS", b"Devices", id="implicit"),
        pytest.param(["--tls", "--auth", "LOGIN", *LOGIN, *STRANGER], 2525, b"ESMTPSA", b"Logins", id="AUTH LOGIN"),
        pytest.param(["--tls", "--auth", "PLAIN", *LOGIN, *STRANGER], 2525, b"ESMTPSA", b"Logins", id="AUTH PLAIN"),
        pytest.param(["--auth", "LOGIN", *LOGIN, *STRANGER], 2587, b"ESMTPA", b"Logins", id="AUTH without TLS"),
        pytest.param(["--tls", *CERTIFICATE, *STRANGER], 2525, b"ESMTPS", b"Certificates", id="certificate"),
        pytest.param(["--tlsc", *CERTIFICATE, *STRANGER], 2465, b"ESMTPS", b"Certificates", id="implicit, certificate"),
        pytest.param(["--pipeline"], 2525, b"ESMTP", b"Devices", id="PIPELINING"),
        pytest.param(["--pipeline", "--tls"], 2525, b"ESMTPS", b"Devices", id="PIPELINING, STARTTLS"),
    ],
)
def test_it_hands_in_a_mail_for_a_colleague_and_a_customer(
    relay: Any, options: list[str], port: int, protocol: bytes, connector: bytes
) -> None:
    number = next(_numbers)
    swaks(relay, *options, port=port, to=f"swaks-{number}@contoso.com,swaks-{number}@example.net")

    for mail in (relay.arrived(f"swaks-{number}@contoso.com"), relay.went_out(f"swaks-{number}@example.net").content):
        assert b"\r\n\tby relay.test with %b id " % protocol in mail
        assert b"\r\n\t(connector %b)" % connector in mail
        assert b"\r\n\r\nScan\r\n.\r\n..dots\r\n" in mail
        assert b"\tfor <" not in mail


def test_a_flight_of_pipelined_commands_is_answered_in_order(relay: Any) -> None:
    dialogue = swaks(relay, "--pipeline", to="pipelined@contoso.com").splitlines()
    sent = next(index for index, line in enumerate(dialogue) if line.startswith(" -> MAIL FROM"))
    said = [line.strip()[:10].rstrip() for line in dialogue[sent : sent + 6]]
    assert said == ["-> MAIL FR", "-> RCPT TO", "-> DATA", "<-  250 2.", "<-  250 2.", "<-  354 St"]


def test_a_wrong_password_is_refused(relay: Any) -> None:
    wrong = ["--tls", "--auth", "PLAIN", "--auth-user", "scanner-2", "--auth-password", "tray 5", *STRANGER]
    with pytest.raises(AssertionError, match=r"<~\* 535 5\.7\.3 Authentication unsuccessful"):
        swaks(relay, *wrong, to="user@example.net")


def test_a_stranger_with_no_proof_is_refused(relay: Any) -> None:
    with pytest.raises(AssertionError, match=r"<\*\* 550 5\.7\.64 TenantAttribution; Relay Access Denied"):
        swaks(relay, *STRANGER, to="user@example.net")
