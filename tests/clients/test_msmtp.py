"""msmtp, the sendmail of machines without a mail server."""

from __future__ import annotations

from typing import Any

import pytest

from support.programs import output_of

MAIL = "From: scanner@contoso.com\nSubject: Scan\n\nScan\n.\n..dots\n"
STARTTLS = ["--tls=on", "--tls-starttls=on"]
IMPLICIT = ["--tls=on", "--tls-starttls=off"]
STRANGER = ["--source-ip=127.0.0.66"]
CERTIFICATE = ["--tls-cert-file=app.pem", "--tls-key-file=app.key"]
LOGIN = ["--user=scanner-2", "--passwordeval=echo 'tray 4'"]


def msmtp(relay: Any, *options: str, port: int = 2525, sender: str = "scanner@contoso.com", to: list[str]) -> None:
    output_of(
        *("msmtp", f"--host={relay.address}", f"--port={port}", "--domain=device.test", f"--from={sender}"),
        *("--tls-trust-file=ca.pem", "--tls-host-override=relay.test"),
        *options,
        *("--", *to),
        stdin=MAIL,
        folder=relay.folder,
    )


@pytest.mark.parametrize(
    ("options", "port", "protocol", "connector"),
    [
        pytest.param([], 2525, b"ESMTP", b"Devices", id="plain"),
        pytest.param(STARTTLS, 2525, b"ESMTPS", b"Devices", id="starttls"),
        pytest.param(IMPLICIT, 2465, b"ESMTPS", b"Devices", id="implicit"),
        pytest.param([*STARTTLS, "--auth=login", *LOGIN, *STRANGER], 2525, b"ESMTPSA", b"Logins", id="login"),
        pytest.param([*STARTTLS, "--auth=plain", *LOGIN, *STRANGER], 2525, b"ESMTPSA", b"Logins", id="plain-auth"),
        pytest.param([*IMPLICIT, "--auth=on", *LOGIN, *STRANGER], 2465, b"ESMTPSA", b"Logins", id="implicit-auth"),
        pytest.param([*STARTTLS, *CERTIFICATE, *STRANGER], 2525, b"ESMTPS", b"Certificates", id="certificate"),
    ],
)
def test_it_hands_in_a_mail_for_a_colleague_and_a_customer(
    relay: Any, options: list[str], port: int, protocol: bytes, connector: bytes, request: pytest.FixtureRequest
) -> None:
    to = [f"msmtp-{request.node.callspec.id}@{domain}" for domain in ("contoso.com", "example.net")]
    msmtp(relay, *options, port=port, to=to)

    for mail in (relay.arrived(to[0]), relay.went_out(to[1]).content):
        assert b"\r\n\tby relay.test with %b id " % protocol in mail
        assert b"\r\n\t(connector %b)" % connector in mail
        assert mail.endswith(b"\r\n\r\nScan\r\n.\r\n..dots\r\n")


def test_notifications_are_ours_for_a_mailbox_and_the_next_hops_for_a_customer(relay: Any) -> None:
    to = ["msmtp-notified@contoso.com", "msmtp-notified@example.net"]
    msmtp(relay, "--dsn-notify=success,failure", "--dsn-return=headers", sender="asks-dsn@contoso.com", to=to)

    notification = relay.arrived("asks-dsn@contoso.com")
    assert b"\r\nFinal-Recipient: rfc822;msmtp-notified@contoso.com\r\n" in notification.replace(b"; ", b";")
    assert b"\r\nAction: delivered\r\n" in notification
    passed_on = relay.went_out("msmtp-notified@example.net")
    assert "NOTIFY=SUCCESS,FAILURE" in passed_on.recipients[0]
    assert "RET=HDRS" in passed_on.mail


def test_it_reads_what_we_can(relay: Any) -> None:
    told = output_of("msmtp", "--serverinfo", f"--host={relay.address}", "--port=2525", "--tls=off")
    assert "    relay.test ESMTP Posthouse\n" in told
    assert [
        word for word in ("SIZE 157286400:", "PIPELINING:", "STARTTLS:", "DSN:") if f"    {word}\n" not in told
    ] == []


def test_a_refused_recipient_is_its_failure_and_nothing_is_sent(relay: Any) -> None:
    with pytest.raises(AssertionError, match=r"550 5\.7\.64 TenantAttribution"):
        msmtp(relay, *STRANGER, to=["msmtp-half@contoso.com", "msmtp-half@example.net"])
    assert relay.house.mailbox("msmtp-half@contoso.com") == []
