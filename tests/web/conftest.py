from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from support.house import House
from support.office import ORGANIZATION, SETTINGS, Office


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """One of the test's own, not yet started."""
    made = House(tmp_path / "house", ORGANIZATION, SETTINGS)
    made.apply()
    yield made
    made.clean_up()


@pytest.fixture(scope="session")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    """One for all tests that leave it as usable as it was."""
    made = House(tmp_path_factory.mktemp("office"), ORGANIZATION, SETTINGS)
    made.apply()
    with Office(made) as opened:
        yield opened
    made.clean_up()
