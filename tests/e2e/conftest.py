from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from support.house import House


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Callable[..., House]]:
    """Makes posthouses, which end with the test."""
    made: list[House] = []

    def make(organization: str, settings: str = "", *, name: str = "house", **options: str) -> House:
        made.append(House(tmp_path / name, organization, settings, **options))
        return made[-1]

    yield make
    for one in made:
        one.clean_up()
