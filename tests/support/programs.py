"""Programs that tests run and this machine may lack."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

UNPACKED = Path(__file__).parents[2] / ".tools" / "bin"
"""Where `tests/tools/unpack-postfix .tools` puts Postfix's tools."""


def program(name: str) -> str:
    """Its path. A test that asks for one that isn't there says so and is skipped."""
    found = shutil.which(name, path=os.pathsep.join([os.environ.get("PATH", os.defpath), str(UNPACKED)]))
    if found is None:
        pytest.skip(f"this machine has no {name}")
    return found


def output_of(name: str, *arguments: str, stdin: str = "", folder: Path | None = None) -> str:
    """What a program, run in a folder, writes to standard output and error, once it has ended well."""
    ran = subprocess.run(
        [program(name), *arguments],
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
        timeout=60,
        cwd=folder,
    )
    assert ran.returncode == 0, ran.stdout
    return ran.stdout
