"""What a tenant's Get- cmdlets show, in the three forms that PowerShell exports."""

from __future__ import annotations

import json
from typing import Any

import pytest

from posthouse.admin import AdminError
from posthouse.admin.migration import Format

INBOUND = {
    "Name": "SMTP Relay",
    "Enabled": True,
    "ConnectorType": "OnPremises",
    "ConnectorSource": "Default",
    "Comment": "",
    "SenderIPAddresses": ["110.0.0.7", "203.0.113.0/25"],
    "SenderDomains": ["smtp:*;1"],
    "AssociatedAcceptedDomains": [],
    "RequireTls": False,
    "RestrictDomainsToIPAddresses": True,
    "RestrictDomainsToCertificate": False,
    "CloudServicesMailEnabled": False,
    "TreatMessagesAsInternal": False,
    "TlsSenderCertificateName": None,
    "EFTestMode": False,
    "EFSkipLastIP": False,
    "EFSkipIPs": [],
    "EFUsers": ["boss@contoso.com"],
    "ScanAndDropRecipients": [],
    "AdminDisplayName": "",
    "ExchangeVersion": "0.1 (8.0.535.0)",
    "DistinguishedName": "CN=SMTP Relay,CN=Transport Settings,CN=Configuration",
    "Identity": "SMTP Relay",
    "Guid": "0d0dbd5c-0000-4000-8000-000000000001",
    "WhenChanged": "2026-11-20T08:00:00",
    "IsValid": True,
    "ObjectState": "Unchanged",
}
OUTBOUND = {
    "Name": "To the datacentre",
    "Enabled": True,
    "ConnectorType": "OnPremises",
    "UseMXRecord": False,
    "RecipientDomains": ["*.contoso.com"],
    "SmartHosts": ["[192.0.2.10]", "mail.contoso.com"],
    "TlsSettings": "DomainValidation",
    "TlsDomain": "mail.contoso.com",
    "IsTransportRuleScoped": False,
    "RouteAllMessagesViaOnPremises": True,
    "AllAcceptedDomains": False,
    "SenderRewritingEnabled": False,
    "TestMode": False,
}
UNDERSTOOD_INBOUND = {
    "name": "SMTP Relay",
    "connector_type": "OnPremises",
    "sender_ip_addresses": ["110.0.0.7", "203.0.113.0/25"],
    "sender_domains": ["smtp:*;1"],
    "restrict_domains_to_ip_addresses": True,
}


def said(item: dict[str, Any]) -> dict[str, Any]:
    """What is set in it; None is a default."""
    return {key: value for key, value in item.items() if value is not None}


def test_one_object_or_an_array_of_them(read: Any) -> None:
    one = read("one.json", json.dumps(INBOUND))
    several = read("several.json", json.dumps([INBOUND, OUTBOUND]))
    assert [said(item) for item in one.document["inbound_connector"]] == [UNDERSTOOD_INBOUND]
    assert [said(item) for item in several.document["inbound_connector"]] == [UNDERSTOOD_INBOUND]
    (outbound,) = several.document["outbound_connector"]
    assert said(outbound) == {
        "name": "To the datacentre",
        "connector_type": "OnPremises",
        "recipient_domains": ["*.contoso.com"],
        "smart_hosts": ["[192.0.2.10]", "mail.contoso.com"],
        "tls_settings": "DomainValidation",
        "tls_domain": "mail.contoso.com",
    }


def test_what_has_no_counterpart_is_told_and_the_objects_own_affairs_are_not(read: Any, reasons: Any) -> None:
    told = reasons(read("all.json", json.dumps([INBOUND, OUTBOUND])))
    assert told.keys() == {
        "InboundConnector SMTP Relay: efusers",
        "OutboundConnector To the datacentre: routeallmessagesviaonpremises",
    }


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_windows_powershell_writes_utf_16(read: Any, encoding: str) -> None:
    text = json.dumps({**INBOUND, "Name": "Büro Zürich"}, ensure_ascii=False)
    findings = read("export.json", text.encode(encoding))
    assert findings.document["inbound_connector"][0]["name"] == "Büro Zürich"


def test_a_list_as_windows_powershell_wraps_it(read: Any) -> None:
    wrapped = {**INBOUND, "SenderIPAddresses": {"value": ["110.0.0.7"], "Count": 1}}
    findings = read("export.json", json.dumps({"value": [wrapped], "Count": 1}))
    assert findings.document["inbound_connector"][0]["sender_ip_addresses"] == ["110.0.0.7"]


CSV = """#TYPE Selected.System.Management.Automation.PSCustomObject
"Name","Enabled","ConnectorType","SenderDomains","SenderIPAddresses","RequireTls","TlsSenderCertificateName"
"SMTP Relay","True","OnPremises","smtp:*;1","110.0.0.7 203.0.113.0/25","False",""
"SMTP Relay (TLS)","True","OnPremises","smtp:contoso.com;1,smtp:fabrikam.com;1","","True","*.contoso.com"
"""


def test_csv(read: Any) -> None:
    first, second = read("connectors.csv", CSV).document["inbound_connector"]
    assert first["sender_ip_addresses"] == ["110.0.0.7", "203.0.113.0/25"]
    assert first["require_tls"] is None
    assert second["sender_domains"] == ["smtp:contoso.com;1", "smtp:fabrikam.com;1"]
    assert (second["require_tls"], second["tls_sender_certificate_name"]) == (True, "*.contoso.com")


def test_a_csv_that_lost_its_lists(read: Any, reasons: Any) -> None:
    lost = "Microsoft.Exchange.Data.MultiValuedProperty`1[Microsoft.Exchange.Data.IPRange]"
    findings = read("connectors.csv", CSV.replace("110.0.0.7 203.0.113.0/25", lost))
    assert "ConvertTo-Json" in reasons(findings)["InboundConnector SMTP Relay: SenderIPAddresses"]


CLIXML = """<Objs Version="1.1.0.1" xmlns="http://schemas.microsoft.com/powershell/2004/04">
  <Obj RefId="0">
    <TN RefId="0">
      <T>Deserialized.Microsoft.Exchange.Data.Directory.SystemConfiguration.TenantInboundConnector</T>
      <T>Deserialized.System.Object</T>
    </TN>
    <ToString>SMTP Relay</ToString>
    <Props>
      <S N="Name">SMTP_x0020_Relay</S>
      <B N="Enabled">true</B>
      <Obj N="ConnectorType" RefId="1">
        <TN RefId="1"><T>Deserialized.System.Enum</T></TN>
        <ToString>OnPremises</ToString>
        <I32>1</I32>
      </Obj>
      <S N="ConnectorSource">Default</S>
      <Obj N="SenderIPAddresses" RefId="2">
        <TN RefId="2"><T>Deserialized.System.Collections.ArrayList</T></TN>
        <LST><S>110.0.0.7</S><Obj RefId="3"><ToString>203.0.113.0/25</ToString></Obj></LST>
      </Obj>
      <Obj N="SenderDomains" RefId="4"><TNRef RefId="2" /><LST><S>smtp:*;1</S></LST></Obj>
      <B N="RestrictDomainsToIPAddresses">true</B>
      <Nil N="TlsSenderCertificateName" />
      <Ref N="EFSkipIPs" RefId="2" />
    </Props>
    <MS><S N="PSComputerName">outlook.office365.com</S></MS>
  </Obj>
</Objs>"""


def test_clixml(read: Any) -> None:
    findings = read("export.xml", b"\xff\xfe" + CLIXML.encode("utf-16-le"))
    (connector,) = findings.document["inbound_connector"]
    assert said(connector) == UNDERSTOOD_INBOUND
    (reference,) = findings.not_taken
    assert (reference.setting, reference.value) == (
        "InboundConnector SMTP Relay: efskipips",
        "110.0.0.7, 203.0.113.0/25",
    )


ENTITIES = """<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">
<!ENTITY f SYSTEM "file:///etc/passwd">]>
<Objs><Obj RefId="0"><Props><S N="Name">&b;&f;</S></Props></Obj></Objs>"""


@pytest.mark.parametrize("text", [ENTITIES, "<Objs>" + "<Obj>" * 5000, "<Objs><Obj></Objs>", "<Objs"])
def test_xml_that_is_an_attack_or_broken_is_refused(read: Any, text: str) -> None:
    with pytest.raises(AdminError, match=r"export\.xml: not CLIXML: .+; write it with Export-Clixml"):
        read("export.xml", text, Format.CLIXML)


def test_references_do_not_multiply(read: Any) -> None:
    """Ten lists, each of ten times the next one, would be ten thousand million texts."""
    lists = "".join(
        f'<Obj RefId="{n}"><LST>{f"<Ref RefId={chr(34)}{n + 1}{chr(34)}/>" * 10}</LST></Obj>' for n in range(1, 11)
    )
    props = '<S N="Name">x</S><Ref N="SenderDomains" RefId="1"/>'
    text = f'<Objs><Obj RefId="0"><Props>{props}</Props></Obj>{lists}<Obj RefId="11"><S>laugh</S></Obj></Objs>'
    assert "laugh" not in str(read("export.xml", text).document)


def test_domains_and_settings(read: Any, reasons: Any) -> None:
    objects = [
        {"Name": "Contoso", "DomainName": "contoso.com", "DomainType": "Authoritative", "MatchSubDomains": True},
        {"Name": "b", "DomainName": {"Domain": "fabrikam.com"}, "DomainType": "InternalRelay", "Default": False},
        {"Name": "contoso.onmicrosoft.com", "RejectDirectSend": True, "IsDehydrated": False},
        {
            "MaxSendSize": "35 MB (36,700,160 bytes)",
            "MaxRecipientEnvelopeLimit": "500",
            "AllowLegacyTLSClients": True,
            "ClearCategories": True,
        },
    ]
    findings = read("export.json", json.dumps(objects))
    assert findings.document == {
        "accepted_domain": [
            {"name": "contoso.com", "type": "Authoritative"},
            {"name": "fabrikam.com", "type": "InternalRelay"},
        ],
        "reject_direct_send": True,
        "limits": {"message_size": 36700160, "recipients": 500},
    }
    assert reasons(findings).keys() == {
        "AcceptedDomain contoso.com: MatchSubDomains",
        "TransportConfig: AllowLegacyTLSClients",
    }


def test_a_connector_of_a_mail_flow_rule_is_switched_off(read: Any) -> None:
    scoped = {**OUTBOUND, "IsTransportRuleScoped": True, "RecipientDomains": ["*"]}
    assert read("export.json", json.dumps(scoped)).document["outbound_connector"][0]["enabled"] is False


def test_a_bad_value_is_a_line_and_the_rest_is_taken(read: Any, reasons: Any) -> None:
    bad = {**INBOUND, "SenderIPAddresses": ["110.0.0.7", "nowhere"], "ConnectorType": 7, "EFUsers": None}
    findings = read("export.json", json.dumps(bad))
    (connector,) = findings.document["inbound_connector"]
    assert connector["sender_ip_addresses"] == ["110.0.0.7"]
    assert "connector_type" not in connector
    assert reasons(findings).keys() == {
        "InboundConnector SMTP Relay: SenderIPAddresses",
        "InboundConnector SMTP Relay: ConnectorType",
    }


@pytest.mark.parametrize("text", ["[", '{"Name": ', "[" * 100_000, "[1" + "0" * 5000 + "]"])
def test_what_is_no_json_says_so(read: Any, text: str) -> None:
    with pytest.raises(AdminError, match="not JSON"):
        read("export.json", text, Format.JSON)


def test_a_file_that_is_nothing_known_names_the_formats(read: Any) -> None:
    with pytest.raises(AdminError, match=r"notes\.txt: .* --format: json, csv, clixml, postfix, emailrelay, iis"):
        read("notes.txt", "Dear administrator,\n")


@pytest.mark.parametrize("enabled", [False, "False", "perhaps", [None]])
def test_what_is_switched_off_there_is_switched_off_here(read: Any, enabled: object) -> None:
    assert (
        read("export.json", json.dumps({**INBOUND, "Enabled": enabled})).document["inbound_connector"][0]["enabled"]
        is False
    )


@pytest.mark.parametrize(
    "limit", [{"SenderDomains": ["no domain"]}, {"TlsSenderCertificateName": "no name"}, {"RequireTls": "perhaps"}]
)
def test_a_connector_that_would_lose_a_limit_is_switched_off(read: Any, limit: dict[str, object]) -> None:
    (connector,) = read("export.json", json.dumps({**INBOUND, **limit})).document["inbound_connector"]
    assert connector["enabled"] is False


@pytest.mark.parametrize(
    ("domains", "limited"),
    [(["smtp:*;1"], {"sender_domains": ["contoso.com"]}), (["fabrikam.com"], {"enabled": False})],
)
def test_accepted_domains_that_limit_a_connector_limit_it_here(read: Any, domains: Any, limited: Any) -> None:
    there = {**INBOUND, "SenderDomains": domains, "AssociatedAcceptedDomains": ["contoso.com"]}
    (connector,) = read("export.json", json.dumps(there)).document["inbound_connector"]
    assert limited.items() <= connector.items()


def test_what_only_a_tenant_acts_on_is_told(read: Any, reasons: Any) -> None:
    there = {**OUTBOUND, "TlsSettings": None, "TlsDomain": None, "SmtpDaneMode": "Mandatory", "TestMode": True}
    findings = read(
        "export.json", json.dumps({**there, "MtaStsMode": "Opportunistic", "SenderRewritingEnabled": False})
    )
    (connector,) = findings.document["outbound_connector"]
    assert (connector["enabled"], connector["tls_settings"]) == (False, "EncryptionOnly")
    assert {"testmode", "mtastsmode", "smtpdanemode"} <= {setting.rpartition(" ")[2] for setting in reasons(findings)}


def test_other_objects_are_not_taken_for_settings(read: Any, reasons: Any) -> None:
    mailbox = {"Name": "Boss", "MaxSendSize": "35 MB (36,700,160 bytes)", "RecipientLimits": "500"}
    findings = read("export.json", json.dumps(mailbox))
    assert findings.document == {}
    assert reasons(findings).keys() == {"object"}
