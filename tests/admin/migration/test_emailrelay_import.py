"""E-MailRelay's configuration files and command lines, as its reference and user guide write them."""

from __future__ import annotations

from typing import Any

import pytest

CONF = """#
# emailrelay.conf
#
close-stderr
log
as-server
spool-dir /var/spool/emailrelay
port 587
forward-to smtp.example.com:587
client-tls
client-tls-required
client-auth /etc/emailrelay.auth
server-auth /etc/emailrelay.auth
remote-clients
size 50000000
filter /usr/lib/emailrelay/filter.sh
"""
SECRETS = """# emailrelay secrets file
client plain bob password+21+20x
server plain alice e+3Dmc2
server plain:b Y2Fyb2w= cGFzcw==
server none 192.168.0.* localipv4
server none fc00::/7 localipv6
server md5 dave Or9RzqbiyG274KCY4bnnqKsH77SKdgvoDANvOZHvscaM
"""


def test_a_submission_server_for_a_smart_host(read: Any) -> None:
    document = read("emailrelay.conf", CONF, **{"emailrelay.auth": SECRETS}).document
    assert document == {
        "outbound_connector": [
            {
                "name": "E-MailRelay forward-to",
                "recipient_domains": ["*"],
                "smart_hosts": ["smtp.example.com"],
                "port": 587,
                "tls_settings": "EncryptionOnly",
                "credential": ["E-MailRelay forward-to"],
            }
        ],
        "inbound_connector": [
            {
                "name": "E-MailRelay clients",
                "connector_type": "OnPremises",
                "sender_credentials": [
                    {"user": "alice", "password": "e=mc2"},
                    {"user": "carol", "password": "pass"},
                ],
                "sender_ip_addresses": ["192.168.0.0/24", "fc00::/7"],
            }
        ],
        "credential": [
            {"name": "E-MailRelay forward-to", "kind": "password", "user": "bob", "secret": "password! x"},
        ],
        "limits": {"message_size": 50000000},
    }


def test_passwords_are_in_no_line(read: Any) -> None:
    findings = read("emailrelay.conf", CONF, **{"emailrelay.auth": SECRETS})
    told = f"{findings}{findings.understood}{findings.not_taken}"
    assert [secret for secret in ("password!", "e=mc2", "e+3Dmc2", "Or9Rz", "cGFzcw") if secret in told] == []


def test_what_is_left_and_why(read: Any, reasons: Any) -> None:
    told = reasons(read("emailrelay.conf", CONF, **{"emailrelay.auth": SECRETS}))
    assert told["filter"] == "mail is not filtered here"
    assert told["port"] == "set the address of a listener in posthouse.toml"
    assert "only plain passwords" in told["server-auth"]
    assert "accepted one" in told["forward-to"]


@pytest.mark.parametrize(
    "line",
    [
        "emailrelay --as-server --forward-to smtp.example.com:25 --client-tls --size=1000 -r",
        "/usr/sbin/emailrelay -drm -o smtp.example.com -j -M 1000",
        'start "relay" "C:\\E-MailRelay\\emailrelay.exe" --as-proxy=smtp.example.com:smtp -j -r --size 1000',
        "ExecStart=/usr/sbin/emailrelay --remote-clients --forward-to smtp.example.com:25 --client-tls --size 1000",
    ],
)
def test_a_command_line(read: Any, line: str) -> None:
    document = read("relay.txt", f"# the line that starts it\n{line}\n").document
    (connector,) = document["outbound_connector"]
    assert (connector["smart_hosts"], connector["port"]) == (["smtp.example.com"], 25)
    assert document["limits"] == {"message_size": 1000}
    assert "192.168.0.0/16" in document["inbound_connector"][0]["sender_ip_addresses"]


def test_without_remote_clients_only_this_machine(read: Any) -> None:
    (connector,) = read("emailrelay.conf", "as-server\nforward-to h.example:25\n").document["inbound_connector"]
    assert connector["sender_ip_addresses"] == ["127.0.0.0/8", "::1"]


def test_a_missing_secrets_file_lets_nobody_relay(read: Any, reasons: Any) -> None:
    findings = read("emailrelay.conf", "as-server\nremote-clients\nserver-auth /etc/none.auth\nforward-to h.example\n")
    assert "copy it there" in reasons(findings)["server-auth"]
    assert findings.document["inbound_connector"] == [{"name": "E-MailRelay clients", "connector_type": "OnPremises"}]


def test_a_verified_name(read: Any) -> None:
    conf = "forward-to h.example\nclient-tls\nclient-tls-verify /etc/ca.pem\nclient-tls-verify-name mail.h.example\n"
    (connector,) = read("emailrelay.conf", conf).document["outbound_connector"]
    assert (connector["tls_settings"], connector["tls_domain"]) == ("DomainValidation", "mail.h.example")


def test_a_login_on_the_command_line(read: Any) -> None:
    """`plain:` with user and password in base64."""
    findings = read("relay.sh", "emailrelay --forward-to h.example --client-auth plain:Ym9i:czNjcmV0LXBhc3M= -r\n")
    assert findings.document["credential"][0]["secret"] == "s3cret-pass"
    assert "czNj" not in f"{findings.understood}{findings.not_taken}"


def test_a_value_with_a_dash_is_no_command_line(read: Any, reasons: Any) -> None:
    findings = read("emailrelay.conf", "forward-to h.example\nfilter /usr/lib/spam -v\ntls-config -tlsv1.2\n")
    assert {"filter", "tls-config"} <= reasons(findings).keys()


OLD_SECRETS = """#
# emailrelay secrets file
#
LOGIN client jsmith my+20password
NONE server 192.168.0.* localdomain
LOGIN server user1 S3cret
CRAM-MD5 server user2 2798539199.3144534242
garbage S3cret
"""


def test_secrets_of_version_1(read: Any) -> None:
    """The mechanism came first: https://emailrelay.sourceforge.net/"""
    conf = "as-server\nforward-to h.example\nclient-auth old.auth\nserver-auth old.auth\nverifier /bin/true\n"
    findings = read("emailrelay.conf", conf, **{"old.auth": OLD_SECRETS})
    assert findings.document["credential"][0]["secret"] == "my password"
    (connector,) = findings.document["inbound_connector"]
    assert connector["sender_credentials"] == [{"user": "user1", "password": "S3cret"}]
    assert connector["sender_ip_addresses"] == ["192.168.0.0/24"]
    told = {(line.where, line.setting, line.value) for line in findings.not_taken}
    assert {("old.auth:7", "server-auth", "server cram-md5"), ("old.auth:8", "server-auth", "")} <= told
    assert ("emailrelay.conf:5", "verifier", "/bin/true") in told
    assert "S3cret" not in f"{findings.understood}{findings.not_taken}"


@pytest.mark.parametrize("where", ["/pam", "pam:"])
def test_logins_of_the_machine_let_nobody_relay(read: Any, reasons: Any, where: str) -> None:
    findings = read("emailrelay.conf", f"as-server\nremote-clients\nserver-auth {where}\nforward-to h.example\n")
    assert "of that machine" in reasons(findings)["server-auth"]
    assert findings.document["inbound_connector"] == [{"name": "E-MailRelay clients", "connector_type": "OnPremises"}]
