"""MetaBase.xml of the SMTP service of IIS 6."""

from __future__ import annotations

import struct
from typing import Any

import pytest

from posthouse.admin import AdminError
from posthouse.admin.migration import Format


def relay_ip_list(mask: str, *addresses: str) -> str:
    """As scripts write it, in the hex of MetaBase.xml."""
    entries = [bytes(map(int, address.split("."))) for address in (mask, *addresses)]
    head = struct.pack("<6I", 0x80000018, 0x80000020, 0x8000003C, 0x80000044, 1, 76)
    denied = struct.pack("<2I", 0, 0)
    granted = struct.pack("<7I", 1, len(addresses), 2, len(entries), 4, 0, 0x8000004C)
    return (head + denied + granted + bytes(16) + b"".join(entries)).hex()


METABASE = """<?xml version ="1.0"?>
<configuration xmlns="urn:microsoft-catalog:XML_Metabase_V64_0">
<MBProperty>
<IIsSmtpService	Location ="/LM/SmtpSvc"
		MaxRecipients="100"
		SmtpRemoteNDRExpireMinutes="2880"
	>
</IIsSmtpService>
<IIsSmtpServer	Location ="/LM/SmtpSvc/1"
		DefaultDomain="contoso.com"
		FullyQualifiedDomainName="web01.contoso.com"
		MaxMessageSize="{size}"
		RelayForAuth="-1"
		RelayIpList="{relay}"
		ServerBindings=":25:"
		ServerComment="Default SMTP Virtual Server"
		SmartHost="[192.0.2.25]"
		SmartHostType="{smart_host_type}"
	>
</IIsSmtpServer>
<IIsSmtpDomain	Location ="/LM/SmtpSvc/1/Domain/partner.example"
		RouteAction="4102"
		RouteActionString="mail.partner.example"
	>
</IIsSmtpDomain>
<IIsSmtpDomain	Location ="/LM/SmtpSvc/1/Domain/alias.example"
		RouteAction="16"
	>
</IIsSmtpDomain>
<IIsWebServer	Location ="/LM/W3SVC/1" ServerBindings=":80:" > </IIsWebServer>
</MBProperty>
</configuration>
"""


def metabase(relay: str = "", size: str = "2097152", smart_host_type: str = "2") -> str:
    return METABASE.format(relay=relay, size=size, smart_host_type=smart_host_type)


def test_a_relay_with_a_smart_host(read: Any) -> None:
    relay = relay_ip_list("255.255.255.255", "127.0.0.1", "10.1.2.3")
    assert read("MetaBase.xml", metabase(relay)).document == {
        "accepted_domain": [
            {"name": "contoso.com", "type": "Authoritative"},
            {"name": "partner.example", "type": "InternalRelay"},
            {"name": "alias.example", "type": "Authoritative"},
        ],
        "inbound_connector": [
            {
                "name": "IIS relay 1",
                "connector_type": "OnPremises",
                "sender_ip_addresses": ["127.0.0.1", "10.1.2.3"],
            }
        ],
        "outbound_connector": [
            {
                "name": "IIS drop folder",
                "transport": "mailbox",
                "recipient_domains": ["contoso.com", "alias.example"],
                "mailboxes": ["*"],
            },
            {"name": "IIS smart host 1", "smart_hosts": ["[192.0.2.25]"], "recipient_domains": ["*"]},
            {
                "name": "IIS partner.example",
                "recipient_domains": ["partner.example"],
                "smart_hosts": ["mail.partner.example"],
                "tls_settings": "EncryptionOnly",
            },
        ],
        "limits": {"message_size": 2097152, "recipients": 100},
        "delivery": {"give_up_after": 172800},
    }


def test_a_network(read: Any) -> None:
    findings = read("MetaBase.xml", metabase(relay_ip_list("255.255.255.0", "10.1.2.3")))
    assert findings.document["inbound_connector"][0]["sender_ip_addresses"] == ["10.1.2.0/24"]


def test_what_is_left_and_why(read: Any, reasons: Any) -> None:
    told = reasons(read("MetaBase.xml", metabase(relay="00ff", smart_host_type="1")))
    assert "Windows accounts" in told["SmtpSvc 1: RelayForAuth"]
    assert "MX hosts first" in told["SmtpSvc 1: SmartHostType"]
    assert "--sender-ip-addresses" in told["SmtpSvc 1: RelayIpList"]
    assert told["SmtpSvc 1: fullyqualifieddomainname"] == "set hostname in posthouse.toml"


def test_no_limit_is_none_and_no_smart_host_is_mx(read: Any) -> None:
    text = metabase(size="0").replace('SmartHost="[192.0.2.25]"', "")
    document = read("MetaBase.xml", text).document
    assert document["outbound_connector"][1]["use_mx_record"] is True
    assert "message_size" not in document["limits"]


@pytest.mark.parametrize(
    "relay", ["zz", "00", relay_ip_list("0.0.0.1", "1.2.3.4"), relay_ip_list("0.0.0.0", "1.2.3.4"), "ff" * 200]
)
def test_an_address_list_of_another_shape_grants_nobody(read: Any, relay: str) -> None:
    assert "inbound_connector" not in read("MetaBase.xml", metabase(relay)).document


REAL_LIST = (
    "18000080200000803c00008044000080010000004c000000"  # where the lists are
    "0000000000000000"  # denied
    "0100000002000000020000000300000004000000000000004c000080"  # granted
    "00000000000000000000000000000000"
    "ffffffff7f0000010a010203"
)
"""Octet by octet what scripts write to RelayIpList for 127.0.0.1 and 10.1.2.3."""


def test_the_list_that_scripts_write(read: Any) -> None:
    (connector,) = read("MetaBase.xml", metabase(REAL_LIST)).document["inbound_connector"]
    assert connector["sender_ip_addresses"] == ["127.0.0.1", "10.1.2.3"]


def test_a_domain_goes_by_the_port_and_tls_of_its_server(read: Any) -> None:
    text = metabase().replace('SmartHostType="2"', 'SmartHostType="2" RemoteSmtpPort="587" AlwaysUseSsl="TRUE"')
    outbound = read("MetaBase.xml", text).document["outbound_connector"]
    ways = {connector["name"]: (connector["port"], connector["tls_settings"]) for connector in outbound[1:]}
    assert ways == {"IIS smart host 1": (587, "EncryptionOnly"), "IIS partner.example": (587, "EncryptionOnly")}


def test_all_that_is_told_has_its_line(read: Any) -> None:
    text = metabase().replace('SmartHostType="2"', 'IPSecurity="180000"')
    findings = read("MetaBase.xml", text)
    assert {line.where for line in findings.understood} <= {f"MetaBase.xml:{line}" for line in (9, 21, 26)}
    assert "MetaBase.xml:9" in {line.where for line in findings.not_taken if "ipsecurity" in line.setting}


def test_entities_are_refused(read: Any) -> None:
    text = metabase().replace(
        "<configuration", '<!DOCTYPE x [<!ENTITY f SYSTEM "file:///etc/passwd">]><configuration', 1
    )
    with pytest.raises(AdminError, match=r"no MetaBase\.xml: a document type"):
        read("MetaBase.xml", text, Format.IIS)
