"""One administrator, Alice, on both engines; hashes are cheap, and the clock may be moved."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest
import time_machine
from argon2 import PasswordHasher

from posthouse.admin import Administration, Authentication
from posthouse.admin import passwords as passwords_module
from posthouse.spool import Store
from support.sign_in import ALL, PASSWORD


@pytest.fixture(autouse=True)
def cheap_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(passwords_module, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))


@pytest.fixture
def clock() -> Iterator[time_machine.Coordinates]:
    """Stands still until it is moved."""
    with time_machine.travel(time.time() // 30 * 30, tick=False) as coordinates:
        yield coordinates


@pytest.fixture
def admin(store: Store) -> Administration:
    return Administration(store, {})


@pytest.fixture
def door(store: Store) -> Authentication:
    return Authentication(store)


@pytest.fixture
def alice(admin: Administration) -> None:
    admin.administrators.new("Alice", PASSWORD, [ALL])
