"""Presets: data that makes a connector to a well-known service."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from posthouse.admin import AdminError, Administration, Items
from posthouse.admin.presets import Preset, expanded, presets
from posthouse.organization import OutboundConnector, TlsSettings, from_document, to_document
from posthouse.settings import Settings
from posthouse.spool import open_store

CREDENTIAL = {"name": "App", "kind": "client_credentials", "tenant": "t", "client_id": "c", "user": "a@contoso.com"}


@pytest.fixture
def admin(tmp_path: Path) -> Iterator[Administration]:
    settings = Settings(data_dir=tmp_path / "data")
    with closing(open_store(settings.store_url, settings.data_dir)) as store:
        yield Administration(store, {})


@pytest.mark.parametrize("preset", presets().values(), ids=lambda preset: preset.name)
def test_each_is_a_whole_connector_once_its_needs_are_met(preset: Preset) -> None:
    given = {"preset": preset.name, "name": "Out", "recipient_domains": ["*"]}
    needs = {key: [example] if key == "smart_hosts" else "App" for key, example in preset.needs.items()}
    document = {"outbound_connector": [expanded(given | needs)], "credential": [{**CREDENTIAL, "secret": "s"}]}
    (connector,) = from_document(document).outbound
    assert preset.page.startswith("https://")
    assert ("credential" in preset.needs) == bool(preset.user)
    assert connector.transport == "graph" or connector.tls_settings is TlsSettings.DOMAIN_VALIDATION


@pytest.mark.parametrize("preset", [preset for preset in presets().values() if preset.needs], ids=lambda one: one.name)
def test_what_it_needs_is_told_with_an_example(preset: Preset) -> None:
    key, example = next(iter(preset.needs.items()))
    with pytest.raises(AdminError, match=f'{key}: preset {preset.name} needs it; write one like "{example}"'):
        expanded({"preset": preset.name})


def test_what_is_given_counts_more() -> None:
    given = {"preset": "microsoft-365-submission", "credential": "App", "port": 2525, "throttle": {"connections": 1}}
    assert expanded(given) == {
        "credential": "App",
        "smart_hosts": ["smtp.office365.com"],
        "port": 2525,
        "tls_settings": "DomainValidation",
        "throttle": {"messages_per_minute": 30, "recipients_per_day": 10000, "connections": 1},
    }


def test_a_connector_that_is_there_gets_another_preset(admin: Administration, tmp_path: Path) -> None:
    connectors = Items(admin, "outbound_connector", tmp_path)
    connectors.new("Out", {"recipient_domains": ["*"], "smart_hosts": ["mail.contoso.com"], "comment": "kept"})
    connectors.set("Out", {"preset": "google-workspace-relay"})
    (connector,) = admin.organization().outbound
    assert (connector.smart_hosts, connector.port, connector.comment) == (("smtp-relay.gmail.com",), 587, "kept")


def test_an_organization_file_names_one(admin: Administration, tmp_path: Path) -> None:
    file = tmp_path / "organization.toml"
    connector = '[[outbound_connector]]\nname = "Out"\npreset = "%s"\nrecipient_domains = ["*"]\n'
    file.write_text(connector % "gmial", "utf-8")
    with pytest.raises(AdminError, match='outbound_connector "Out": preset: "gmial" is not known; write one of '):
        admin.apply(file)
    file.write_text(connector % "google-workspace-relay", "utf-8")
    admin.apply(file)
    exported = to_document(admin.organization())["outbound_connector"][0]
    assert "preset" not in exported
    assert exported["smart_hosts"] == ["smtp-relay.gmail.com"]


def test_a_preset_is_no_field_that_is_kept() -> None:
    assert "preset" not in {field.name for field in dataclasses.fields(OutboundConnector)}
