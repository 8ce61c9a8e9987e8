"""A Postfix that relays to Office 365 by login, as many guides set it up: main.cf, master.cf and their tables."""

from __future__ import annotations

from typing import Any

import pytest

from posthouse.organization import from_document

MAIN = """\
myhostname = relay01.contoso.com
myorigin = /etc/mailname
mydestination = localhost
relayhost = [smtp.office365.com]:587
mynetworks = 127.0.0.0/8 [::ffff:127.0.0.0]/104 10.20.0.0/16
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = hash:/etc/postfix/sasl_passwd
smtp_sasl_security_options = noanonymous
smtp_tls_security_level = may
smtp_sender_dependent_authentication = yes
sender_canonical_maps = regexp:/etc/postfix/sender_canonical
smtp_generic_maps = hash:/etc/postfix/generic
transport_maps = hash:/etc/postfix/transport
relay_domains = contoso.com
"""
MASTER = """\
# service type  private unpriv  chroot  wakeup  maxproc command + args
smtp      inet  n       -       y       -       -       smtpd
submission inet n       -       y       -       -       smtpd
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o { smtpd_sasl_password = S3cret }
printers  unix  -       -       n       -       -       smtp
  -o smtp_tls_security_level=none
dovecot   unix  -       n       n       -       -       pipe flags=DRhu user=vmail argv=/usr/lib/dovecot/deliver
"""
BESIDE = {
    "master.cf": MASTER,
    "mailname": "contoso.com\n",
    "sasl_passwd": "[smtp.office365.com]:587 relay@contoso.com:p@ss:S3cret\n"
    "user2@contoso.com user2@contoso.com:S3cret\n",
    "sender_canonical": "/.+/    relay@contoso.com\n/^(.*)@old$/ ${1}@contoso.com\n",
    "generic": "@relay01.contoso.com noreply@contoso.com\n# only this host's\nroot admin@contoso.com\n",
    "transport": "# ways\nprinters.example printers:[192.0.2.9]\nlist.example dovecot:\n"
    "boss@contoso.com smtp:[h.example]\n",
}


@pytest.fixture
def findings(read: Any) -> Any:
    return read("main.cf", MAIN, **BESIDE)


def named(findings: Any, kind: str) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in findings.document[kind]}


def places(findings: Any) -> dict[str, set[str]]:
    """The settings that were not taken, by where they stand."""
    found: dict[str, set[str]] = {}
    for line in findings.not_taken:
        found.setdefault(line.where, set()).add(line.setting)
    return found


def test_the_login_signs_in_to_the_smart_host_and_only_over_tls(findings: Any) -> None:
    name = "Postfix [smtp.office365.com]:587"
    office = named(findings, "outbound_connector")[name]
    assert (office["credential"], office["tls_settings"], office["port"]) == ([name], "EncryptionOnly", 587)
    assert named(findings, "credential")[name]["secret"] == "p@ss:S3cret"
    document = {**findings.document, "credential": [{**findings.document["credential"][0], "secret": "name-of-it"}]}
    assert from_document(document).outbound[-1].credential == (name,)


def test_senders_get_another_address(findings: Any) -> None:
    for connector in findings.document["outbound_connector"]:
        assert connector["rewrite_from"] == ["relay@contoso.com", "@relay01.contoso.com=noreply@contoso.com"]


def test_a_transport_of_master_cf_goes_by_smtp(findings: Any) -> None:
    outbound = named(findings, "outbound_connector")
    assert outbound["Postfix [192.0.2.9]"]["recipient_domains"] == ["printers.example"]
    assert not any("list.example" in connector["recipient_domains"] for connector in outbound.values())


def test_the_domain_of_local_senders_is_in_a_file_on_debian(findings: Any, read: Any, reasons: Any) -> None:
    assert named(findings, "accepted_domain").keys() == {"contoso.com"}
    without = read("main.cf", "myhostname = a.example.org\nmyorigin = /etc/none\n")
    assert "copy the file" in reasons(without)["myorigin"]


def test_an_ipv4_mapped_network_is_the_ipv4_one(findings: Any) -> None:
    (connector,) = findings.document["inbound_connector"]
    assert connector["sender_ip_addresses"] == ["127.0.0.0/8", "10.20.0.0/16"]


def test_all_that_is_not_taken_has_its_file_and_line(findings: Any) -> None:
    found = places(findings)
    assert "smtp_sender_dependent_authentication" in found["main.cf:10"]
    assert found["master.cf:3"] == {
        "submission",
        "submission -o smtpd_relay_restrictions",
        "submission -o smtpd_sasl_password",
    }
    assert found["master.cf:6"] == {"printers -o smtp_tls_security_level"}
    assert found["sasl_passwd:2"] == {"smtp_sasl_password_maps: user2@contoso.com"}
    assert found["sender_canonical:2"] == {"sender_canonical_maps"}
    assert found["generic:3"] == {"smtp_generic_maps"}
    assert found["transport:4"] == {"transport_maps"}
    assert "relay_domains" in found["main.cf:14"]
    assert all(line.where.startswith("main.cf:") for line in findings.understood)


def test_a_password_is_in_no_line(findings: Any) -> None:
    assert "S3cret" not in f"{findings}{findings.understood}{findings.not_taken}"


@pytest.mark.parametrize("login", ["relay@contoso.com", "relay@contoso.com:", ":S3cret"])
def test_half_a_login_is_told_and_the_rest_is_taken(read: Any, reasons: Any, login: str) -> None:
    findings = read("main.cf", MAIN, **{**BESIDE, "sasl_passwd": f"[smtp.office365.com]:587 {login}\n"})
    assert "credential" not in findings.document
    assert "no user with a password" in reasons(findings)["smtp_sasl_password_maps: [smtp.office365.com]:587"]
    assert "S3cret" not in str(findings.not_taken)


def test_a_long_next_hop_has_the_same_short_name_everywhere(read: Any) -> None:
    host = f"[{'a' * 60}.example]:587"
    main = f"relayhost = {host}\nsmtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = inline:{{ {{{host} = u:p}} }}\n"
    findings = read("main.cf", f"myhostname = a.example.org\nmydestination =\n{main}")
    (connector,) = findings.document["outbound_connector"]
    assert connector["credential"] == [findings.document["credential"][0]["name"]] == [connector["name"]]


def test_a_line_that_sets_nothing_is_told(read: Any) -> None:
    findings = read("main.cf", "myhostname = a.example.org\nrelayhost [h.example]\n")
    assert [line.setting for line in findings.not_taken if line.where == "main.cf:2"] == ["relayhost [h.example]"]


def test_dane_is_not_promised(read: Any, reasons: Any) -> None:
    """TLSA records are not looked up: what demanded them demands TLS."""
    main = "myhostname = a.example.org\nmydestination =\nsmtp_tls_security_level = "
    assert "tls_settings" not in read("main.cf", f"{main}dane\n").document["outbound_connector"][0]
    findings = read("main.cf", f"{main}dane-only\n")
    assert findings.document["outbound_connector"][0]["tls_settings"] == "EncryptionOnly"
    assert "TLSA" in reasons(findings)["smtp_tls_security_level"]
