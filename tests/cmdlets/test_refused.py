"""What is outside the subset is refused with line and column, and nothing of the script has run."""

from __future__ import annotations

import pytest

from support.scripts import Scripts

NOT_RUN = [
    ("& Get-Date", "1:1: The call operator & is not run here"),
    ("& $block", "1:1: The call operator & is not run here"),
    (". .\\other.ps1", "1:1: The operators & and . are not run here"),
    (".\\other.ps1", "1:1: The term '.\\other.ps1' is not recognized"),
    ("Invoke-Expression '1'", "1:1: The term 'Invoke-Expression' is not recognized"),
    ("iex $x", "1:1: The term 'iex' is not recognized"),
    ("Start-Process notepad", "1:1: The term 'Start-Process' is not recognized"),
    ("Start-Job { 1 }", "1:1: The term 'Start-Job' is not recognized"),
    ("cmd /c dir", "1:1: The term 'cmd' is not recognized"),
    ("Get-ChildItem C:\\", "1:1: The term 'Get-ChildItem' is not recognized"),
    ("Get-Date &", "1:10: Background jobs (&) are not run here"),
    ("Get-Date > out.txt", "1:10: Only redirection to $null is run here"),
    ("Get-Date 2>&1", "1:10: Only redirection to $null is run here"),
    ("'x' >> out.txt", "1:5: Only redirection to $null is run here"),
    ("Get-Date && Get-Date", "1:10: The operators && and || are not run here"),
    ("Get-Date || Get-Date", "1:10: The operators && and || are not run here"),
    ("$x ? 1 : 2", "1:4: The operators ?. ?? and ?: are not run here"),
    ("$x ?? 2", "1:4: The operators ?. ?? and ?: are not run here"),
    ("$x?.Name", "1:3: The operators ?. ?? and ?: are not run here"),
    ("Add-Type -TypeDefinition 'class X {}'", "1:1: The term 'Add-Type' is not recognized"),
    ("Connect-MgGraph", "1:1: The term 'Connect-MgGraph' is not recognized"),
    ("[System.IO.File]::ReadAllText('x')", "1:1: [System.IO.File]::ReadAllText is not known here"),
    ("[Diagnostics.Process]::Start('x')", "1:1: [Diagnostics.Process]::Start is not known here"),
    ("[System.Net.WebClient]::new()", "1:1: [System.Net.WebClient]::new is not known here"),
    ("[scriptblock]::Create('1')", "1:1: [scriptblock]::Create is not known here"),
    ("$x = [xml]'<a/>'", "1:6: The type [xml] is not known here"),
    ("[Collections.Generic.HashSet[string]]$x = 1", "1:1: Of the generic types only System.Collections.Generic.List"),
    ("[Collections.Generic.Queue[int]]::new()", "1:1: Of the generic types only System.Collections.Generic.List"),
    ("$x.Invoke()", "1:1: The method 'Invoke' is not known here"),
    ("'x'.GetType().Assembly.Load('x')", "1:1: The method 'Load' is not known here"),
    ("$x.__class__.mro()", "1:1: The method 'mro' is not known here"),
    ("$env:PATH", "1:1: The environment can't be read here"),
    ('"$env:PATH"', "1:2: The environment can't be read here"),
    ("$function:prompt", "1:1: A variable's name can't hold 'function:'"),
    ("class Connector { [string]$Name }", "1:1: Classes are not run here"),
    ("enum Kind { A }", "1:1: Enumerations are not run here"),
    ("trap { 1 }", "1:1: trap is not run here"),
    ("data { 1 }", "1:1: data sections are not run here"),
    ("workflow w { 1 }", "1:1: filter and workflow are not run here"),
    ("filter f { 1 }", "1:1: filter and workflow are not run here"),
    ("begin { 1 }\nend { 2 }", "1:1: begin, process and end blocks are run in functions only"),
    ("function f { dynamicparam { 1 } }", "1:14: dynamicparam blocks are not run here"),
    ("function f { param([ValidateScript({ 1 })]$x) }", "1:20: The attribute ValidateScript is not known here"),
    ("param([Parameter(Mandatory)]$Name, $b, [Parameter(Mandatory)]$Port) $b", "1:7: The script needs -Name and -Port"),
    (":outer foreach ($i in 1) { }", "1:1: Labels are not run here"),
    ("foreach -Parallel ($i in 1) { }", "1:9: foreach -Parallel is not run here"),
    ("switch -File x { 1 { 2 } }", "1:8: switch -File is not run here"),
    ("Get-Date --% x", "1:10: The stop-parsing token --% is not run here"),
    ("function Get-Date { 1 }", "1:1: Get-Date is a cmdlet; give the function another name"),
    ('Write-Host "a $(Start-Process x)"', "1:17: The term 'Start-Process' is not recognized"),
    ("if ($true) { @{ a = { & $x } } }", "1:23: The call operator & is not run here"),
]

NOT_POWERSHELL = [
    ("'abc", "1:1: The string is missing the terminator: '."),
    ('Write-Host "abc', '1:12: The string is missing the terminator: ".'),
    ("@'\nabc", "1:1: The string is missing the terminator: '@."),
    ("if ($true) {\n  'a'", "1:12: Missing closing '}' in statement block or type definition."),
    ("(1 + 2", "1:1: Missing closing ')' in expression."),
    ("$a[0", "1:3: Missing ']' after array index expression."),
    ("'a' }", "1:5: Unexpected token '}' in expression or statement."),
    ("(1]", "1:3: Unexpected token ']' in expression or statement."),
    ("1 +", "1:3: Something must follow here."),
    ("Get-Date |", "1:10: Something must follow here."),
    ("<# comment", "1:1: The terminator '#>' is missing from the multiline comment."),
    ("5 = 3", "1:1: The assignment expression is not valid"),
    ("5++", "1:1: The operator works only on variables or on properties."),
    ("try { 1 }", "1:1: The Try statement is missing its Catch or Finally block."),
    ("$", "1:1: Unexpected token '$' in expression or statement."),
    ('"`u{110000}"', "1:2: The Unicode escape sequence is not valid"),
    ("Write-Host a'b c'", "1:13: "),
]


@pytest.mark.parametrize(("script", "refusal"), NOT_RUN)
def test_outside_the_subset(script: str, refusal: str) -> None:
    scripts = Scripts()
    assert scripts.run(script).startswith(f"test.ps1:{refusal}")
    assert scripts.status == 1


@pytest.mark.parametrize(("script", "refusal"), NOT_POWERSHELL)
def test_syntax(script: str, refusal: str) -> None:
    assert Scripts().run(script).startswith(f"test.ps1:{refusal}")


@pytest.mark.parametrize("script", [script for script, _ in (*NOT_RUN, *NOT_POWERSHELL)])
def test_nothing_ran_and_one_line_says_why(script: str) -> None:
    scripts = Scripts()
    shown = scripts.run(f"New-InboundConnector First\n{script}")
    assert scripts.connectors == {}
    assert shown.startswith("test.ps1:")
    assert shown.count("\n") == 1


def test_the_place_is_in_the_script_also_within_strings() -> None:
    assert Scripts().run('$a = 1\n  $b = "x\n $( Get-Nothing )"').startswith("test.ps1:3:5: The term 'Get-Nothing'")


def test_an_unknown_type_is_an_error_when_it_is_made() -> None:
    assert "Cannot find type [System.IO.FileInfo]" in Scripts().run("New-Object System.IO.FileInfo x")


@pytest.mark.parametrize("depth", [60, 2000])
@pytest.mark.parametrize(
    ("opener", "closer"), [("(", ")"), ("@(", ")"), ("{", "}"), ("$(", ")"), ("@{a=", "}"), ('"$(', ')"')]
)
def test_deep_nesting_is_refused(opener: str, closer: str, depth: int) -> None:
    shown = Scripts().run(opener * depth + "1" + closer * depth)
    assert "nested" in shown


def test_a_long_chain_of_operators() -> None:
    assert Scripts().run("1" + " + 1" * 100) == "101\n"
    assert "nested too deeply" in Scripts().run("1" + " + 1" * 5000)


def test_a_script_that_is_too_long() -> None:
    assert "more than 1048576 characters" in Scripts().run("#" * (1 << 20) + "\n1")
