"""Every parameter of Microsoft's pages is known, and docs/cmdlets.md says of each what it does here."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import pytest

from posthouse.admin import cmdlet_spelling
from posthouse.cmdlets.binding import COMMON, parameters_of
from posthouse.cmdlets.exchange import EXCHANGE
from posthouse.cmdlets.interface import Cmdlet
from posthouse.organization import InboundConnector, OutboundConnector
from posthouse.organization.notices import NOT_ACTED_ON
from support.cmdlet_tables import DOCS, START, tables
from support.shell import Shell

MICROSOFT = dict(line.split(": ") for line in (Path(__file__).parent / "microsoft.txt").read_text("utf-8").splitlines())
CMDLETS = [pytest.param(cmdlet, id=cmdlet.name) for cmdlet in EXCHANGE.cmdlets]


def test_all_cmdlets_are_compared() -> None:
    assert {cmdlet.name for cmdlet in EXCHANGE.cmdlets} == MICROSOFT.keys()


@pytest.mark.parametrize("cmdlet", CMDLETS)
def test_it_has_the_parameters_that_microsoft_has_and_marks_its_own(cmdlet: Cmdlet) -> None:
    ours = {parameter.name for parameter in cmdlet.parameters if parameter.help.startswith("Ours")}
    known = {parameter.name for parameter in parameters_of(cmdlet)} - {parameter.name for parameter in COMMON}
    assert known - ours == set(MICROSOFT[cmdlet.name].split())


@pytest.mark.parametrize("cmdlet", CMDLETS)
def test_each_parameter_is_declared_once(cmdlet: Cmdlet) -> None:
    names = [name.lower() for parameter in parameters_of(cmdlet) for name in (parameter.name, *parameter.aliases)]
    assert sorted(names) == sorted(set(names))


def test_the_documentation_is_made_from_the_cmdlets() -> None:
    """If not: cd tests && python -m support.cmdlet_tables"""
    text = DOCS.read_text("utf-8")
    assert text[text.index(START) :] == tables()


@pytest.mark.parametrize("model", [InboundConnector, OutboundConnector])
def test_each_field_of_a_connector_has_its_parameter(model: type) -> None:
    for verb in ("New", "Set"):
        cmdlet = next(one for one in EXCHANGE.cmdlets if one.name == f"{verb}-{model.__name__}")
        names = {parameter.name for parameter in cmdlet.parameters}
        assert {cmdlet_spelling(field.name) for field in dataclasses.fields(model)} <= names


@pytest.mark.parametrize("model", [InboundConnector, OutboundConnector])
def test_what_does_not_act_is_taken_only_as_what_holds(model: type) -> None:
    keys = NOT_ACTED_ON[model]
    for verb in ("New", "Set"):
        cmdlet = next(one for one in EXCHANGE.cmdlets if one.name == f"{verb}-{model.__name__}")
        only = {parameter.name for parameter in cmdlet.parameters if parameter.help.startswith("Only $")} | {
            parameter.name for parameter in cmdlet.parameters if parameter.help.startswith("Only None: ")
        }
        assert only >= {cmdlet_spelling(key) for key in keys}


@pytest.mark.parametrize("cmdlet", CMDLETS)
def test_refused_parameters_are_refused_with_their_reason(shell: Shell, cmdlet: Cmdlet) -> None:
    for parameter in (one for one in cmdlet.parameters if one.refused):
        shown = shell.run(f"$given = @{{ {parameter.name} = 1 }}; {cmdlet.name} @given")
        assert shown == f"{cmdlet.name} : The parameter '{parameter.name}' is not taken here: {parameter.refused}.\n"
