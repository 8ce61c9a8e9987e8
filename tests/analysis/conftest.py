"""Whole headers as they are found in the wild, rewritten to hosts and people of the documentation."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from posthouse.analysis import HeaderReport, analyze

HEADERS = Path(__file__).parent / "headers"


@pytest.fixture
def analysis() -> Callable[[str], HeaderReport]:
    """The report on one of the files in `headers/`."""
    return lambda name: analyze((HEADERS / f"{name}.txt").read_bytes())
