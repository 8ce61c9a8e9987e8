"""Who may relay through a Postfix: never more clients here than there."""

from __future__ import annotations

from typing import Any

import pytest

GATED = "myhostname = a.example.org\nsmtpd_relay_restrictions = permit_mynetworks, reject_unauth_destination\n"


def admitted(findings: Any) -> list[str]:
    connectors = findings.document.get("inbound_connector", [])
    return [address for connector in connectors for address in connector["sender_ip_addresses"]]


@pytest.mark.parametrize(
    "exception", ["!/etc/postfix/guests", "!hash:/etc/postfix/guests", "!10.0.0.0/25", "!cidr:/etc/postfix/guests"]
)
def test_an_exception_may_be_a_file_or_a_table(read: Any, exception: str) -> None:
    """`!` goes before a file or a table too: https://www.postfix.org/postconf.5.html#mynetworks"""
    findings = read("main.cf", f"{GATED}mynetworks = {exception} 10.0.0.0/24\n", guests="10.0.0.0/25\n")
    assert admitted(findings) == ["10.0.0.128/25"]


def test_an_exception_whose_file_is_missing_may_be_anybody_after_it(read: Any, reasons: Any) -> None:
    findings = read("main.cf", f"{GATED}mynetworks = 192.0.2.1 !/etc/postfix/guests 10.0.0.0/24\n")
    assert admitted(findings) == ["192.0.2.1"]
    assert any("copy the text file" in line.reason for line in findings.not_taken)


@pytest.mark.parametrize("name", ["smtpd_relay_restrictions", "smtpd_recipient_restrictions"])
def test_who_is_refused_in_one_list_may_not_relay(read: Any, reasons: Any, name: str) -> None:
    other = {"smtpd_relay_restrictions", "smtpd_recipient_restrictions"} - {name}
    main = f"""myhostname = a.example.org
mynetworks = 10.0.0.0/30
{name} = check_client_access cidr:blocked, permit_mynetworks, reject_unauth_destination
{other.pop()} = permit_mynetworks, reject_unauth_destination
"""
    findings = read("main.cf", main, blocked="10.0.0.1 REJECT\n192.0.2.1 OK\n")
    assert admitted(findings) == ["10.0.0.0", "10.0.0.2/31"]
    assert "one of the two lists" in reasons(findings)["check_client_access"]
    assert [line.where for line in findings.not_taken if line.setting == "check_client_access"] != ["main.cf"]


def test_who_is_permitted_in_one_list_only_may_not_relay_and_it_is_told(read: Any, reasons: Any) -> None:
    main = f"""{GATED}mynetworks = 10.0.0.1
smtpd_recipient_restrictions = permit_sasl_authenticated, check_client_access cidr:more, permit_mynetworks, reject
"""
    findings = read("main.cf", main, more="192.0.2.1 OK\n")
    assert admitted(findings) == ["10.0.0.1"]
    assert {"permit_sasl_authenticated", "check_client_access"} <= reasons(findings).keys()


def test_what_only_warns_refuses_nobody(read: Any) -> None:
    main = """myhostname = a.example.org
mynetworks = 10.0.0.1
smtpd_relay_restrictions = warn_if_reject reject_unauth_destination, reject_rbl_client zen.example, permit_mynetworks,
  check_policy_service inet:127.0.0.1:10023, reject_unauth_destination
"""
    findings = read("main.cf", main)
    assert admitted(findings) == ["10.0.0.1"]
    told = {(line.setting, line.value) for line in findings.not_taken}
    assert {("reject_rbl_client", "zen.example"), ("warn_if_reject", "reject_unauth_destination")} <= told


def test_lists_of_networks_in_all_their_forms(read: Any) -> None:
    nets = "192.168.7.0/24, 192.168.8.0/24\n# a comment\n  172.16.0.1\n"
    main = f"{GATED}mynetworks = 127.0.0.0/8, [::1]/128 [2001:db8::]/32 /etc/postfix/nets cidr:/etc/postfix/more\n"
    assert admitted(read("main.cf", main, nets=nets, more="203.0.113.0/24 OK\n")) == [
        "127.0.0.0/8",
        "::1",
        "2001:db8::/32",
        "192.168.7.0/24",
        "192.168.8.0/24",
        "172.16.0.1",
        "203.0.113.0/24",
    ]


def test_an_entry_that_is_no_network_has_its_file_and_line(read: Any) -> None:
    main = "myhostname = a.example.org\nsmtpd_relay_restrictions = check_client_access hash:c, reject\n"
    findings = read("main.cf", main, c="# hosts\n192.0.2.1 OK\nprinter.example OK\n")
    assert [line.where for line in findings.not_taken if line.value == "printer.example"] == ["c:3"]
