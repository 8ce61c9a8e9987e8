"""A program that isn't there: its test says so and is skipped, or fails where nothing may be skipped."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]
WANTS_A_PROGRAM = """
import pytest
from support.programs import program

def test_it():
    program("no-such-program")

@pytest.mark.xfail
def test_not_yet():
    assert False
"""
WANTS_A_MODULE = "import pytest\npytest.importorskip('no_such_module')\ndef test_it(): pass\n"


def pytest_of(folder: Path, text: str, *, no_skip: str) -> subprocess.CompletedProcess[str]:
    (folder / "test_it.py").write_text(text, "utf-8")
    (folder / "pytest.ini").write_text("[pytest]\n", "utf-8")
    command = [sys.executable, "-m", "pytest", "-ra", "-p", "conftest", "-p", "no:cacheprovider", str(folder)]
    environment = {"PYTHONPATH": str(TESTS), "POSTHOUSE_TESTS_NO_SKIP": no_skip}
    return subprocess.run(
        command, capture_output=True, text=True, check=False, timeout=60, cwd=folder, env=os.environ | environment
    )


@pytest.mark.parametrize(
    ("text", "reason"),
    [(WANTS_A_PROGRAM, "this machine has no no-such-program"), (WANTS_A_MODULE, "could not import 'no_such_module'")],
)
def test_a_skip_says_why(tmp_path: Path, text: str, reason: str) -> None:
    ran = pytest_of(tmp_path, text, no_skip="")
    assert "1 skipped" in ran.stdout
    assert reason in ran.stdout
    assert ran.returncode in (0, pytest.ExitCode.NO_TESTS_COLLECTED)


@pytest.mark.parametrize(
    ("text", "reason"),
    [(WANTS_A_PROGRAM, "this machine has no no-such-program"), (WANTS_A_MODULE, "could not import 'no_such_module'")],
)
def test_where_nothing_may_be_skipped_it_fails(tmp_path: Path, text: str, reason: str) -> None:
    ran = pytest_of(tmp_path, text, no_skip="1")
    assert ran.returncode in (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED), ran.stdout
    assert "POSTHOUSE_TESTS_NO_SKIP=1 forbids it" in ran.stdout
    assert reason in ran.stdout
    assert "skipped," not in ran.stdout.splitlines()[-1]
