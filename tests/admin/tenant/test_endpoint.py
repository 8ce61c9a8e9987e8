"""Which host takes a tenant's mail, by a domain of it."""

from __future__ import annotations

import asyncio

import pytest

from net.dns_server import SERVFAIL, DnsServer
from posthouse.admin import AdminError
from posthouse.admin.tenant.endpoint import tenant_endpoint
from posthouse.net.dns import Resolver

ENDPOINT = "contoso-com.mail.protection.outlook.com"
ZONE = {
    ("contoso.com", "MX"): [f"0 {ENDPOINT}."],
    ("behind.example", "MX"): ["10 filter.example."],
    ("behind-example.mail.protection.outlook.com", "A"): ["192.0.2.1"],
    ("new.example", "MX"): ["0 new-example.o-v1.mx.microsoft."],
    ("elsewhere.example", "MX"): ["10 mail.elsewhere.example."],
    ("broken.example", "MX"): SERVFAIL,
}


def endpoint(domain: str) -> str:
    async def ask() -> str:
        async with DnsServer(ZONE) as dns:
            return await tenant_endpoint(domain, Resolver([dns.address], lifetime=1))

    return asyncio.run(ask())


@pytest.mark.parametrize(
    ("domain", "host"),
    [
        ("contoso.com", ENDPOINT),
        ("CONTOSO.com.", ENDPOINT),
        ("new.example", "new-example.o-v1.mx.microsoft"),
        ("behind.example", "behind-example.mail.protection.outlook.com"),
    ],
)
def test_it_is_what_mx_says_or_what_microsoft_makes_of_the_name(domain: str, host: str) -> None:
    assert endpoint(domain) == host


@pytest.mark.parametrize(
    ("domain", "said"),
    [
        ("elsewhere.example", "leads to no tenant"),
        ("nowhere.example", "leads to no tenant"),
        ("", "leads to no tenant"),
        ("broken.example", "try again"),
    ],
)
def test_where_there_is_none_it_says_what_to_do(domain: str, said: str) -> None:
    with pytest.raises(AdminError, match=said):
        endpoint(domain)
