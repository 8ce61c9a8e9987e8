"""Where the standard streams are full, closed or nobody reads them: a line at most, and what was asked for is done."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

COMMANDS = ("audit", "audit --json", "export", "--help")


def shell(line: str) -> subprocess.CompletedProcess[str]:
    """`posthouse` of a command line is this program. A pipe's status is that of its first part."""
    program = f'posthouse() {{ "{sys.executable}" -m posthouse "$@"; }}; '
    ending = "; exit ${PIPESTATUS[0]}"
    return subprocess.run(["bash", "-c", program + line + ending], capture_output=True, text=True, timeout=60)


@pytest.fixture(autouse=True)
def domain(posthouse: Any) -> None:
    assert posthouse("domain", "new", "contoso.com").status == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_full_disk_is_one_line(command: str) -> None:
    ran = shell(f"posthouse {command} >/dev/full")
    problem = "posthouse: not all of the output could be written: No space left on device\n"
    assert (ran.returncode, ran.stderr) == (1, problem)


@pytest.mark.parametrize("command", COMMANDS)
def test_a_reader_that_is_gone_is_no_error_to_tell(command: str) -> None:
    assert shell(f"posthouse {command} | true").stderr == ""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_not_needed_nor_taken_by_the_store(posthouse: Any, closed: str) -> None:
    ran = shell(f"posthouse domain set contoso.com --type InternalRelay {closed}")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert posthouse("domain", "list", "--json").json == [{"Name": "contoso.com", "Type": "InternalRelay"}]


def test_with_all_streams_closed_a_failure_still_has_its_status() -> None:
    assert shell("posthouse domain remove none.example <&- >&- 2>&-").returncode == 1
    assert shell("posthouse nonsense <&- >&- 2>&-").returncode == 2
