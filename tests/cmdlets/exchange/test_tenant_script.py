"""The script that `posthouse export --powershell` writes for a tenant makes the same connectors here."""

from __future__ import annotations

from pathlib import Path

from posthouse.admin.migration import tenant_script
from support.shell import Shell

ORGANIZATION = """\
reject_direct_send = true

[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "O'Brien's"
comment = "by certificate"
connector_type = "OnPremises"
require_tls = true
tls_sender_certificate_name = "*.contoso.com"

[[inbound_connector]]
name = "Partner"
enabled = false
sender_domains = ["fabrikam.com", "*.tailspin.com"]
sender_ip_addresses = ["110.0.0.7", "110.0.1.0/24"]
restrict_domains_to_ip_addresses = true

[[outbound_connector]]
name = "Internet"
recipient_domains = ["*"]

[[outbound_connector]]
name = "Fabrikam"
recipient_domains = ["fabrikam.com", "*.fabrikam.com"]
smart_hosts = ["mx1.fabrikam.com", "192.0.2.25"]
tls_settings = "DomainValidation"
tls_domain = "*.fabrikam.com"
"""


def test_it_makes_the_same(shell: Shell, tmp_path: Path) -> None:
    file = tmp_path / "organization.toml"
    file.write_text(ORGANIZATION, "utf-8")
    shell.administration.apply(file)
    wanted, script = shell.export(), tenant_script(shell.administration.organization())
    file.write_text('[[accepted_domain]]\nname = "contoso.com"\n', "utf-8")
    shell.administration.apply(file)
    shown = shell.run(script)
    assert "not taken here" not in shown
    assert shell.export() == wanted
