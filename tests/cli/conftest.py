"""Command lines run in this process, in a folder of their own."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from posthouse.cli import run


@dataclass(frozen=True, slots=True)
class Ran:
    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, with no settings in it or in the environment."""
    for name in [name for name in os.environ if name.startswith("POSTHOUSE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.fixture
def posthouse(capsys: pytest.CaptureFixture[str]) -> Callable[..., Ran]:
    def posthouse(*words: str) -> Ran:
        capsys.readouterr()
        status = run(words)
        captured = capsys.readouterr()
        return Ran(status, captured.out, captured.err)

    return posthouse
