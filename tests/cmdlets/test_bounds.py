"""A script ends in bounded time and memory, whatever it says; and no text makes the program fail."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.cmdlets.errors import ScriptRefused
from posthouse.cmdlets.limits import Budget
from posthouse.cmdlets.powershell.scanner import mask
from posthouse.cmdlets.powershell.source import Source
from support.scripts import Scripts

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


SLOW = [
    "$x = 1..500000; while ($true) { $y = $x -contains 'zz' }",
    "$x = 1..500000; while ($true) { $y = $x.Foo }",
    "$x = 1..500000; while ($true) { $y = $x.IndexOf(-1) }",
    "$x = 'a' * 1000000; while ($true) { $y = $x -like '*b*c*d*e' }",
    "('a' * 40 + 'b') -match '(a+)+$'",
    "('a' * 40 + 'b') -match '(a|a)*$'",
    "('a' * 30) -match 'a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?a?b'",
    "('a' * 5000) -replace '(.*)(.*)(.*)(.*)x'",
    "('a' * 40 + 'b') -split '(a+)+$'",
    "switch -Regex ('a' * 40 + 'b') { '(a*)*$' { 1 } }",
    "while (1) { try { $y = ('a' * 40 + 'b') -match '(a+)+$' } catch { } }",
]
# Each of these is small, and holds the same part so often that it would fill any memory if it were written out.
NESTED = [
    "$h = @{}; $h.a = $h; $h.b = $h; $h | ConvertTo-Json -Depth 100",
    "$h = 1; foreach ($i in 1..60) { $h = @{ a = $h; b = $h } }; $h | ConvertTo-Json -Depth 100",
    "$s = 1; foreach ($i in 1..60) { $s = $s, $s }; ,$s",
    "$s = @(); foreach ($i in 1..60) { $s = $s, $s }; ,$s",
    "$s = @(); foreach ($i in 1..60) { $s = $s, $s }; $s | Out-String",
]


def stopped(shown: str) -> bool:
    """The last line says why, and where in the script."""
    return re.search(r"(?:^|\n)test\.ps1:1:\d+: the script was stopped: [^\n]+\n$", shown) is not None


@pytest.mark.parametrize("script", [*ENDLESS, *GROWING, *SLOW, *NESTED])
def test_a_script_without_an_end_is_stopped(script: str) -> None:
    scripts = Scripts(budget=Budget(steps=20_000, size=8 << 20, output=1 << 20, seconds=0.3))
    assert stopped(scripts.run(script))
    assert scripts.status == 1


def test_what_grows_unseen_is_stopped_by_the_memory_it_takes() -> None:
    script = "$x = 1..1000; $l = New-Object Collections.ArrayList; while (1) { [void]$l.Add([string[]]$x) }"
    assert stopped(Scripts(budget=Budget(memory=32 << 20)).run(script))


@pytest.mark.parametrize(
    "script",
    [
        "$h = @{}; $h.a = $h; $h.b = $h; $h, $h | Select-Object -Unique | Out-Null; 'end'",
        "$o = 1; foreach ($i in 1..60) { $o = [pscustomobject]@{ a = $o; b = $o } }; $o | Out-String | Out-Null; 'end'",
        "$s = 1; foreach ($i in 1..60) { $s = $s, $s }; [pscustomobject]@{ a = $s } | Out-String | Out-Null; 'end'",
        "[pscustomobject]@{ a = 'x' * 3000000 } | Format-Table -Wrap | Out-Null; 'end'",
        "$l = New-Object Collections.ArrayList; foreach ($i in 1..30000) { [void]$l.Add($i) }; 'end'",
        "$l = New-Object Collections.ArrayList; foreach ($i in 1..30000) { [void]$l.Add($l) }; 'end'",
        "$h = @{}; foreach ($i in 1..30000) { if (-not $h.ContainsKey($i)) { $h.Add($i, 1) } }; 'end'",
    ],
)
def test_what_is_not_too_much(script: str) -> None:
    assert Scripts().run(script) == "end\n"


def test_output_has_a_bound() -> None:
    shown = Scripts(budget=Budget(output=10_000)).run("while (1) { Write-Host ('x' * 100) }")
    assert "the script was stopped: it writes too much" in shown
    assert len(shown) < 11_000


def test_no_catch_sees_the_bound() -> None:
    assert stopped(Scripts(budget=Budget(steps=5_000)).run("try { while (1) { } } catch { 'caught' }"))


def test_the_next_script_of_a_session_begins_anew() -> None:
    scripts = Scripts(budget=Budget(steps=5_000))
    assert stopped(scripts.run("while (1) { }"))
    assert scripts.run("1 + 1") == "2\n"


@pytest.mark.parametrize(
    "script",
    [
        "function f { f }; f",
        "function f { g }; function g { f }; f",
        "$b = { }; function f { 1 | ForEach-Object { f } }; f",
        "function f($n) { if ($n) { f ($n - 1) } else { 'end' } }; f 1000",
        "$s = 1; foreach ($i in 1..3000) { $s = ,$s }; ,$s",
    ],
)
def test_endless_recursion_is_an_error(script: str) -> None:
    scripts = Scripts()
    assert "call depth overflow.\nAt test.ps1:1 char:" in scripts.run(script)
    assert scripts.status == 1


@pytest.mark.parametrize(
    "pattern",
    [
        r"^(\d{1,3}\.){3}\d{1,3}$",
        r"^[\w.]+@[\w.]+$",
        r"\bRelay\b",
        r"^.*@contoso\.com$",
        r"^\s*(\w+)\s*=\s*(.*?)\s*$",
        r"^(?:[^,]*,)*[^,]*$",
    ],
)
def test_everyday_patterns_are_taken(pattern: str) -> None:
    text = "'10.0.0.1', 'a@contoso.com', 'SMTP Relay', ('Name = ' + 'value ' * 500), ('a,' * 500)"
    assert Scripts().run(f"({text} -match '{pattern}').Count -gt 0") == "True\n"


def test_a_pattern_that_repeats_needs_a_text_of_some_length_only() -> None:
    """A single search can't be stopped as soon as one would like."""
    assert "could take too long on a text of 2000000 characters" in Scripts().run("('a' * 2000000) -match 'a*b'")
    assert Scripts().run("('a' * 2000000) -match 'b'") == "False\n"


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
