"""run and shell, as an administrator uses them."""

from __future__ import annotations

import io
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

SCRIPT = """\
$domain = 'contoso.com'
foreach ($n in 1..2) { [pscustomobject]@{ Name = "Relay $n"; Domain = $domain } }
"""


@pytest.fixture
def stdin(monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    def give(text: str) -> None:
        monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(text.encode())))

    return give


def script(folder: Path, text: str) -> str:
    (folder / "script.ps1").write_text(text, "utf-8")
    return "script.ps1"


def test_a_script_from_a_file(posthouse: Any, folder: Path) -> None:
    ran = posthouse("run", script(folder, SCRIPT))
    assert (ran.status, ran.err) == (0, "")
    assert ran.out == "\nName    Domain\n----    ------\nRelay 1 contoso.com\nRelay 2 contoso.com\n\n"


def test_a_script_from_standard_input(posthouse: Any, stdin: Any) -> None:
    stdin("\ufeff'from here'")
    assert posthouse("run", "-").out == "from here\n"


def test_errors_and_warnings_are_apart_from_the_result(posthouse: Any, folder: Path) -> None:
    ran = posthouse("run", script(folder, "Write-Warning 'careful'\n'result'\nWrite-Error 'wrong'"))
    assert (ran.status, ran.out) == (1, "result\n")
    assert ran.err.startswith("WARNING: careful\nWrite-Error : wrong\nAt script.ps1:3 char:1\n")


def test_a_refused_script_does_nothing(posthouse: Any, folder: Path) -> None:
    ran = posthouse("run", script(folder, "'first'\n& cmd"))
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith("posthouse: script.ps1:2:1: The call operator & is not run here")
    assert not (folder / "data").exists()


def test_a_script_without_an_end(posthouse: Any, folder: Path) -> None:
    ran = posthouse("run", script(folder, "$x = 'a'\nwhile ($true) { $x += $x }"))
    assert (ran.status, ran.out) == (1, "")
    assert ran.err == "posthouse: script.ps1:2:17: the script was stopped: its texts and arrays grow too large\n"


def test_exit_gives_the_status(posthouse: Any, folder: Path) -> None:
    assert posthouse("run", script(folder, "exit 5")).status == 5


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["run", "none.ps1"], "none.ps1: No such file or directory"),
        (["run", "latin.ps1"], "latin.ps1: not UTF-8; save it as UTF-8"),
        (["run"], "Missing argument 'SCRIPT'"),
    ],
)
def test_a_wrong_command_line(posthouse: Any, folder: Path, words: list[str], problem: str) -> None:
    (folder / "latin.ps1").write_bytes(b"'\xe9'")
    ran = posthouse(*words)
    assert (ran.status, ran.out) == (2, "")
    assert problem in ran.err


PARAMETERS = """\
[CmdletBinding()]
param(
    [Parameter(Mandatory)] [string]$Name,
    [string[]]$Domains = '*',
    [int]$Port = 25,
    [bool]$Enabled = $true,
    [switch]$Force
)
Write-Verbose 'told'
"$Name|$($Domains -join '+')|$Port|$Enabled|$Force|$($PSBoundParameters.Count)"
"""


@pytest.mark.parametrize(
    ("words", "shown"),
    [
        (["-Name", "Relay, new"], "Relay, new|*|25|True|False|1\n"),
        (["Relay", "-Domains", "a.com,b.com", "-Port", "587"], "Relay|a.com+b.com|587|True|False|3\n"),
        (["-n", "x", "-Force", "-Enabled:$false"], "x|*|25|False|True|3\n"),
        (["-Name:x", "-Port", "-5", "-Force:$false"], "x|*|-5|True|False|3\n"),
    ],
)
def test_a_script_with_parameters(posthouse: Any, folder: Path, words: list[str], shown: str) -> None:
    ran = posthouse("run", script(folder, PARAMETERS), *words)
    assert (ran.status, ran.out, ran.err) == (0, shown, "")


def test_common_parameters_of_a_script(posthouse: Any, folder: Path) -> None:
    assert posthouse("run", script(folder, PARAMETERS), "-Name", "x", "-Verbose").err == "VERBOSE: told\n"


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        ([], "3:5: The script needs -Name: add it, with a value, after the script's name."),
        (["-Name"], "3:5: Missing an argument for parameter 'Name'."),
        (["-Name", ""], "3:5: Cannot bind argument to parameter 'Name' because it is an empty string."),
        (["-Name", "x", "-Port", "high"], "3:5: Cannot process argument transformation on parameter 'Port'."),
        (["-Name", "x", "-Nothing", "1"], "3:5: A parameter cannot be found that matches parameter name 'Nothing'."),
    ],
)
def test_a_script_whose_parameters_are_wrong(posthouse: Any, folder: Path, words: list[str], problem: str) -> None:
    ran = posthouse("run", script(folder, PARAMETERS), *words)
    assert (ran.status, ran.out) == (1, "")
    assert ran.err.startswith(f"posthouse: script.ps1:{problem}")
    assert ran.err.count("\n") == 1


def test_words_that_no_parameter_takes(posthouse: Any, folder: Path) -> None:
    assert posthouse("run", script(folder, '"$($args.Count): $args"'), "a", "b").out == "2: a b\n"


def test_files_beside_the_script_and_files_that_are_allowed(posthouse: Any, folder: Path) -> None:
    (folder / "scripts").mkdir()
    (folder / "scripts" / "in.csv").write_text("Name\nRelay\n", "utf-8")
    text = 'Import-Csv "$PSScriptRoot\\in.csv" | Export-Csv C:\\Reports\\out.csv'
    (folder / "scripts" / "copy.ps1").write_text(text, "utf-8")
    assert "is denied" in posthouse("run", "scripts/copy.ps1").err
    assert posthouse("run", "scripts/copy.ps1", "--allow-file", "out.csv").status == 0
    assert (folder / "out.csv").read_text("utf-8") == '"Name"\n"Relay"\n'


def test_shell_runs_each_statement_when_it_is_whole(posthouse: Any, stdin: Any) -> None:
    stdin("$n = 2\nif ($n) {\n'several lines'\n}\n$n +\n3\nGet-Nothing\n'a\n\n$n `\n* 2\nexit 4\n'never'\n")
    ran = posthouse("shell")
    assert (ran.status, ran.out) == (4, "several lines\n5\n4\n")
    assert "line:1:1: The term 'Get-Nothing' is not recognized" in ran.err
    assert "line:1:1: The string is missing the terminator: '." in ran.err


def test_shell_ends_with_its_input(posthouse: Any, stdin: Any) -> None:
    stdin("1 + 1")
    assert (ran := posthouse("shell")).out == "2\n"
    assert ran.status == 0


def test_shell_completes_at_a_terminal(folder: Path) -> None:
    """Tab completes a cmdlet, a parameter and a value; the arrow brings back the last line."""
    master, slave = pty.openpty()
    command = [sys.executable, "-m", "posthouse", "shell"]
    environment = {**os.environ, "TERM": "dumb"}
    with subprocess.Popen(command, stdin=slave, stdout=slave, stderr=slave, cwd=folder, env=environment) as shell:
        os.close(slave)
        os.write(master, b"Get-Dat\t -For\t yyyy\n\x1b[A\nexit 3\n")
        shown = b""
        while True:
            try:
                shown += (part := os.read(master, 4096))
            except OSError:  # Linux says so when the other side is closed
                break
            if not part:
                break
        os.close(master)
    assert shell.returncode == 3
    assert shown.count(b"Get-Date -Format yyyy") == 2
