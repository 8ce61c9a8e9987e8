"""What a session keeps, asks and reports; and what there is to complete."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from posthouse.cmdlets.completion import completions
from posthouse.cmdlets.conversion import BOOLEAN, BYTES, STRING
from posthouse.cmdlets.errors import IncompleteScript, ScriptRefused
from posthouse.cmdlets.generic import GENERIC
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, Library, NetType, Parameter, Services, View
from posthouse.cmdlets.library import LIBRARY
from posthouse.cmdlets.values import Hashtable, PSObject, Value
from support.scripts import Scripts


def test_variables_and_functions_stay() -> None:
    scripts = Scripts()
    scripts.run("$x = 5; function Twice($n) { $n * 2 }")
    assert scripts.run("Twice $x") == "10\n"


@pytest.mark.parametrize(
    ("script", "status"),
    [
        ("'fine'", 0),
        ("Get-InboundConnector none", 1),
        ("Get-InboundConnector none -ErrorAction SilentlyContinue", 0),
        ("try { throw 'x' } catch { 'handled' }", 0),
        ("throw 'x'", 1),
        ("1 / 0; 'goes on'", 1),
        ("exit 7", 7),
        ("exit", 0),
        ("Write-Warning 'only a warning'", 0),
        ("Get-Nothing", 1),
    ],
)
def test_exit_status(script: str, status: int) -> None:
    scripts = Scripts()
    scripts.run(script)
    assert scripts.status == status


@pytest.mark.parametrize(
    ("answers", "left"),
    [(["y"], 1), (["n"], 2), (["a"], 0), (["l"], 2), (["", "n"], 1), (["?", "maybe", "Yes", "No"], 1), (["n", "y"], 1)],
)
def test_a_person_is_asked(answers: list[str], left: int) -> None:
    """Each call asks: once for each object, or once for all."""
    scripts = Scripts(answers=["y"])
    scripts.run("New-InboundConnector A | Out-Null; New-InboundConnector B | Out-Null")
    scripts.paper.answers[:] = [*answers, *["n"] * 5]
    scripts.run("Get-InboundConnector | Remove-InboundConnector")
    assert len(scripts.connectors) == left


def test_streams_are_told_apart() -> None:
    scripts = Scripts()
    scripts.run("'out'; Write-Host 'host'; Write-Warning 'careful'; Write-Verbose 'more' -Verbose; Write-Error 'wrong'")
    assert [stream for stream, _ in scripts.paper.said] == ["output", "host", "warning", "verbose", "error"]


@pytest.mark.parametrize("text", ["if ($x) {", "'abc", "Get-Date |", "$x = @(1,", '@"\nabc', "1 +", "<# c"])
def test_an_unfinished_script_is_told_from_a_wrong_one(text: str) -> None:
    with pytest.raises(IncompleteScript):
        Scripts().session.prepare(text, "line")


@pytest.mark.parametrize("text", ["'a' }", "Get-Nothing", "& x", "1 = 2"])
def test_a_wrong_script_is_not_unfinished(text: str) -> None:
    with pytest.raises(ScriptRefused) as refused:
        Scripts().session.prepare(text, "line")
    assert not isinstance(refused.value, IncompleteScript)


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("New-Inb", ["New-InboundConnector"]),
        ("Get-Date | Remove-I", ["Remove-InboundConnector"]),
        ("New-InboundConnector -Sender", ["-SenderDomains", "-SenderIPAddresses"]),
        ("$x = New-InboundConnector -what", ["-WhatIf"]),
        ("New-InboundConnector -ConnectorType ", ["OnPremises", "Partner"]),
        ("New-InboundConnector -conn p", ["Partner"]),
        ("New-InboundConnector -Level Low,h", ["Low,High"]),
        ("New-InboundConnector -Scan", []),
        ("New-InboundConnector x", []),
        ("Get-Nothing -", []),
    ],
)
def test_completion(line: str, found: list[str]) -> None:
    assert completions(line, Scripts().session.registry) == found


# What the interface offers to families of cmdlets


def certificate(_services: Services) -> PSObject:
    """A stand-in for X509Certificate2: a method that changes it, a property with a converter, one that is read-only."""
    made = PSObject("Test.Certificate", Hashtable({"Subject": "", "Exportable": False}))

    def load(content: Value, password: Value = "", flags: Value = "") -> None:
        made.properties["Subject"] = f"CN={bytes(content).decode()} ({password}, {flags})"

    made.methods = {"Import": load}
    made.setters = {"Exportable": BOOLEAN.convert}
    return made


TYPES = Library(
    types=(NetType(("System.Security.Test.Certificate2",), certificate, ("Import", "Subject")),),
    views={"Test.Certificate": View(("Subject",), as_list=True)},
)


def test_a_type_that_a_family_registers() -> None:
    scripts = Scripts(library=GENERIC + TYPES)
    shown = scripts.run(
        "$c = New-Object -TypeName Security.Test.Certificate2\n"
        "$c.Import([byte[]](65, 66), 'pass', \"Exportable,PersistKeySet\")\n"
        "$c.Subject; $c.EXPORTABLE = 1; $c.Exportable\n"
    )
    assert shown == "CN=AB (pass, Exportable,PersistKeySet)\nTrue\n"
    assert "'Subject' is a ReadOnly property." in scripts.run("$c.Subject = 'x'")
    assert scripts.run("[Security.Test.Certificate2]::new()") == "\nSubject :\n\n"
    assert "The method 'Export' is not known here" in scripts.run("$c.Export()")


def test_a_service_is_found_by_its_type() -> None:
    def run(context: Context, _bound: Bound) -> Iterable[Value]:
        yield context.service(int)

    library = GENERIC + Library(cmdlets=(Cmdlet("Get-Number", (), run),))
    with pytest.raises(LookupError, match="a int is needed"):
        Scripts(library=library).run("Get-Number")


def test_bytes_and_texts_reach_a_cmdlet_as_such() -> None:
    seen: list[Value] = []

    def run(_context: Context, bound: Bound) -> Iterable[Value]:
        seen.append(dict(bound))
        return ()

    parameters = (Parameter(name="Content", type=BYTES), Parameter(name="Name", type=STRING))
    library = GENERIC + Library(cmdlets=(Cmdlet("Send-Test", parameters, run),))
    Scripts(library=library).run("Send-Test -Content (1, 2, 255) -Name 1.50; Send-Test -Name 'x'")
    assert seen == [{"Content": b"\x01\x02\xff", "Name": "1.50"}, {"Name": "x"}]


def test_a_cmdlet_that_fails_for_one_object_goes_on_with_the_next() -> None:
    scripts = Scripts()
    scripts.run("New-InboundConnector B | Out-Null")
    shown = scripts.run("'A', 'B' | Get-InboundConnector | ForEach-Object Name")
    assert "object 'A' couldn't be found" in shown
    assert shown.endswith("B\n")


def test_names_do_not_collide() -> None:
    """A name or alias of one cmdlet must not hide another's."""
    names = [name.lower() for cmdlet in LIBRARY.cmdlets for name in (cmdlet.name, *cmdlet.aliases)]
    assert sorted(names) == sorted(set(names))


def test_a_script_from_windows() -> None:
    """CR LF at the ends of lines, and a byte order mark."""
    lines = [
        "\ufeff$p = @{",
        "  Name = 'Relay' # one",
        "  Port = 25",
        "}",
        "New-InboundConnector @p `",
        "  -Comment @'",
    ]
    lines += [
        "two",
        "lines",
        "'@ | ForEach-Object {",
        "  $_.Comment",
        "}",
        "if ($p) {",
        "  'yes'",
        "}",
        "else {",
        "}",
        "",
    ]
    assert Scripts().run("\r\n".join(lines)) == "two\r\nlines\nyes\n"
