"""What the source must not hold, because no test of its behaviour would tell on every Python that we run on."""

from __future__ import annotations

import re
from pathlib import Path

SOURCE = Path(__file__).parents[2] / "src"


def test_no_group_is_repeated_possessively() -> None:
    """Before Python 3.11.5 such a group may match half of itself (CPython gh-106052): `a.@b` was an address there."""
    found = [file.name for file in SOURCE.rglob("*.py") if re.search(r"\)[*+?]\+", file.read_text("utf-8"))]
    assert found == []
