"""What makes no sense is said before anything is sent, in one line."""

from typing import Any

import pytest

from posthouse.net.certificates import Authority
from posthouse.probe.send import Attachment, SendOptions

GOOD: dict[str, Any] = {"server": "mx.example.net", "sender": "app@contoso.com", "recipients": ["bob@example.net"]}


@pytest.mark.parametrize(
    ("changes", "complaint"),
    [
        ({"server": ""}, "either a server or a domain"),
        ({"mx": "example.net"}, "either a server or a domain"),
        ({"recipients": []}, "at least one"),
        ({"recipients": ["bob@example.net", ""]}, "at least one"),
        ({"recipients": "bob@example.net"}, "not one text"),
        ({"recipients": ["bob\r\nRSET"]}, "one line"),
        ({"sender": "app@contoso.com> SIZE=1\r\nRSET"}, "one line"),
        ({"port": 0}, "1 to 65535"),
        ({"port": 65536}, "1 to 65535"),
        ({"tls": "ssl"}, "none, starttls, implicit"),
        ({"tls_profile": "old"}, "modern, intermediate, legacy"),
        ({"raw": b"Subject: a\r\n\r\n", "subject": "b"}, "no subject, body or attachment"),
        ({"raw": b"", "attachments": [Attachment("a", b"")]}, "no subject, body or attachment"),
        ({"raw": b"", "body": "b"}, "no subject, body or attachment"),
        ({"password": "secret"}, "needs its user"),
        ({"user": "scanner", "mechanism": "CRAM-MD5"}, "XOAUTH2, PLAIN, LOGIN"),
        ({"mechanism": "PLAIN"}, "needs its user"),
        ({"envid": "a" * 101}, "100 printable ASCII"),
        ({"envid": "Ü"}, "100 printable ASCII"),
        ({"envid": "a\r\nRSET"}, "100 printable ASCII"),
        ({"helo": "my host"}, "host name"),
        ({"helo": "host\r\nRSET"}, "host name"),
        ({"source": "localhost"}, "source localhost: it should be an IP address"),
        ({"nameservers": ["ns.example.net"]}, "name server ns.example.net: it should be an IP address"),
        ({"timeout": 0}, "more than 0 seconds"),
        ({"timeout": float("nan")}, "more than 0 seconds"),
        ({"subject": "\udcff"}, "not valid Unicode"),
        ({"body": "\udcff"}, "not valid Unicode"),
    ],
)
def test_bad_options(changes: dict[str, Any], complaint: str) -> None:
    with pytest.raises(ValueError, match=r"^[^\r\n]+$") as raised:
        SendOptions(**GOOD | changes)
    assert complaint in str(raised.value)


def test_a_client_certificate_needs_tls() -> None:
    identity = Authority.create("CA").issue(["app.contoso.com"])
    with pytest.raises(ValueError, match="a client certificate needs TLS: starttls or implicit"):
        SendOptions(**GOOD, identity=identity)
    assert SendOptions(**GOOD, identity=identity, tls="starttls").identity is identity


def test_secrets_are_not_in_what_is_printed_of_options() -> None:
    assert "s3cret" not in repr(SendOptions(**GOOD, user="scanner", password="s3cret"))
