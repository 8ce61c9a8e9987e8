from __future__ import annotations

import dataclasses
import ipaddress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.organization import (
    AcceptedDomain,
    ClientCertificateRef,
    ConnectorSource,
    ConnectorType,
    Credential,
    CredentialKind,
    DeliveryOverrides,
    DomainType,
    InboundConnector,
    LimitOverrides,
    MtaStsMode,
    Organization,
    OrganizationError,
    OutboundConnector,
    Priority,
    Rewriting,
    SenderCredential,
    SmtpDaneMode,
    Throttle,
    TlsSettings,
    TransportKind,
    from_document,
    notices,
    schema,
    to_document,
)

HASH = "$argon2id$v=19$m=65536,t=3,p=4$c29tZXNhbHQ$aGFzaA"
ROOT = "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n"


def problems(document: dict) -> list[str]:
    with pytest.raises(OrganizationError) as refused:
        from_document(document)
    assert str(refused.value) == "\n".join(refused.value.problems)
    return list(refused.value.problems)


def inbound(**settings) -> dict:
    return {"inbound_connector": [{"name": "Scanners", **settings}]}


def outbound(**settings) -> dict:
    return {"outbound_connector": [{"name": "Out", "recipient_domains": ["*"], **settings}]}


def test_the_tenants_side_of_a_rehearsal() -> None:
    organization = from_document(
        {
            "reject_direct_send": False,
            "postmaster_address": "admin@contoso.com",
            "trusted_roots": [ROOT],
            "accepted_domain": [{"name": "contoso.com", "type": "Authoritative"}],
            "inbound_connector": [
                {
                    "name": "SMTP Relay (Non-TLS)",
                    "connector_type": "OnPremises",
                    "sender_domains": ["*"],
                    "sender_ip_addresses": ["110.0.0.7"],
                    "restrict_domains_to_ip_addresses": True,
                },
                {
                    "name": "SMTP Relay (TLS)",
                    "connector_type": "OnPremises",
                    "sender_domains": ["*"],
                    "require_tls": True,
                    "tls_sender_certificate_name": "*.Contoso.com",
                },
            ],
            "outbound_connector": [
                {
                    "name": "Mailboxes",
                    "transport": "mailbox",
                    "all_accepted_domains": True,
                    "mailboxes": ["user@contoso.com"],
                },
                {"name": "Internet", "recipient_domains": ["*"], "use_mx_record": True},
            ],
        }
    )
    assert organization == Organization(
        accepted_domains=(AcceptedDomain("contoso.com"),),
        inbound=(
            InboundConnector(
                "SMTP Relay (Non-TLS)",
                connector_type=ConnectorType.ON_PREMISES,
                sender_ip_addresses=(ipaddress.ip_network("110.0.0.7/32"),),
                restrict_domains_to_ip_addresses=True,
            ),
            InboundConnector(
                "SMTP Relay (TLS)",
                connector_type=ConnectorType.ON_PREMISES,
                require_tls=True,
                tls_sender_certificate_name="*.contoso.com",
            ),
        ),
        outbound=(
            OutboundConnector(
                "Mailboxes",
                transport=TransportKind.MAILBOX,
                all_accepted_domains=True,
                mailboxes=("user@contoso.com",),
            ),
            OutboundConnector("Internet", recipient_domains=("*",), use_mx_record=True),
        ),
        postmaster_address="admin@contoso.com",
        trusted_roots=(ROOT,),
    )
    assert notices(organization) == ()


def test_an_empty_document_is_an_empty_organization() -> None:
    assert from_document({}) == Organization()
    assert to_document(Organization()) == {}


FULL = Organization(
    accepted_domains=(AcceptedDomain("contoso.com", DomainType.EXTERNAL_RELAY),),
    inbound=(
        InboundConnector(
            "In",
            comment="on the second floor",
            enabled=False,
            connector_type=ConnectorType.ON_PREMISES,
            connector_source=ConnectorSource.MIGRATED,
            sender_domains=("contoso.com", "*.contoso.com"),
            sender_ip_addresses=(ipaddress.ip_network("10.0.0.0/24"), ipaddress.ip_network("2001:db8::1/128")),
            restrict_domains_to_ip_addresses=True,
            restrict_domains_to_certificate=True,
            require_tls=True,
            tls_sender_certificate_name="mail.contoso.com",
            associated_accepted_domains=("contoso.com",),
            cloud_services_mail_enabled=True,
            ef_skip_last_ip=True,
            ef_skip_ips=(ipaddress.ip_network("10.1.0.0/16"),),
            sender_credentials=(SenderCredential("scanner-2", HASH),),
            rate_limit=30,
            rewrite_from=(Rewriting("*", "scanner@contoso.com"),),
            priority=Priority.LOW,
        ),
        InboundConnector("Internal", connector_type=ConnectorType.ON_PREMISES, treat_messages_as_internal=True),
    ),
    outbound=(
        OutboundConnector(
            "Out",
            comment="to the tenant",
            enabled=False,
            connector_type=ConnectorType.ON_PREMISES,
            connector_source=ConnectorSource.HYBRID_WIZARD,
            recipient_domains=("*",),
            all_accepted_domains=True,
            smart_hosts=("mail.example.org", "192.0.2.1", "2001:db8::1"),
            port=587,
            source_address="192.0.2.9",
            tls_settings=TlsSettings.DOMAIN_VALIDATION,
            tls_domain="*.example.org",
            client_certificate=ClientCertificateRef("certificate/out", "AB" * 20),
            throttle=Throttle(30, 10000, 3),
            mta_sts_mode=MtaStsMode.OPPORTUNISTIC,
            smtp_dane_mode=SmtpDaneMode.MANDATORY,
            sender_rewriting_enabled=True,
            test_mode=True,
        ),
        OutboundConnector(
            "Boxes",
            recipient_domains=("contoso.com",),
            transport=TransportKind.MAILBOX,
            mailboxes=("u@contoso.com", "*"),
        ),
    ),
    credentials=(
        Credential(
            "Relay app",
            CredentialKind.CLIENT_CREDENTIALS,
            user="scanner@contoso.com",
            secret="credential/app",
            tenant="contoso.onmicrosoft.com",
            client_id="0000",
            certificate=ClientCertificateRef("certificate/app", "CD" * 32),
            authority="https://login.example",
        ),
    ),
    reject_direct_send=True,
    postmaster_address="admin@contoso.com",
    trusted_roots=(ROOT,),
    delivery=DeliveryOverrides((60.0, 60.0, 5400.0, 0.5), 14400.0, 172800.0),
    limits=LimitOverrides(150 << 20, 1000, 5000, 0, 1000, 30 * 86400.0),
)


def test_the_document_of_an_organization_reads_back_as_the_same() -> None:
    document = to_document(FULL)
    assert from_document(document) == FULL
    assert document["delivery"] == {
        "retry_after": ["1m", "1m", "90m", "0.5s"],
        "warn_after": "4h",
        "give_up_after": "2d",
    }
    assert document["limits"]["message_size"] == "150 MiB"
    assert document["inbound_connector"][0]["sender_ip_addresses"] == ["10.0.0.0/24", "2001:db8::1"]


@pytest.mark.parametrize(
    ("fields", "cls"),
    [
        (schema.ACCEPTED_DOMAIN, AcceptedDomain),
        (schema.INBOUND_CONNECTOR, InboundConnector),
        (schema.OUTBOUND_CONNECTOR, OutboundConnector),
        (schema.CREDENTIAL, Credential),
        (schema.DELIVERY, DeliveryOverrides),
        (schema.LIMITS, LimitOverrides),
    ],
)
def test_every_field_has_a_key_in_the_document(fields: dict, cls: type) -> None:
    assert sorted(fields) == sorted(field.name for field in dataclasses.fields(cls))


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("*", "*"),
        ("Contoso.com", "contoso.com"),
        ("*.contoso.com.", "*.contoso.com"),
        ("smtp:contoso.com;1", "contoso.com"),
        ("SMTP:*.contoso.com;10", "*.contoso.com"),
        ("smtp:*;1", "*"),
        ("smtp:contoso.com", "contoso.com"),
        ("bücher.example", "xn--bcher-kva.example"),
    ],
)
def test_domains_are_read_as_exchange_writes_them(given: str, read: str) -> None:
    assert from_document(inbound(sender_domains=[given])).inbound[0].sender_domains == (read,)
    assert from_document(outbound(recipient_domains=[given])).outbound[0].recipient_domains == (read,)


@pytest.mark.parametrize(
    ("given", "read"),
    [
        ("10.0.0.7", "10.0.0.7/32"),
        ("192.168.0.1/25", "192.168.0.0/25"),
        ("0.0.0.0/0", "0.0.0.0/0"),
        ("2001:DB8::1", "2001:db8::1/128"),
        ("2001:db8::/32", "2001:db8::/32"),
    ],
)
def test_an_address_is_a_network_of_one_and_host_bits_are_put_aside(given: str, read: str) -> None:
    connector = from_document(inbound(sender_ip_addresses=[given])).inbound[0]
    assert connector.sender_ip_addresses == (ipaddress.ip_network(read),)


def test_mx_records_are_the_way_where_nothing_else_is_said() -> None:
    assert from_document(outbound()).outbound[0].use_mx_record
    assert not from_document(outbound(smart_hosts=["[192.0.2.1]"])).outbound[0].use_mx_record
    assert from_document(outbound(smart_hosts=["[192.0.2.1]"])).outbound[0].smart_hosts == ("192.0.2.1",)


def test_a_limit_of_0_is_none() -> None:
    assert from_document(outbound(throttle={"connections": 0})).outbound[0].throttle == Throttle()
    assert from_document(inbound(rate_limit=0)).inbound[0].rate_limit is None


def test_a_value_said_twice_counts_once_and_words_are_read_in_any_case() -> None:
    connector = from_document(inbound(sender_domains=["contoso.com", "CONTOSO.com"], connector_type="onpremises"))
    assert connector.inbound[0].sender_domains == ("contoso.com",)
    assert connector.inbound[0].connector_type is ConnectorType.ON_PREMISES


EXCLUDED = "cloud_services_mail_enabled; set one of them to false"
NOT_A_PATTERN = "is not allowed; write *, a domain like contoso.com, or *.contoso.com"
NOT_A_NAME = "is not a name; write 1 to 64 printable characters"
NOT_A_HOST = "is not a host; write a name or an IP address, the port apart"
NOT_A_NETWORK = "is not an IP address or network; write an IPv4/IPv6 address or CIDR"


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("comment", False, "false is not a text; put it in quotes"),
        ("enabled", "yes", '"yes" is neither true nor false'),
        ("connector_type", "Internal", '"Internal" is not allowed; write one of OnPremises, Partner'),
        ("connector_source", 1, "1 is not allowed; write one of Default, HybridWizard, Migrated"),
        ("sender_domains", "*", '"*" is not a list; put it in square brackets'),
        ("sender_domains", [], 'it is empty; write ["*"] or the domains'),
        ("sender_domains", ["domain.*.contoso.com"], f'"domain.*.contoso.com" {NOT_A_PATTERN}'),
        ("sender_domains", ["contoso"], f'"contoso" {NOT_A_PATTERN}'),
        ("sender_domains", ["a..b"], f'"a..b" {NOT_A_PATTERN}'),
        ("sender_domains", ["10.0.0.1"], f'"10.0.0.1" {NOT_A_PATTERN}'),
        ("sender_domains", [f"{'x' * 64}.com"], f'"{"x" * 64}.com" {NOT_A_PATTERN}'),
        ("sender_domains", [None], "None is not a text; put it in quotes"),
        ("sender_ip_addresses", ["10.0.0.300"], f'"10.0.0.300" {NOT_A_NETWORK}'),
        ("sender_ip_addresses", ["10.0.0.1/33"], f'"10.0.0.1/33" {NOT_A_NETWORK}'),
        ("sender_ip_addresses", ["10.0.0.1-10.0.0.9"], f'"10.0.0.1-10.0.0.9" {NOT_A_NETWORK}'),
        ("sender_ip_addresses", ["scanner.contoso.com"], f'"scanner.contoso.com" {NOT_A_NETWORK}'),
        ("sender_ip_addresses", [167772161], f"167772161 {NOT_A_NETWORK}"),
        ("tls_sender_certificate_name", "*", '"*" is not allowed; write a name like mail.contoso.com or *.contoso.com'),
        ("rate_limit", -1, "-1 is not a whole number from 0 to 1000000000"),
        ("rate_limit", True, "true is not a whole number from 0 to 1000000000"),
        ("rewrite_from", "scanner", '"scanner" is not a mail address; write one like user@contoso.com'),
        ("requre_tls", True, "unknown key; did you mean require_tls?"),
        ("sender_credentials", ["scanner"], '"scanner" is not a table of keys'),
        ("sender_credentials", [{"user": "", "password_hash": HASH}],
         'user: "" is not a user name; write 1 to 255 printable characters'),
        ("sender_credentials", [{"user": "scanner", "password_hash": "secret"}],
         "password_hash: it is not an argon2id hash; give the password itself by password_env"),
        ("sender_credentials", [{"user": "scanner"}], "password_hash: it is missing"),
        ("restrict_domains_to_ip_addresses", True, "it needs sender_ip_addresses; name them, or set it to false"),
        ("restrict_domains_to_certificate", True,
         "it needs tls_sender_certificate_name; set that, or set this to false"),
        ("treat_messages_as_internal", True, "it needs connector_type OnPremises"),
        ("associated_accepted_domains", ["contoso.com"],
         '"contoso.com" is no accepted domain; add it as accepted_domain, or remove it'),
    ],
)  # fmt: skip
def test_a_bad_value_of_an_inbound_connector_is_named_with_what_is_allowed(key: str, value: object, text: str) -> None:
    label = 'inbound_connector "Scanners"'
    assert problems(inbound(**{key: value})) == [f"{label}: {key}: {text}"]


@pytest.mark.parametrize(
    ("name", "label", "text"),
    [
        ("", "1", f'"" {NOT_A_NAME}'),
        ("x" * 65, f'"{"x" * 65}"', f'"{"x" * 65}" {NOT_A_NAME}'),
        ("two\nlines", '"two?lines"', f'"two?lines" {NOT_A_NAME}'),
        (" Scanners", '" Scanners"', f'" Scanners" {NOT_A_NAME}'),
        (7, "1", "7 is not a text; put it in quotes"),
    ],
)
def test_a_connector_without_a_good_name_is_told_by_what_there_is(name: object, label: str, text: str) -> None:
    assert problems({"inbound_connector": [{"name": name}]}) == [f"inbound_connector {label}: name: {text}"]


@pytest.mark.parametrize(
    ("settings", "text"),
    [
        ({"transport": "graph"}, 'credential: transport "graph" needs one; name a credential that gives tokens'),
        ({"transport": "graph", "credential": "App", "port": 587},
         'port: it is not for transport "graph"; remove it, or set transport'),
        ({"endpoint": "https://graph.microsoft.com:443x"},
         'endpoint: "https://graph.microsoft.com:443x" is not allowed; write one like https://login.microsoftonline.com'),
        ({"rewrite_from": "@old.example=scanner"},
         'rewrite_from: "scanner" is not a mail address; write one like user@contoso.com'),
        ({"transport": "pigeon"}, 'transport: "pigeon" is not allowed; write one of smtp, graph, mailbox'),
        ({"port": 0}, "port: 0 is not a whole number from 1 to 65535"),
        ({"port": "25"}, 'port: "25" is not a whole number from 1 to 65535'),
        ({"smart_hosts": ["mail.example.org:25"]}, f'smart_hosts: "mail.example.org:25" {NOT_A_HOST}'),
        ({"smart_hosts": ["10.0.0.0/24"]}, f'smart_hosts: "10.0.0.0/24" {NOT_A_HOST}'),
        ({"source_address": "eth0"},
         'source_address: "eth0" is not an IP address; write one like 192.0.2.1 or 2001:db8::1'),
        ({"tls_settings": "Some"}, f'tls_settings: "Some" is not allowed; write one of {", ".join(TlsSettings)}'),
        ({"tls_domain": "example.org"}, "tls_domain: it needs tls_settings DomainValidation, not None"),
        ({"client_certificate": {"secret": "x", "thumbprint": "AB"}},
         'client_certificate: thumbprint: "AB" is not a thumbprint; write 40 (SHA-1) or 64 (SHA-256) hex digits'),
        ({"credential": "App", "tls_settings": "DomainValidation"},
         "credential: one signs in to smart hosts only; name them instead of use_mx_record, or remove it"),
        ({"credential": "App", "smart_hosts": ["smtp.office365.com"]},
         "credential: it would be sent in plain text; set tls_settings, best to DomainValidation"),
        ({"credential": ["App"], "smart_hosts": ["smtp.office365.com"], "tls_settings": "DomainValidation"},
         'credential: there is no credential "App"; add it, or remove it here'),
        ({"throttle": {"connections": -1}}, "throttle: connections: -1 is not a whole number from 0 to 1000000000"),
        ({"throttle": {"speed": 1}},
         "throttle: speed: unknown key; allowed here: messages_per_minute, recipients_per_day, connections"),
        ({"mailboxes": ["u@contoso.com"]},
         'mailboxes: it is not for transport "smtp"; remove it, or set transport'),
        ({"use_mx_record": False},
         "smart_hosts: neither smart_hosts nor use_mx_record say where to deliver; set one of them"),
        ({"use_mx_record": True, "smart_hosts": ["mail.example.org"]},
         "use_mx_record: it excludes smart_hosts; set it to false, or remove them"),
        ({"transport": "mailbox"}, 'mailboxes: it is empty; write the addresses that exist, or ["*"]'),
        ({"transport": "mailbox", "mailboxes": ["user"]},
         'mailboxes: "user" is not a mailbox; write an address like user@contoso.com, or "*"'),
        ({"transport": "mailbox", "mailboxes": ["*"], "smart_hosts": ["mail.example.org"]},
         'smart_hosts: it is not for transport "mailbox"; remove it, or set transport'),
        ({"transport": "mailbox", "mailboxes": ["*"], "use_mx_record": True},
         'use_mx_record: it is not for transport "mailbox"; remove it, or set transport'),
    ],
)  # fmt: skip
def test_a_bad_value_of_an_outbound_connector_is_named_with_what_is_allowed(settings: dict, text: str) -> None:
    assert problems(outbound(**settings)) == [f'outbound_connector "Out": {text}']


@pytest.mark.parametrize(
    ("document", "line"),
    [
        ({"accepted_domains": []}, "accepted_domains: unknown key; did you mean accepted_domain?"),
        ({"accepted_domain": {"name": "contoso.com"}},
         "accepted_domain: {'name': 'contoso.com'} is not a list of tables; write [[accepted_domain]] above each"),
        ({"accepted_domain": ["contoso.com"]}, 'accepted_domain 1: "contoso.com" is not a table of keys'),
        ({"outbound_connector": ["Out"]}, 'outbound_connector 1: "Out" is not a table of keys'),
        ({"accepted_domain": [{"type": "Authoritative"}]}, "accepted_domain 1: name: it is missing"),
        ({"accepted_domain": [{"name": "*.contoso.com"}]},
         'accepted_domain "*.contoso.com": name: "*.contoso.com" is not a domain; write one like contoso.com'),
        ({"accepted_domain": [{"name": "contoso.com"}, {"name": "Contoso.COM"}]},
         'accepted_domain "Contoso.COM": name: another accepted_domain has this name, whatever its case; rename one'),
        ({"inbound_connector": [{"name": "Scanners"}, {"name": "SCANNERS"}]},
         'inbound_connector "SCANNERS": name: another inbound_connector has this name, whatever its case; rename one'),
        ({"inbound_connector": [{"name": "A", "sender_credentials": [{"user": "fax", "password_hash": HASH}]},
                                {"name": "B", "sender_credentials": [{"user": "FAX", "password_hash": HASH}]}]},
         'inbound_connector "B": sender_credentials: user "FAX" belongs to "A" already; choose another'),
        (inbound(connector_type="OnPremises", treat_messages_as_internal=True, cloud_services_mail_enabled=True),
         f'inbound_connector "Scanners": treat_messages_as_internal: it excludes {EXCLUDED}'),
        ({"postmaster_address": "admin@example.org"},
         'postmaster_address: "admin@example.org" is in no accepted domain; write an address of your own'),
        ({"trusted_roots": ["own-ca.pem"]},
         "trusted_roots: it holds no certificate; give a PEM file with BEGIN CERTIFICATE"),
        ({"delivery": {"retry_after": []}}, 'delivery: retry_after: it is empty; write a list like ["1m", "5m", "1h"]'),
        ({"delivery": {"retry_after": "1m"}}, 'delivery: retry_after: "1m" is not a list; put it in square brackets'),
        ({"delivery": {"warn_after": "0s"}}, 'delivery: warn_after: "0s" is not allowed; write a duration above 0'),
        ({"delivery": {"warn_after": "soon"}},
         'delivery: warn_after: "soon": it should be a duration like "30s", "5m", "4h" or "2d"'),
        ({"limits": {"message_size": "big"}},
         'limits: message_size: "big": it should be a size like "150 MiB", "64 KB" or 1048576'),
        ({"limits": {"message_size": "²"}},
         'limits: message_size: "²": it should be a size like "150 MiB", "64 KB" or 1048576'),
        ({"limits": {"message_size": None}},
         'limits: message_size: None is not a quantity; write one like "5m" for a time, "150 MiB" for a size'),
        ({"limits": {"message_size": 1 << 51}},
         f"limits: message_size: {1 << 51}: it should be at most 1 PiB (1048576 GiB)"),
        ({"delivery": {"warn_after": 1e13}}, "delivery: warn_after: 10000000000000.0: it should be at most 36500d"),
        ({"limits": {"recipients": "many"}}, 'limits: recipients: "many" is not a whole number from 0 to 1000000000'),
        ({"credential": [{"name": "App", "kind": "password", "user": "u@contoso.com"}]},
         'credential "App": secret: kind password needs it'),
        ({"credential": [{"name": "App", "kind": "client_credentials", "user": "u", "tenant": "t", "client_id": "c"}]},
         'credential "App": secret: kind client_credentials needs a secret or a certificate'),
        ({"credential": [{"name": "App"}]}, 'credential "App": kind: it is missing'),
    ],
)  # fmt: skip
def test_what_is_wrong_is_said_in_one_line(document: dict, line: str) -> None:
    assert problems(document) == [line]


def test_all_problems_are_told_at_once() -> None:
    document = {
        "reject_direct_send": "no",
        "inbound_connector": [
            {"name": "A", "sender_ip_addresses": ["10.0.0.300", "10.0.0.1", "x"], "requre_tls": True},
            {"sender_domains": ["*"]},
        ],
        "outbound_connector": [{"name": "B", "port": -1}],
    }
    assert problems(document) == [
        'reject_direct_send: "no" is neither true nor false',
        f'inbound_connector "A": sender_ip_addresses: "10.0.0.300" {NOT_A_NETWORK}',
        f'inbound_connector "A": sender_ip_addresses: "x" {NOT_A_NETWORK}',
        'inbound_connector "A": requre_tls: unknown key; did you mean require_tls?',
        "inbound_connector 2: name: it is missing",
        'outbound_connector "B": port: -1 is not a whole number from 1 to 65535',
    ]


def test_an_inbound_and_an_outbound_connector_may_have_one_name() -> None:
    assert from_document(inbound() | {"outbound_connector": [{"name": "Scanners"}]})


def test_a_password_hash_is_never_shown() -> None:
    assert "hunter2" not in str(problems(inbound(sender_credentials=[{"user": "u", "password_hash": "hunter2"}])))


def test_settings_that_do_nothing_are_noticed() -> None:
    lines = notices(FULL)
    kept = "is kept but not acted on yet"
    assert f'outbound_connector "Out": smtp_dane_mode {kept}' in lines
    assert 'credential "Relay app" signs in nowhere; name it in the credential of an outbound connector' in lines
    using = OutboundConnector("Out", recipient_domains=("*",), credential=("Relay app",))
    assert notices(Organization(outbound=(using,), credentials=FULL.credentials)) == ()
    proofs = "sender_ip_addresses, tls_sender_certificate_name or sender_credentials"
    assert [line for line in lines if "Internal" in line] == [
        f'inbound_connector "Internal": treat_messages_as_internal {kept}',
        f'inbound_connector "Internal": it matches nobody; set {proofs}',
    ]
    assert notices(Organization(outbound=(OutboundConnector("Idle"),))) == (
        'outbound_connector "Idle": it carries nothing; set recipient_domains or all_accepted_domains',
    )


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.binary(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=6,
)
keys = st.sampled_from([*schema.SETTINGS, *schema.ITEMS])
items = st.dictionaries(
    st.sampled_from([*schema.INBOUND_CONNECTOR, *schema.OUTBOUND_CONNECTOR, *schema.CREDENTIAL]), anything, max_size=4
)


@given(st.dictionaries(keys | st.text(max_size=5), anything | st.lists(items, max_size=2), max_size=4))
def test_whatever_a_document_holds_it_is_an_organization_or_a_list_of_lines(document: dict) -> None:
    try:
        organization = from_document(document)
    except OrganizationError as refused:
        lines = refused.problems
    else:
        lines = ("it is one", *notices(organization))
        assert from_document(to_document(organization)) == organization
    assert lines
    assert all(line.isprintable() for line in lines)
