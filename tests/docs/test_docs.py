"""The documentation can't lag: each command, option, setting and key is in docs/reference.md, and the examples work."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from typer.main import get_command

from posthouse.admin import Administration
from posthouse.cli.app import app
from posthouse.net.certificates import Authority
from posthouse.organization import AcceptedDomain, Credential, InboundConnector, Organization, OutboundConnector
from posthouse.settings import AdminSettings, DeliverySettings, Limits, Listener, Settings, load
from posthouse.spool import open_store

DOCS = Path(__file__).parents[2] / "docs"
EXAMPLES = DOCS / "examples"
REFERENCE = (DOCS / "reference.md").read_text("utf-8")
SECTIONS = dict(re.findall(r"^###? (.+?)\n(.*?)(?=^##|\Z)", REFERENCE, re.MULTILINE | re.DOTALL))


def commands(command: Any, path: str) -> Iterator[tuple[str, Any]]:
    context = command.make_context(path, [], resilient_parsing=True)
    if not hasattr(command, "list_commands"):
        yield path, command
        return
    for name in command.list_commands(context):
        yield from commands(command.get_command(context, name), f"{path} {name}")


COMMANDS = dict(commands(get_command(app), "posthouse"))


def documented(words: str) -> str:
    """The section whose heading names a command."""
    for heading, text in SECTIONS.items():
        if words in (re.sub(r" (?:[A-Z]+|\[[A-Z]+\]\.\.\.)$", "", part) for part in heading.split(", ")):
            return text
    raise AssertionError(f"docs/reference.md has no heading for {words}")


@pytest.mark.parametrize("words", COMMANDS)
def test_every_command_and_option_is_documented(words: str) -> None:
    text = documented(words)
    options = [option for parameter in COMMANDS[words].params for option in parameter.opts if option.startswith("-")]
    assert [option for option in options if f"`{option}`" not in text] == []


def test_no_command_is_documented_that_is_not_there() -> None:
    headings = [part for heading in SECTIONS for part in heading.split(", ") if part.startswith("posthouse ")]
    assert {re.sub(r" (?:[A-Z]+|\[[A-Z]+\]\.\.\.)$", "", part) for part in headings} == set(COMMANDS)


@pytest.mark.parametrize(
    ("section", "model"),
    [
        ("Settings", Settings),
        ("listener", Listener),
        ("delivery", DeliverySettings),
        ("limits", Limits),
        ("admin", AdminSettings),
    ],
)
def test_every_setting_is_documented(section: str, model: Any) -> None:
    keys = [key for key in model.model_fields if key not in SECTIONS]
    assert [key for key in keys if f"`{key}`" not in SECTIONS[section]] == []


@pytest.mark.parametrize(
    ("section", "model"),
    [
        ("accepted_domain", AcceptedDomain),
        ("inbound_connector", InboundConnector),
        ("outbound_connector", OutboundConnector),
        ("credential", Credential),
    ],
)
def test_every_key_of_an_item_is_documented(section: str, model: Any) -> None:
    assert [field.name for field in dataclasses.fields(model) if f"`{field.name}`" not in SECTIONS[section]] == []


def test_every_key_of_an_organization_is_documented() -> None:
    lists = {"accepted_domains", "inbound", "outbound", "credentials"}
    keys = [field.name for field in dataclasses.fields(Organization) if field.name not in lists]
    assert [key for key in keys if f"`{key}`" not in SECTIONS["Organization file"]] == []


def test_the_example_settings_are_the_defaults(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    example = load(EXAMPLES / "posthouse.toml")
    assert (example.delivery, example.limits, example.admin) == (DeliverySettings(), Limits(), AdminSettings())
    assert (example.workers, example.store, example.log) == (2, "sqlite", "auto")
    assert example.listener[0].certificate == EXAMPLES / "relay.pem"


@pytest.mark.parametrize("section", ["", "delivery", "limits", "admin"])
def test_the_example_settings_name_every_key(section: str) -> None:
    example = load(EXAMPLES / "posthouse.toml")
    part = getattr(example, section) if section else example
    assert [key for key in type(part).model_fields if key not in part.model_fields_set] == []


@pytest.mark.parametrize("name", ["tenant.toml", "site.toml"])
def test_the_example_organizations_can_be_applied(tmp_path: Path, name: str) -> None:
    authority = Authority.create("Contoso CA")
    (tmp_path / "own-ca.pem").write_bytes(authority.certificate_pem)
    (tmp_path / "cert.pfx").write_bytes(authority.issue(["relay.contoso.com"]).to_pfx("pfx password"))
    (tmp_path / name).write_text((EXAMPLES / name).read_text("utf-8"), "utf-8")
    settings = Settings(data_dir=tmp_path / "data")
    store = open_store(settings.store_url, settings.data_dir)
    applied = Administration(store, {"PFX_PASSWORD": "pfx password", "SCANNER_2": "tray-4"}).apply(tmp_path / name)
    store.close()
    assert applied.changes
    assert applied.notices == ()
