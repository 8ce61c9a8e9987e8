"""main.cf and its tables, as Postfix's documentation writes them, to an organization."""

from __future__ import annotations

from typing import Any

import pytest

from posthouse.organization import from_document

RELAY = """
# A relay in the branch office. Debian's defaults, then ours.
smtpd_banner = $myhostname ESMTP $mail_name (Debian/GNU)
compatibility_level = 3.6
myhostname = relay.contoso.com
mydomain = contoso.com
myorigin = $mydomain
mydestination = localhost.$mydomain, localhost
relay_domains = $mydomain, fabrikam.com
mynetworks = 127.0.0.0/8 [::1]/128
    !192.168.10.9
    # the printers
    192.168.10.0/30, 192.168.10.8/30
transport_maps = hash:/etc/postfix/transport
relayhost = [contoso-com.mail.protection.example]:587
smtp_tls_security_level = may
smtp_tls_policy_maps = hash:$config/tls_policy
smtp_sasl_auth_enable = yes
smtp_sasl_password_maps = hash:/etc/postfix/sasl_passwd
message_size_limit = 36700160
smtpd_recipient_limit = 500
maximal_queue_lifetime = 3
delay_warning_time = 2h
"""
TABLES = {
    "transport": "fabrikam.com  smtp:[mail.fabrikam.com]:2525\n.fabrikam.com\n    smtp:[mail.fabrikam.com]:2525\n",
    "tls_policy": "[contoso-com.mail.protection.example]:587 secure match=mail.protection.example\n",
    "sasl_passwd": "[contoso-com.mail.protection.example]:587 relay@contoso.com:Pa:ss#word\n",
}


def named(findings: Any, kind: str) -> dict[str, dict[str, Any]]:
    return {item["name"]: item for item in findings.document.get(kind, ())}


def test_a_relay_with_a_smart_host(read: Any) -> None:
    document = read("main.cf", RELAY, **TABLES).document
    assert document["accepted_domain"] == [
        {"name": "contoso.com", "type": "InternalRelay"},
        {"name": "fabrikam.com", "type": "InternalRelay"},
    ]
    assert document["inbound_connector"] == [
        {
            "name": "Postfix mynetworks",
            "connector_type": "OnPremises",
            "sender_ip_addresses": ["127.0.0.0/8", "::1", "192.168.10.0/30", "192.168.10.8", "192.168.10.10/31"],
        }
    ]
    assert document["outbound_connector"] == [
        {
            "name": "Postfix [mail.fabrikam.com]:2525",
            "recipient_domains": ["fabrikam.com", "*.fabrikam.com"],
            "smart_hosts": ["mail.fabrikam.com"],
            "port": 2525,
        },
        {
            "name": "Postfix [contoso-com.mail.protection.example]:587",
            "recipient_domains": ["*"],
            "smart_hosts": ["contoso-com.mail.protection.example"],
            "port": 587,
            "tls_settings": "DomainValidation",
            "tls_domain": "mail.protection.example",
            "credential": ["Postfix [contoso-com.mail.protection.example]:587"],
        },
    ]
    assert document["limits"] == {"message_size": 36700160, "recipients": 500}
    assert document["delivery"] == {"give_up_after": "259200s", "warn_after": "7200s"}


def test_a_password_is_kept_and_never_told(read: Any) -> None:
    findings = read("main.cf", RELAY, **TABLES)
    assert findings.document["credential"] == [
        {
            "name": "Postfix [contoso-com.mail.protection.example]:587",
            "kind": "password",
            "user": "relay@contoso.com",
            "secret": "Pa:ss#word",
        }
    ]
    assert "relay@contoso.com" in str(findings.understood)
    assert "Pa:ss" not in f"{findings}{findings.understood}{findings.not_taken}"


def test_what_is_understood_is_an_organization(read: Any) -> None:
    assert len(from_document(read("main.cf", RELAY, **TABLES).document).outbound) == 2


def test_each_parameter_is_told_once_or_its_reason(read: Any, reasons: Any) -> None:
    findings = read("main.cf", RELAY, **TABLES)
    told = reasons(findings)
    assert told["myhostname"] == "set hostname in posthouse.toml"
    assert "accepted one" in told["mynetworks"]
    assert "mydomain" not in told


MAIL_SERVER = """
myhostname = mx1.example.org
mydomain = example.org
mydestination = $myhostname, localhost, $mydomain
virtual_mailbox_domains = inline:{ {shop.example = x} }
virtual_mailbox_maps = texthash:/etc/postfix/vmailbox
virtual_alias_maps = hash:/etc/postfix/virtual
smtp_tls_policy_maps = inline:{ { bank.example = dane-only }, {partner.example = encrypt} }
smtpd_relay_restrictions =
smtpd_recipient_restrictions =
    permit_mynetworks,
    permit_sasl_authenticated,
    reject_unauth_destination,
    reject_rbl_client zen.spamhaus.org
smtpd_sasl_auth_enable = yes
content_filter = smtp-amavis:[127.0.0.1]:10024
"""


def test_a_mail_server_with_mailboxes(read: Any, reasons: Any) -> None:
    vmailbox = "sales@shop.example shop/sales/\ninfo@shop.example shop/info/\n@old.example x\n"
    findings = read("main.cf", MAIL_SERVER, vmailbox=vmailbox)
    assert named(findings, "accepted_domain").keys() == {"mx1.example.org", "example.org", "shop.example"}
    outbound = named(findings, "outbound_connector")
    assert outbound["Postfix MX"] == {"name": "Postfix MX", "recipient_domains": ["*"], "use_mx_record": True}
    assert outbound["Postfix mailboxes of mydestination"]["mailboxes"] == ["*"]
    assert outbound["Postfix mailboxes of virtual_mailbox_domains"] == {
        "name": "Postfix mailboxes of virtual_mailbox_domains",
        "transport": "mailbox",
        "recipient_domains": ["shop.example"],
        "mailboxes": ["sales@shop.example", "info@shop.example"],
    }
    assert outbound["Postfix TLS bank.example"]["tls_settings"] == "EncryptionOnly"
    assert outbound["Postfix TLS partner.example"]["tls_settings"] == "EncryptionOnly"
    told = reasons(findings)
    assert "--sender-credentials" in told["permit_sasl_authenticated"]
    assert told["content_filter"] == "mail is not filtered here"
    assert told["virtual_alias_maps"] == "mail is not redirected to other recipients here"


@pytest.mark.parametrize(
    ("restrictions", "relays"),
    [
        ("", True),
        ("smtpd_relay_restrictions = permit_sasl_authenticated, reject_unauth_destination", False),
        ("smtpd_relay_restrictions = permit_mynetworks, reject", True),
        ("smtpd_recipient_restrictions = reject_unauth_destination, permit_mynetworks", False),
        ("smtpd_recipient_restrictions = permit_mynetworks, reject_unknown_recipient_domain", True),
        ("smtpd_relay_restrictions =", False),
        ("smtpd_relay_restrictions = permit", False),
    ],
)
def test_restrictions_say_who_may_relay(read: Any, restrictions: str, relays: bool) -> None:
    """Only what stands before the refusal, in each list that refuses. An open relay is nothing that can be taken."""
    findings = read("main.cf", f"myhostname = a.example.org\nmynetworks = 10.0.0.0/8\n{restrictions}\n")
    assert bool(findings.document.get("inbound_connector")) is relays


def test_an_access_table_admits_and_refuses_in_its_order(read: Any) -> None:
    main = """myhostname = a.example.org
smtpd_relay_restrictions = check_client_access cidr:/etc/postfix/clients, reject_unauth_destination"""
    findings = read("main.cf", main, clients="10.0.0.0/9 REJECT\n10.0.0.0/8 OK\n192.0.2.1 permit\nname.example OK\n")
    (connector,) = findings.document["inbound_connector"]
    assert connector["sender_ip_addresses"] == ["10.128.0.0/9", "192.0.2.1"]


def test_an_indexed_access_table_takes_the_closest(read: Any) -> None:
    main = """myhostname = a.example.org
smtpd_relay_restrictions = check_client_access hash:/etc/postfix/access, reject_unauth_destination"""
    findings = read("main.cf", main, access="10.1 OK\n10.1.128 REJECT\n")
    addresses = findings.document["inbound_connector"][0]["sender_ip_addresses"]
    assert "10.1.0.0/17" in addresses
    assert "10.1.128.0/24" not in addresses


@pytest.mark.parametrize(
    ("value", "hosts", "port"),
    [
        ("[mail.example.org]", ["mail.example.org"], None),
        ("[mail.example.org]:submission", ["mail.example.org"], 587),
        ("[192.0.2.1]:2525", ["192.0.2.1"], 2525),
        ("[ipv6:2001:db8::1]", ["2001:db8::1"], None),
        ("[a.example.org], [b.example.org]", ["a.example.org", "b.example.org"], None),
    ],
)
def test_the_next_hop(read: Any, value: str, hosts: list[str], port: int | None) -> None:
    findings = read("main.cf", f"myhostname = a.example.org\nmydestination =\nrelayhost = {value}\n")
    (connector,) = findings.document["outbound_connector"]
    assert (connector["smart_hosts"], connector["port"]) == (hosts, port or 25)


@pytest.mark.parametrize(
    ("value", "reason"),
    [("[mail.example.org]:465", "STARTTLS"), ("mail.example.org", "MX"), ("[mail.example.org]:nowhere", "no [host]")],
)
def test_a_next_hop_that_is_another_one_here(read: Any, reasons: Any, value: str, reason: str) -> None:
    assert reason in reasons(read("main.cf", f"myhostname = a.example.org\nrelayhost = {value}\n"))["relayhost"]


def test_a_satellite_may_send_from_its_origin(read: Any) -> None:
    """A null client accepts nothing, yet relays what its hosts send: https://www.postfix.org/STANDARD_CONFIGURATION_README.html"""
    main = "myhostname = host.example.org\nmyorigin = example.org\nmydestination =\nrelayhost = [mail.example.org]\n"
    assert read("main.cf", main).document["accepted_domain"] == [{"name": "example.org", "type": "InternalRelay"}]


@pytest.mark.parametrize(
    ("line", "value"),
    [
        ("relayhost = [${relay}]", "[gw.example.org]"),
        ("relayhost = [$(relay)]", "[gw.example.org]"),
        ("relayhost = ${relay?[yes.example.org]}", "[yes.example.org]"),
        ("relayhost = ${absent:[no.example.org]}", "[no.example.org]"),
        ("relayhost = $absent", ""),
        ("relayhost = $relayhost", ""),
    ],
)
def test_references_are_expanded(read: Any, line: str, value: str) -> None:
    findings = read("main.cf", f"myhostname = a.example.org\nrelay = gw.example.org\nmydestination =\n{line}\n")
    (connector,) = findings.document["outbound_connector"]
    assert connector["name"] == (f"Postfix {value}" if value else "Postfix MX")


def test_references_that_grow_without_end_stop(read: Any) -> None:
    lines = [f"a{n} = $a{n + 1}$a{n + 1}$a{n + 1}$a{n + 1}" for n in range(40)]
    findings = read("main.cf", "\n".join(["relayhost = $a0", "myhostname = a.example.org", *lines, "a40 = xxxxxxxx"]))
    assert len(findings.not_taken) < 100


@pytest.mark.parametrize("table", ["mysql:/etc/postfix/transport.cf", "pcre:/x", "hash:/etc/postfix/missing"])
def test_a_table_that_cannot_be_read_is_told(read: Any, reasons: Any, table: str) -> None:
    told = reasons(read("main.cf", f"myhostname = a.example.org\ntransport_maps = {table}\n"))
    assert "beside main.cf" in told["transport_maps"]


def test_only_files_beside_it_are_read(read: Any, tmp_path: Any, reasons: Any) -> None:
    outside = tmp_path.parent / f"{tmp_path.name}-outside"
    outside.write_text("example.net smtp:[evil.example.net]\n", "utf-8")
    (tmp_path / "linked").symlink_to(outside)
    main = f"myhostname = a.example.org\ntransport_maps = hash:../{outside.name}, hash:/etc/postfix/linked\n"
    findings = read("main.cf", main)
    assert "evil" not in str(findings.document)
    assert "transport_maps" in reasons(findings)


def test_a_way_for_everything_goes_before_the_relayhost(read: Any) -> None:
    main = (
        "myhostname = a.example.org\nmydestination =\nrelayhost = [no.example.org]\ntransport_maps = hash:t/transport"
    )
    document = read("main.cf", main, transport="* smtp:[yes.example.org]\n").document
    assert [connector["name"] for connector in document["outbound_connector"]] == ["Postfix [yes.example.org]"]


def test_long_tables_take_no_longer_than_they_are(read: Any) -> None:
    domains = "".join(f"d{number}.example x\n" for number in range(20_000))
    networks = "".join(f"10.{number // 256}.{number % 256}.1 OK\n" for number in range(20_000))
    main = """myhostname = a.example.org
relay_domains = hash:domains
smtpd_relay_restrictions = check_client_access hash:clients, reject_unauth_destination"""
    document = read("main.cf", main, domains=domains, clients=networks).document
    assert len(document["accepted_domain"]) == 20_001
    assert len(document["inbound_connector"][0]["sender_ip_addresses"]) == 20_000


def test_domains_that_it_relays_to_go_where_relay_transport_says(read: Any) -> None:
    main = """myhostname = mx.example.org
mydestination =
relay_domains = example.com, example.net
relay_transport = relay:[inside.example.com]
transport_maps = inline:{ {example.net = smtp:[other.example.net]} }"""
    document = read("main.cf", main).document
    ways = {item["name"]: item["recipient_domains"] for item in document["outbound_connector"]}
    assert ways == {
        "Postfix [other.example.net]": ["example.net"],
        "Postfix MX": ["*"],
        "Postfix [inside.example.com]": ["example.com"],
    }


@pytest.mark.parametrize(
    "line",
    [
        "smtp_sasl_password_maps = inline:{ {[h.example] = user:S3cret} }",
        "smtp_sasl_password_maps = static:user:S3cret\nsmtp_sasl_auth_enable = yes",
        "smtp_sasl_password_maps = pcre:{ {/h/ user:S3cret} }\nsmtp_sasl_auth_enable = yes",
        "smtp_sasl_auth_enable = yes\nsmtp_sasl_password_maps = inline:{ {[h.example] = user:S3cret} }",
    ],
)
def test_a_password_in_main_cf_itself_is_not_told(read: Any, line: str) -> None:
    findings = read("main.cf", f"myhostname = a.example.org\nrelayhost = [h.example]\n{line}\n")
    assert "S3cret" not in f"{findings}{findings.understood}{findings.not_taken}"


def test_who_is_refused_before_is_in_no_list_after(read: Any) -> None:
    """A reply code refuses, though it is a number; DUNNO leaves it to mynetworks."""
    main = """myhostname = a.example.org
mynetworks = 10.0.0.0/30
smtpd_relay_restrictions = check_client_access cidr:clients, permit_mynetworks, reject_unauth_destination"""
    clients = "10.0.0.1 550 go away\n10.0.0.2 DUNNO\n10.0.0.3 554\n192.0.2.1 1234567890\n"
    connectors = read("main.cf", main, clients=clients).document["inbound_connector"]
    assert {item["name"]: item["sender_ip_addresses"] for item in connectors} == {
        "Postfix client access": ["192.0.2.1"],
        "Postfix mynetworks": ["10.0.0.0", "10.0.0.2"],
    }


def test_too_many_exceptions_admit_nobody(read: Any, reasons: Any) -> None:
    exceptions = " ".join(f"!10.0.{number}.0/24" for number in range(50))
    findings = read("main.cf", f"myhostname = a.example.org\nmynetworks = {exceptions} 10.0.0.0/8 ::/0\n")
    assert "inbound_connector" not in findings.document
    assert "name the networks yourself" in reasons(findings)["mynetworks"]
