"""Two posthouses in a row: a site that hands all mail to its tenant, whose people have mailboxes there."""

from __future__ import annotations

from support.house import House, MakeHouse

TENANT = """
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Relay"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.0/8"]

[[outbound_connector]]
name = "Mailboxes"
transport = "mailbox"
all_accepted_domains = true
mailboxes = ["*"]
"""

SITE = """
[[accepted_domain]]
name = "contoso.com"
type = "InternalRelay"

[[inbound_connector]]
name = "Scanners"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.0/8"]

[[outbound_connector]]
name = "Office 365"
recipient_domains = ["*"]
smart_hosts = ["{host}"]
port = {port}
"""


def site_before(make: MakeHouse, host: str, port: int, settings: str = "", *, patch: str = "") -> House:
    """A running site whose smart host is at that address."""
    site = make(SITE.format(host=host, port=port), settings, name="site", hostname="site.test")
    if patch:
        site.patch(patch)
    site.apply()
    return site.start()


def start_tenant(make: MakeHouse, settings: str = "") -> House:
    tenant = make(TENANT, settings, name="tenant", hostname="tenant.test")
    tenant.apply()
    return tenant.start()


def chain(make: MakeHouse, settings: str = "") -> tuple[House, House]:
    """Site and tenant, both with these settings, running."""
    tenant = start_tenant(make, settings)
    return site_before(make, tenant.address, tenant.port, settings), tenant
