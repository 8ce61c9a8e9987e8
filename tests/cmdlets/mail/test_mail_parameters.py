"""Every parameter of Microsoft's pages is known, and docs/cmdlets-mail.md says of each what it does here."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from cmdlets.mail.conftest import MakeScript
from posthouse.cmdlets.binding import COMMON, parameters_of
from posthouse.cmdlets.interface import Cmdlet, NetType
from posthouse.cmdlets.mail import MAIL
from support.cmdlet_tables import MAIL_DOCS, START, tables
from support.house import House

MICROSOFT = dict(line.split(": ") for line in (Path(__file__).parent / "microsoft.txt").read_text("utf-8").splitlines())
CMDLETS = [pytest.param(cmdlet, id=cmdlet.name) for cmdlet in MAIL.cmdlets]
DOCS = MAIL_DOCS.read_text("utf-8")
ROWS = dict(re.findall(r"^\| `([\w.]+)` \| (of .*) \|$", DOCS, re.MULTILINE))


def test_all_cmdlets_are_compared() -> None:
    assert {cmdlet.name for cmdlet in MAIL.cmdlets} == MICROSOFT.keys()


@pytest.mark.parametrize("cmdlet", CMDLETS)
def test_it_has_the_parameters_that_microsoft_has(cmdlet: Cmdlet) -> None:
    known = {parameter.name for parameter in parameters_of(cmdlet)} - {parameter.name for parameter in COMMON}
    assert known == set(MICROSOFT[cmdlet.name].split())


@pytest.mark.parametrize("cmdlet", CMDLETS)
def test_each_name_is_declared_once(cmdlet: Cmdlet) -> None:
    names = [name.lower() for parameter in parameters_of(cmdlet) for name in (parameter.name, *parameter.aliases)]
    assert sorted(names) == sorted(set(names))


def test_the_documentation_is_made_from_the_cmdlets() -> None:
    """If not: cd tests && python -m support.cmdlet_tables"""
    assert DOCS[DOCS.index(START) :] == tables(MAIL.cmdlets)


@pytest.mark.parametrize("cmdlet", CMDLETS)
def test_refused_parameters_are_refused_with_their_reason(relay: House, scripts: MakeScript, cmdlet: Cmdlet) -> None:
    for parameter in (one for one in cmdlet.parameters if one.refused):
        shown = scripts(relay).run(f"$given = @{{ {parameter.name} = 1 }}; {cmdlet.name} @given")
        assert f"The parameter '{parameter.name}' is not taken here: {parameter.refused}.\n" in shown


def test_all_types_are_documented() -> None:
    assert ROWS.keys() == {kind.names[0] for kind in MAIL.types}


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind.names[0]) for kind in MAIL.types])
def test_all_methods_of_a_type_are_documented(kind: NetType) -> None:
    assert [member for member in kind.members if f"`{member}`" not in ROWS[kind.names[0]]] == []


PROPERTIES = {
    "System.Net.Mail.SmtpClient": "$server",
    "System.Net.Mail.MailMessage": "",
    "System.Net.Mail.MailAddress": "a@contoso.com",
}


@pytest.mark.parametrize("name", PROPERTIES)
def test_all_properties_of_a_type_are_documented(relay: House, scripts: MakeScript, name: str) -> None:
    arguments = f"('{PROPERTIES[name]}')" if PROPERTIES[name] else ""
    found = scripts(relay).run(f"(New-Object {name}{arguments}).psobject.Properties | ForEach-Object Name").split()
    assert [one for one in found if f"`{one}`" not in ROWS[name]] == []
    assert len(found) > 3
