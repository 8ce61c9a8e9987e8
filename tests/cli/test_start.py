"""What `posthouse --help` costs, and what it shows."""

from __future__ import annotations

import subprocess
import sys
from typing import Any, get_args

import pytest

from posthouse import __version__
from posthouse.cli.domain import DomainType
from posthouse.organization import connectors

HEAVY = (
    "sqlalchemy",
    "alembic",
    "cryptography",
    "OpenSSL",
    "structlog",
    "pydantic_settings",
    "dns",
    "argon2",
    "asyncio",
)
ROOMS = ("admin", "analysis", "mail", "net", "organization", "probe", "relay", "settings", "spool", "transports")


@pytest.mark.parametrize("words", [("--help",), ("connector", "--help"), ("domain", "new", "--help"), ("foo",)])
def test_help_loads_nothing_but_the_commands(words: tuple[str, ...]) -> None:
    program = f"import sys; from posthouse.cli import run; run({words!r}); print('\\0' + ' '.join(sys.modules))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    loaded = set(ran.stdout.partition("\0")[2].split())
    assert "posthouse.cli.app" in loaded
    assert not loaded.intersection([*HEAVY, *(f"posthouse.{room}" for room in ROOMS)])


def test_help_names_every_command(posthouse: Any) -> None:
    shown = posthouse("--help")
    assert shown.status == 0
    commands = (
        "serve",
        "demo",
        "apply",
        "export",
        "show",
        "connector",
        "domain",
        "send",
        "headers",
        "queue",
        "trace",
        "admin",
        "token",
        "audit",
    )
    assert [command for command in commands if f"\n  {command} " not in shown.out] == []


def test_the_program_runs_as_a_module() -> None:
    ran = subprocess.run([sys.executable, "-m", "posthouse", "--version"], capture_output=True, text=True, check=True)
    assert ran.stdout == f"posthouse {__version__}\n"


def test_the_domain_types_are_those_of_the_organization() -> None:
    assert get_args(DomainType) == tuple(connectors.DomainType)
