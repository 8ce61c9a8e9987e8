from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from support.house import House, MakeHouse
from support.internet import Internet


@pytest.fixture
def house(tmp_path: Path) -> Iterator[MakeHouse]:
    """Makes posthouses, which end with the test."""
    with _builder(tmp_path) as make:
        yield make


@pytest.fixture(scope="module")
def shared_house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeHouse]:
    """Makes posthouses for the tests of a module that don't disturb each other."""
    with _builder(tmp_path_factory.mktemp("houses")) as make:
        yield make


@pytest.fixture(scope="module")
def internet() -> Iterator[Internet]:
    with Internet() as running:
        yield running


@contextmanager
def _builder(folder: Path) -> Iterator[MakeHouse]:
    made: list[House] = []

    def make(organization: str, settings: str = "", *, name: str = "house", **options: str) -> House:
        made.append(House(folder / name, organization, settings, **options))
        return made[-1]

    try:
        yield make
    finally:
        for one in made:
            one.clean_up()
