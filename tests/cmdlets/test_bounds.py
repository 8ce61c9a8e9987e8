"""A script ends in bounded time and memory, whatever it says; and no text makes the program fail."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.cmdlets.errors import ScriptRefused
from posthouse.cmdlets.limits import Budget
from posthouse.cmdlets.powershell.scanner import mask
from posthouse.cmdlets.powershell.source import Source
from support.scripts import Scripts

STOPPED = "the script was stopped: "
ENDLESS = [
    "while ($true) { }",
    "for (;;) { }",
    "do { } until ($false)",
    "while ($true) { $x = 1 } ",
    "while (1) { try { throw 'x' } catch { } }",
    "try { while (1) { } } finally { 'cleanup' }",
    "foreach ($i in 1..100000) { foreach ($j in 1..100000) { } }",
    "1..1000000 | ForEach-Object { 1..1000000 } | Where-Object { $_ }",
    "while (1) { Get-Date | Out-Null }",
]
GROWING = [
    "'a' * 1000000000",
    "$x = 'a' * 1000; while (1) { $x += $x }",
    "$x = 1..1000; while (1) { $x += $x }",
    "$x = @(1) * 1000000000",
    "'a'.PadLeft(2000000000)",
    "$l = New-Object Collections.ArrayList; while (1) { [void]$l.Add('a' * 1000000) }",
    "$x = 'a' * 1000000; $x.Replace('a', $x)",
    "$x = 'a' * 1000000; $x -replace 'a', $x",
    "$x = 'a' * 1000000; [string]::Join($x, (1..1000))",
    "$x = 'a' * 1000000; (1..1000) -join $x",
]


@pytest.mark.parametrize("script", [*ENDLESS, *GROWING])
def test_a_script_without_an_end_is_stopped(script: str) -> None:
    scripts = Scripts(budget=Budget(steps=20_000, size=8 << 20))
    assert STOPPED in scripts.run(script)
    assert scripts.status == 1


def test_output_has_a_bound() -> None:
    shown = Scripts(budget=Budget(output=10_000)).run("while (1) { Write-Host ('x' * 100) }")
    assert f"{STOPPED}it writes too much" in shown
    assert len(shown) < 11_000


def test_no_catch_sees_the_bound() -> None:
    shown = Scripts(budget=Budget(steps=5_000)).run("try { while (1) { } } catch { 'caught' }")
    assert shown.startswith(STOPPED)


def test_the_next_script_of_a_session_begins_anew() -> None:
    scripts = Scripts(budget=Budget(steps=5_000))
    assert STOPPED in scripts.run("while (1) { }")
    assert scripts.run("1 + 1") == "2\n"


@pytest.mark.parametrize(
    "script",
    [
        "function f { f }; f",
        "function f { g }; function g { f }; f",
        "$b = { }; function f { 1 | ForEach-Object { f } }; f",
        "function f($n) { if ($n) { f ($n - 1) } else { 'end' } }; f 1000",
    ],
)
def test_endless_recursion_is_an_error(script: str) -> None:
    scripts = Scripts()
    assert "The script failed due to call depth overflow." in scripts.run(script)
    assert scripts.status == 1


@pytest.mark.parametrize("pattern", ["(a+)+$", "(a|a)*$", "(a*)*b", "((a{1,9}){1,9}){1,9}b", "(.*)(.*)(.*)(.*)x"])
def test_a_pattern_that_could_take_too_long_is_refused(pattern: str) -> None:
    assert "could take too long" in Scripts().run(f"('a' * 5000) -match '{pattern}'")


@pytest.mark.parametrize(
    "pattern", [r"^(\d{1,3}\.){3}\d{1,3}$", r"^[\w.]+@[\w.]+$", r"\bRelay\b", r"^.*@contoso\.com$"]
)
def test_everyday_patterns_are_taken(pattern: str) -> None:
    assert Scripts().run(f"'10.0.0.1', 'a@contoso.com', 'SMTP Relay' -match '{pattern}'").count("\n") == 1


PIECES = st.sampled_from(
    [
        *"(){}[]@$'\"`|;,&.-+*/%=!<>#:?\n 1ax_é\u2019\u201c\u2013",
        *("@{", "$(", "@(", "@'\n", "\n'@", '@"\n', "<#", "#>", "..", "::", "++", " -eq ", " -and ", " -f ", " -join "),
        *(
            "if",
            "else",
            "foreach",
            " in ",
            "function ",
            "try",
            "catch",
            "switch",
            "param(",
            "return ",
            "throw ",
            "while",
        ),
        *("$x", "$_", "$true", "$x.Name", "$x[0]", "'a'", '"$x"', "[int]", "[string]::Join", "10.0.0.1", "a@b.com"),
        *(
            "Get-Date",
            "Write-Output ",
            "ForEach-Object ",
            "Where-Object ",
            "Select-Object ",
            " -Name ",
            " -First:1",
            "@x",
        ),
    ]
)
TEXTS = st.one_of(st.text(max_size=60), st.lists(PIECES, max_size=25).map("".join))


@settings(max_examples=150, deadline=None)
@given(TEXTS)
def test_any_text_runs_or_says_in_a_line_why_not(text: str) -> None:
    scripts = Scripts(budget=Budget(steps=2_000, size=1 << 20, output=1 << 16))
    shown = scripts.run(text)
    if scripts.status == 1 and not scripts.paper.said:
        assert shown.count("\n") == 1


@given(TEXTS)
def test_the_mask_keeps_every_offset(text: str) -> None:
    try:
        masked = mask(Source(text, "test.ps1"))
    except ScriptRefused:
        return
    assert len(masked.text) == len(text)
    assert masked.text.isascii()


@pytest.mark.parametrize(
    "piece", ["'", '"', "(", "{", "$(", "@{", "#\n", "`\n", ",", "a,", "-a ", "| ", "$x.y", "[", "<#", "''", '"" ']
)
@pytest.mark.timeout(30)
def test_long_texts_take_linear_time(piece: str) -> None:
    """The time-out is what tells: anything quadratic takes minutes."""
    scripts = Scripts(budget=Budget(steps=2_000))
    scripts.run("Write-Output " + piece * 20_000)
    assert scripts.run("'still here'") == "still here\n"
