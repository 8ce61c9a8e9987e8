"""apply, export, show, connector and domain, as an administrator types them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

TENANT = """
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "SMTP Relay (Non-TLS)"
connector_type = "OnPremises"
sender_domains = ["*"]
sender_ip_addresses = ["110.0.0.7"]
restrict_domains_to_ip_addresses = true

[[outbound_connector]]
name = "Internet"
recipient_domains = ["*"]
"""


@pytest.fixture
def tenant(folder: Path) -> str:
    (folder / "tenant.toml").write_text(TENANT, "utf-8")
    return "tenant.toml"


def test_apply_shows_what_it_changed(posthouse: Any, tenant: str) -> None:
    applied = posthouse("apply", tenant, "--json")
    assert applied.status == 0
    assert [(change["act"], change["item"]) for change in applied.json] == [
        ("add", 'accepted_domain "contoso.com"'),
        ("add", 'inbound_connector "SMTP Relay (Non-TLS)"'),
        ("add", 'outbound_connector "Internet"'),
    ]
    again = posthouse("apply", tenant)
    assert (again.status, again.out, again.err) == (0, "", "nothing to change\n")


def test_a_dry_run_changes_nothing(posthouse: Any, tenant: str) -> None:
    assert 'accepted_domain "contoso.com"' in posthouse("apply", tenant, "--dry-run").out
    assert posthouse("domain", "list", "--json").json == []


def test_an_export_can_be_applied(posthouse: Any, tenant: str, folder: Path) -> None:
    posthouse("apply", tenant)
    (folder / "exported.toml").write_text(posthouse("export").out, "utf-8")
    assert posthouse("apply", "exported.toml").err == "nothing to change\n"


def test_connectors_are_listed_in_one_array_in_the_cmdlets_spelling(posthouse: Any, tenant: str) -> None:
    posthouse("apply", tenant)
    inbound, outbound = posthouse("connector", "list", "--json").json
    assert inbound["Name"] == "SMTP Relay (Non-TLS)"
    assert inbound["Direction"] == "Inbound"
    assert inbound["SenderIPAddresses"] == ["110.0.0.7"]
    assert inbound["RestrictDomainsToIPAddresses"] is True
    assert (outbound["Direction"], outbound["UseMXRecord"], outbound["SmartHosts"]) == ("Outbound", True, [])


def test_a_connector_table_is_for_people(posthouse: Any, tenant: str) -> None:
    posthouse("apply", tenant)
    _, _, _, inbound, outbound, *_ = posthouse("connector", "list").out.splitlines()
    assert inbound.split("  ")[0].strip() == "SMTP Relay (Non-TLS)"
    assert "110.0.0.7" in inbound
    assert "MX" in outbound


def test_a_connector_is_made_changed_shown_and_removed(posthouse: Any) -> None:
    made = posthouse(
        *("connector", "new", "inbound", "Scanners", "--connector-type", "OnPremises"),
        *("--sender-ip-addresses", "192.0.2.0/24,192.0.2.7", "--sender-ip-addresses", "2001:db8::1", "--require-tls"),
    )
    assert (made.status, made.err) == (0, "")
    (shown,) = posthouse("connector", "show", "scanners", "--json").json
    assert shown["SenderIPAddresses"] == ["192.0.2.0/24", "192.0.2.7", "2001:db8::1"]
    assert (shown["ConnectorType"], shown["RequireTls"], shown["SenderDomains"]) == ("OnPremises", True, ["*"])
    changed = posthouse(
        "connector", "set", "inbound", "Scanners", "--no-require-tls", "--comment", "2nd floor", "--json"
    )
    assert {change["key"] for change in changed.json} == {"require_tls", "comment"}
    assert posthouse("connector", "remove", "inbound", "Scanners").status == 0
    assert posthouse("connector", "list", "--json").json == []


def test_a_login_comes_from_the_environment_and_is_kept(posthouse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SCANNER_2", "tray-4")
    login = ("--connector-type", "OnPremises", "--sender-credentials", "scanner-2=SCANNER_2")
    assert posthouse("connector", "new", "inbound", "Scanners", *login).status == 0
    monkeypatch.setenv("SCANNER_3", "tray-5")
    more = ("--sender-credentials", "scanner-2,scanner-3=SCANNER_3")
    assert posthouse("connector", "set", "inbound", "Scanners", *more).status == 0
    (shown,) = posthouse("connector", "show", "Scanners", "--json").json
    assert [login["User"] for login in shown["SenderCredentials"]] == ["scanner-2", "scanner-3"]
    assert "tray" not in posthouse("export").out


def test_a_throttle_is_set_and_taken_away(posthouse: Any) -> None:
    posthouse("connector", "new", "outbound", "Internet", "--recipient-domains", "*", "--throttle-connections", "3")
    (shown,) = posthouse("connector", "show", "Internet", "--json").json
    assert shown["Throttle"]["Connections"] == 3
    posthouse("connector", "set", "outbound", "Internet", "--throttle-connections", "0")
    (shown,) = posthouse("connector", "show", "Internet", "--json").json
    assert shown["Throttle"]["Connections"] is None


def test_what_does_nothing_is_noted_beside_the_result(posthouse: Any) -> None:
    made = posthouse("connector", "new", "outbound", "Internet", "--json")
    assert made.status == 0
    assert len(made.json) == 1
    assert made.err.startswith('note: outbound_connector "Internet": it carries nothing; set recipient_domains')


def test_domains_come_change_and_go(posthouse: Any) -> None:
    posthouse("domain", "new", "Contoso.com")
    posthouse("domain", "set", "contoso.com", "--type", "InternalRelay")
    assert posthouse("domain", "list", "--json").json == [{"Name": "contoso.com", "Type": "InternalRelay"}]
    posthouse("domain", "remove", "contoso.com")
    assert posthouse("domain", "list", "--json").json == []


def test_show_tells_where_each_value_came_from(posthouse: Any, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "posthouse.toml").write_text(
        'store = "sqlite"\nhostname = "relay.contoso.com"\n[limits]\nrecipients = 10\nsessions = 20\n'
    )
    (folder / "limits.toml").write_text('[limits]\nsessions = 30\n[delivery]\nwarn_after = "1h"\n')
    monkeypatch.setenv("POSTHOUSE_WORKERS", "3")
    posthouse("apply", "limits.toml")
    shown = {row["key"]: (row["value"], row["origin"]) for row in posthouse("show", "--json").json}
    assert shown["hostname"] == ("relay.contoso.com", "posthouse.toml")
    assert shown["workers"] == (3, "POSTHOUSE_WORKERS")
    assert shown["limits.recipients"] == (10, "posthouse.toml")
    assert shown["limits.sessions"] == (30, "organization")
    assert shown["delivery.warn_after"] == (3600, "organization")
    assert shown["limits.min_free"] == (500 << 20, "default")


def test_show_makes_no_store(posthouse: Any, folder: Path) -> None:
    assert posthouse("show").status == 0
    assert list(folder.iterdir()) == []


def test_show_hides_the_stores_password(posthouse: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("posthouse.admin.in_force._overrides", lambda _: ())
    monkeypatch.setenv("POSTHOUSE_STORE", "postgresql://posthouse:hunter2@db/posthouse?password=hunter2")
    shown = posthouse("show").out
    assert "postgresql://posthouse:***@db/posthouse?***" in shown
    assert "hunter2" not in shown
