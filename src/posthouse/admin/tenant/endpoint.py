"""The MX endpoint of a tenant, which its mail goes to whatever its MX records say.

https://learn.microsoft.com/microsoft-365/enterprise/external-domain-name-system-records#dns-records-required-for-email-in-office-365-exchange-online
"""

from __future__ import annotations

from posthouse.admin.errors import AdminError
from posthouse.mail.address import normalize_domain
from posthouse.net.dns import DnsError, DnsTemporary, Resolver

_SUFFIX = "mail.protection.outlook.com"


async def tenant_endpoint(domain: str, resolver: Resolver) -> str:
    """By one of its domains: the host that its MX names; where mail comes by way of somebody else, the one that
    Microsoft made of the domain's name. Raises `AdminError`."""
    name = normalize_domain(domain)
    try:
        hosts = [mx.host for mx in await resolver.mx_records(name)]
        if host := next(filter(_is_endpoint, hosts), None):
            return host
        guess = f"{name.replace('.', '-')}.{_SUFFIX}"
        await resolver.addresses(guess)
    except DnsTemporary as error:
        raise AdminError(f"{error}; try again, or write the host yourself") from None
    except DnsError:
        raise AdminError(
            f'"{domain}" leads to no tenant of Microsoft 365; write another domain of it, or the host yourself'
        ) from None
    return guess


def _is_endpoint(host: str) -> bool:
    from posthouse.probe.doctor.domain import is_microsoft

    return is_microsoft(host)
