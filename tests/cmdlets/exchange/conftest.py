"""Scripts of Exchange cmdlets on a store of their own, as an administrator with some role."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from posthouse.admin import Actor, Administration, Face, Role
from posthouse.settings import Settings
from support.shell import OpenShell, Shell

_DOMAINS = '[[accepted_domain]]\nname = "contoso.com"\n'


@pytest.fixture(scope="session")
def first_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """With the accepted domain contoso.com, and an administrator of each role: ada, bob and eve."""
    folder = tmp_path_factory.mktemp("template")
    (folder / "organization.toml").write_text(_DOMAINS, "utf-8")
    with Administration.opened(Settings(data_dir=folder / "data")) as administration:
        administration.apply(folder / "organization.toml")
        for name, role in zip(("ada", "bob", "eve"), Role, strict=True):
            administration.administrators.new(name, "correct horse battery", [role])
    return folder / "data"


@pytest.fixture
def open_shell(tmp_path: Path, first_store: Path) -> Iterator[OpenShell]:
    """Opens shells on one store, by default as ada, who may do everything."""
    shutil.copytree(first_store, tmp_path / "data")
    settings = Settings(hostname="relay.contoso.com", data_dir=tmp_path / "data")
    with ExitStack() as stack:

        def opened(*answers: str, role: Role = Role.ORGANIZATION_MANAGEMENT) -> Shell:
            actor = Actor("ada", (role,), Face.POWERSHELL)
            return Shell(stack.enter_context(Administration.opened(settings, actor)), settings, *answers)

        yield opened


@pytest.fixture
def shell(open_shell: OpenShell) -> Shell:
    return open_shell()
