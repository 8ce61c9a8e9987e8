"""`export --powershell`: the organization as cmdlets, with what a tenant can't have in warnings."""

from __future__ import annotations

import re
from contextlib import closing
from ipaddress import collapse_addresses
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.admin import Administration
from posthouse.admin.migration import tenant_script
from posthouse.admin.migration.script import quoted
from posthouse.cmdlets.files import AllowedFiles
from posthouse.cmdlets.interface import Services
from posthouse.cmdlets.library import LIBRARY
from posthouse.cmdlets.registry import Registry
from posthouse.cmdlets.session import Session
from posthouse.organization import Organization, from_document
from posthouse.settings import Settings
from posthouse.spool import open_store
from support.scripts import NOW, Paper, Scripts

CONNECTOR = {"name": "Relay", "connector_type": "OnPremises", "sender_ip_addresses": ["110.0.0.7"]}


def script_of(**document: Any) -> str:
    return tenant_script(from_document(document))


def warnings(script: str) -> list[str]:
    return [line.removeprefix("# WARNING: ") for line in script.splitlines() if line.startswith("# WARNING: ")]


def test_a_connector_reads_as_the_article_writes_it() -> None:
    script = script_of(inbound_connector=[{**CONNECTOR, "restrict_domains_to_ip_addresses": True}])
    assert (
        "$splat = @{\n"
        "    Name                         = 'Relay'\n"
        "    ConnectorType                = 'OnPremises'\n"
        "    SenderDomains                = '*'\n"
        "    SenderIPAddresses            = '110.0.0.7'\n"
        "    RestrictDomainsToIPAddresses = $true\n"
        "    RequireTls                   = $false\n"
        "}\n"
        "New-InboundConnector @splat\n"
    ) in script
    assert warnings(script) == ["RestrictDomainsToIPAddresses: documented as acting on Partner connectors only"]


@pytest.mark.parametrize(
    ("address", "written", "warning"),
    [
        ("110.0.0.0/24", "'110.0.0.0/24'", ""),
        ("110.0.0.0/23", "'110.0.0.0/24', '110.0.1.0/24'", "it is split"),
        ("110.0.0.0/8", "", "left out"),
        ("2001:db8::/64", "", "no IPv6 address"),
        ("192.168.1.0/24", "'192.168.1.0/24'", "the public address"),
    ],
)
def test_addresses_are_ipv4_and_no_wider_than_24(address: str, written: str, warning: str) -> None:
    connector = {**CONNECTOR, "sender_ip_addresses": [address], "tls_sender_certificate_name": "*.contoso.com"}
    script = script_of(inbound_connector=[{**connector, "require_tls": True, "connector_type": "Partner"}])
    assert (f"SenderIPAddresses        = {written}\n" in script) if written else "SenderIPAddresses  " not in script
    assert any(warning in line for line in warnings(script)) if warning else warnings(script) == []


@pytest.mark.parametrize(
    ("keys", "warning"),
    [
        ({"rate_limit": 10}, "RateLimit: a tenant's connectors have no such thing; it is left out"),
        ({"rewrite_from": "a@contoso.com"}, "RewriteFrom: a tenant's connectors have no such thing; it is left out"),
        ({"require_tls": True}, "RequireTls: documented as acting on Partner connectors only"),
        (
            {"tls_sender_certificate_name": "*.contoso.com"},
            "TlsSenderCertificateName: documented as used where RequireTls is $true",
        ),
        (
            {"cloud_services_mail_enabled": True},
            "CloudServicesMailEnabled: Microsoft has the Hybrid Configuration Wizard set it",
        ),
        ({"connector_source": "Migrated"}, "ConnectorSource: Microsoft recommends not to set it"),
    ],
)
def test_what_an_inbound_connector_has_otherwise(keys: dict[str, Any], warning: str) -> None:
    assert warnings(script_of(inbound_connector=[{**CONNECTOR, **keys}])) == [warning]


@pytest.mark.parametrize(
    ("keys", "warning"),
    [
        ({"port": 2525}, "Port 2525: a tenant delivers to port 25 only"),
        ({"source_address": "192.0.2.1"}, "SourceAddress: a tenant's connectors have no such thing; it is left out"),
        ({"throttle": {"connections": 3}}, "Throttle: a tenant's connectors have no such thing; it is left out"),
        (
            {"all_accepted_domains": True},
            "AllAcceptedDomains: a tenant takes it on OnPremises connectors only; it is left out",
        ),
    ],
)
def test_what_an_outbound_connector_has_otherwise(keys: dict[str, Any], warning: str) -> None:
    connector = {"name": "Out", "recipient_domains": ["*"], **keys}
    assert warnings(script_of(outbound_connector=[connector])) == [warning]


def test_a_connector_that_would_match_nobody_is_no_command() -> None:
    login = {"user": "scanner", "password_hash": "$argon2id$v=19$x"}
    connector = {"name": "Scanners", "connector_type": "OnPremises", "sender_credentials": [login]}
    script = script_of(inbound_connector=[connector])
    assert "@splat" not in script
    assert "$argon2id" not in script
    assert warnings(script)[-1] == "New-InboundConnector Scanners: it would match nobody in a tenant, so it is left out"


def test_a_connector_that_would_carry_nothing_is_no_command() -> None:
    script = script_of(outbound_connector=[{"name": "Own", "all_accepted_domains": True}])
    assert "@splat" not in script
    assert warnings(script)[-1] == "New-OutboundConnector Own: it would carry nothing in a tenant, so it is left out"


def test_mailboxes_are_no_command() -> None:
    connector = {"name": "Mailboxes", "transport": "mailbox", "all_accepted_domains": True, "mailboxes": ["*"]}
    script = script_of(outbound_connector=[connector])
    assert "@splat" not in script
    assert "deliver by SMTP only" in warnings(script)[0]


def test_domains_limits_and_settings() -> None:
    script = script_of(
        accepted_domain=[
            {"name": "contoso.com"},
            {"name": "site.contoso.com", "type": "InternalRelay"},
            {"name": "x.example", "type": "ExternalRelay"},
        ],
        reject_direct_send=True,
        postmaster_address="admin@contoso.com",
        limits={"recipients": 500, "message_size": "35 MiB"},
    )
    assert "# under Settings > Domains" in script
    assert "#   contoso.com\n" in script
    assert "Set-AcceptedDomain -Identity 'site.contoso.com' -DomainType 'InternalRelay'\n" in script
    assert "Set-OrganizationConfig -RejectDirectSend $true\n" in script
    assert "Set-TransportConfig -MaxRecipientEnvelopeLimit 500\n" in script
    assert [line.split(":")[0] for line in warnings(script)] == [
        "x.example",
        "limits.message_size",
        "postmaster_address",
    ]


@pytest.mark.parametrize("recipients", [0, 5000])
def test_more_recipients_than_a_tenant_takes(recipients: int) -> None:
    script = script_of(limits={"recipients": recipients})
    assert "Set-TransportConfig" not in script
    assert warnings(script) == ["limits.recipients: a tenant takes 1 to 1000 recipients a message"]


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=40))
def test_any_text_is_one_value(text: str) -> None:
    """Quotes, `$`, backticks, curly quotes and line ends: a script says just that, and nothing is run."""
    scripts = Scripts()
    scripts.session.set("expected", text)
    assert scripts.run(f"$expected -ceq {quoted(text)}\n") == "True\n"


@pytest.mark.parametrize(
    "name", ["O'Hara", "Price $5", "$(exit)", "`whoami`", '"x"', "\u2019; Remove-Item x; \u2018", "a #b"]
)
def test_names_are_quoted_safely(tmp_path: Path, name: str) -> None:
    made = rerun(
        tmp_path, from_document({"inbound_connector": [{**CONNECTOR, "name": name, "comment": f"{name}\n{name}"}]})
    )
    assert [(connector.name, connector.comment) for connector in made.inbound] == [(name, f"{name}\n{name}")]


_NAMES = st.text(st.characters(exclude_categories=["C", "Z"]), min_size=1, max_size=30)
_NETWORKS = st.lists(st.ip_addresses().map(str) | st.sampled_from(["10.0.0.0/8", "110.0.0.0/22", "::/0"]), max_size=4)
_INBOUND = st.fixed_dictionaries(
    {"name": _NAMES, "sender_ip_addresses": _NETWORKS},
    optional={
        "comment": st.text(),
        "enabled": st.booleans(),
        "require_tls": st.booleans(),
        "connector_type": st.sampled_from(["OnPremises", "Partner"]),
        "tls_sender_certificate_name": st.sampled_from(["*.contoso.com", "relay.contoso.com"]),
        "ef_skip_ips": _NETWORKS,
    },
)


@given(_INBOUND)
def test_any_script_can_be_run(connector: dict[str, Any]) -> None:
    """`prepare` refuses what is no script of known cmdlets with known parameters."""
    scripts = Scripts(library=LIBRARY)
    script = script_of(inbound_connector=[connector], limits={"recipients": 10})
    assert scripts.session.prepare(script, "tenant.ps1")
    assert all(line[:1] in "#$ }NS\ufeff" for line in script.splitlines() if not connector.get("comment"))


def test_what_only_a_tenant_acts_on_is_in_the_script() -> None:
    script = script_of(
        inbound_connector=[{**CONNECTOR, "treat_messages_as_internal": True, "ef_skip_ips": ["192.0.2.0/24"]}],
        outbound_connector=[{"name": "Out", "recipient_domains": ["*"], "test_mode": True, "mta_sts_mode": "None"}],
    )
    assert dict(re.findall(r"(TreatMessagesAsInternal|EFSkipIPs|TestMode) += (.*)", script)) == {
        "EFSkipIPs": "'192.0.2.0/24'",
        "TreatMessagesAsInternal": "$true",
        "TestMode": "$true",
    }


def test_a_script_that_is_not_ascii_says_its_encoding() -> None:
    """Without a mark Windows PowerShell reads the octets of \u00d2 as \u00c3 and a curly quote: the rest would run."""
    script = script_of(inbound_connector=[{**CONNECTOR, "name": "\u00d2; Remove-Item x #"}])
    assert script.encode("utf-8").startswith(b"\xef\xbb\xbf# ")
    assert script_of(inbound_connector=[CONNECTOR]).isascii()


def rerun(tmp_path: Path, organization: Organization) -> Organization:
    """What the exported script makes of a posthouse that knows the same domains."""
    with closing(open_store(f"sqlite:///{tmp_path / 'tenant.db'}", tmp_path)) as store:
        admin = Administration(store)
        domains = [{"name": domain.name} for domain in organization.accepted_domains]
        admin.change(lambda document: {**document, "accepted_domain": domains}, tmp_path)
        paper = Paper()
        session = Session(Registry(LIBRARY), Services(paper, AllowedFiles(), lambda: NOW, (admin, Settings())))
        status = session.run(session.prepare(tenant_script(organization), "tenant.ps1"))
        assert status == 0, paper.text
        return admin.organization()


def test_the_script_makes_the_same_organization(tmp_path: Path) -> None:
    """All that both can have; a wide network comes back in parts."""
    there = from_document(
        {
            "reject_direct_send": True,
            "limits": {"recipients": 500},
            "accepted_domain": [{"name": "contoso.com"}, {"name": "site.contoso.com", "type": "InternalRelay"}],
            "inbound_connector": [
                {**CONNECTOR, "comment": "it's ours", "sender_ip_addresses": ["110.0.0.7", "110.0.8.0/22"]},
                {
                    "name": "Partner",
                    "enabled": False,
                    "sender_domains": ["fabrikam.com", "*.fabrikam.com"],
                    "require_tls": True,
                    "tls_sender_certificate_name": "*.fabrikam.com",
                    "restrict_domains_to_certificate": True,
                },
                {**CONNECTOR, "name": "Hybrid", "cloud_services_mail_enabled": True, "connector_source": "Migrated"},
            ],
            "outbound_connector": [
                {"name": "Internet", "recipient_domains": ["*"], "use_mx_record": True},
                {
                    "name": "Site",
                    "connector_type": "OnPremises",
                    "all_accepted_domains": True,
                    "recipient_domains": ["*.contoso.com"],
                    "smart_hosts": ["192.0.2.9", "mail.contoso.com"],
                    "tls_settings": "DomainValidation",
                    "tls_domain": "*.contoso.com",
                },
            ],
        }
    )
    made = rerun(tmp_path, there)
    wide, again = there.inbound[0].sender_ip_addresses, made.inbound[0].sender_ip_addresses
    assert len(again) == 5
    assert set(collapse_addresses(again)) == set(wide)
    assert made.inbound[1:] == there.inbound[1:]
    assert made.outbound == there.outbound
    assert made.accepted_domains == there.accepted_domains
    assert (made.reject_direct_send, made.limits) == (there.reject_direct_send, there.limits)
