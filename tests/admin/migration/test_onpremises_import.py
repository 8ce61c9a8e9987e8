"""Connectors of an Exchange Server, whose administrators move to a tenant with a relay before it."""

from __future__ import annotations

import json
from typing import Any

import pytest

SEND = {
    "Identity": "Outbound to Office 365",
    "Name": "Outbound to Office 365",
    "AddressSpaces": ["smtp:contoso.mail.onmicrosoft.com;1", "SMTP:*;10"],
    "SmartHosts": ["[192.0.2.10]", "mail.contoso.com"],
    "SmartHostAuthMechanism": "None",
    "DNSRoutingEnabled": False,
    "RequireTLS": True,
    "TlsAuthLevel": "DomainValidation",
    "TlsDomain": "mail.protection.outlook.com",
    "Port": 587,
    "SourceIPAddress": "0.0.0.0",
    "Enabled": True,
    "MaxMessageSize": "35 MB (36,700,160 bytes)",
    "IsScopedConnector": False,
}
RECEIVE = {
    "Identity": "EX01\\Anonymous relay",
    "Name": "Anonymous relay",
    "RemoteIPRanges": ["192.168.5.10-192.168.5.12", "10.1.0.0/16", "fe80::1"],
    "Bindings": ["0.0.0.0:25"],
    "PermissionGroups": "AnonymousUsers, ExchangeServers",
    "AuthMechanism": "Tls, ExternalAuthoritative",
    "RequireTLS": False,
    "Enabled": True,
    "MaxMessageSize": "unlimited",
}


def test_a_send_connector_is_a_way_out(read: Any, reasons: Any) -> None:
    findings = read("send.json", json.dumps(SEND))
    assert findings.document == {
        "outbound_connector": [
            {
                "name": "Outbound to Office 365",
                "recipient_domains": ["contoso.mail.onmicrosoft.com", "*"],
                "enabled": True,
                "smart_hosts": ["[192.0.2.10]", "mail.contoso.com"],
                "tls_settings": "DomainValidation",
                "tls_domain": "mail.protection.outlook.com",
                "port": 587,
            }
        ]
    }
    assert reasons(findings).keys() == {"SendConnector Outbound to Office 365: maxmessagesize"}


def test_a_send_connector_by_mx_and_one_with_a_login(read: Any, reasons: Any) -> None:
    by_mx = {
        **SEND,
        "DNSRoutingEnabled": True,
        "SmartHosts": [],
        "TlsAuthLevel": None,
        "SmartHostAuthMechanism": "BasicAuth",
    }
    findings = read("send.json", json.dumps({**by_mx, "Enabled": False}))
    (connector,) = findings.document["outbound_connector"]
    assert (connector["use_mx_record"], connector["tls_settings"]) == (True, "EncryptionOnly")
    assert connector["enabled"] is False
    assert "--credential" in reasons(findings)["SendConnector Outbound to Office 365: smarthostauthmechanism"]


def test_who_is_externally_secured_may_relay(read: Any) -> None:
    (connector,) = read("receive.json", json.dumps(RECEIVE)).document["inbound_connector"]
    assert connector == {
        "name": "EX01 Anonymous relay",
        "connector_type": "OnPremises",
        "sender_ip_addresses": ["192.168.5.10/31", "192.168.5.12", "10.1.0.0/16", "fe80::1"],
        "enabled": True,
    }


@pytest.mark.parametrize("change", [{"AuthMechanism": "Tls"}, {"Enabled": False}])
def test_who_perhaps_may_not_relay_is_switched_off(read: Any, change: dict[str, object]) -> None:
    (connector,) = read("receive.json", json.dumps({**RECEIVE, **change})).document["inbound_connector"]
    assert connector["enabled"] is False


@pytest.mark.parametrize(
    ("change", "setting"),
    [
        (
            {"RemoteIPRanges": ["0.0.0.0-255.255.255.255", "::-ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"]},
            ": RemoteIPRanges",
        ),
        ({"RemoteIPRanges": ["10.0.0.9-10.0.0.1", "10.0.0.1-::1", "anywhere"]}, ": RemoteIPRanges"),
        ({"PermissionGroups": "ExchangeUsers", "AuthMechanism": "Integrated"}, ""),
    ],
)
def test_a_connector_that_lets_nobody_relay_is_told(read: Any, reasons: Any, change: Any, setting: str) -> None:
    findings = read("receive.json", json.dumps({**RECEIVE, **change}))
    assert findings.document == {}
    assert f"ReceiveConnector EX01 Anonymous relay{setting}" in reasons(findings)


def test_the_same_name_on_two_servers_is_two_connectors(read: Any) -> None:
    other = {**RECEIVE, "Identity": "EX02\\Anonymous relay", "AuthMechanism": "None", "RemoteIPRanges": "10.2.0.1"}
    first, second = read("receive.json", json.dumps([RECEIVE, other])).document["inbound_connector"]
    assert (first["enabled"], second["enabled"]) == (True, False)
    assert second["sender_ip_addresses"] == ["10.2.0.1"]
