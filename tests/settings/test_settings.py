"""posthouse.toml and the environment become checked settings, or one line that says what is wrong."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse import settings
from posthouse.settings import SettingsError, Sources, load, parse_duration, parse_size

Write = Callable[[str], Path]


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("POSTHOUSE_")]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str) -> Path:
        file = tmp_path / "etc" / "posthouse.toml"
        file.parent.mkdir(exist_ok=True)
        file.write_text(text, "utf-8")
        return file

    return write


def error_of(file: Path | None = None) -> str:
    with pytest.raises(SettingsError) as caught:
        load(file)
    return str(caught.value)


def test_without_a_file_the_defaults_hold(tmp_path: Path) -> None:
    defaults = load()
    assert [(listener.host, listener.port, listener.tls) for listener in defaults.listener] == [
        ("127.0.0.1", 2525, "starttls")
    ]
    assert defaults.data_dir == tmp_path / "data"
    assert defaults.store_url == f"sqlite:///{tmp_path}/data/posthouse.db"
    assert defaults.limits.message_size == 150 * 1024 * 1024
    assert defaults.delivery.retry_after == (60, 300, 900, 1800, 3600)
    assert defaults.admin.address == "127.0.0.1:8025"


def test_the_file_in_the_current_folder_is_read(tmp_path: Path) -> None:
    (tmp_path / "posthouse.toml").write_text('hostname = "relay.contoso.com"')
    assert load().hostname == "relay.contoso.com"


def test_sizes_and_durations_have_units(write: Write) -> None:
    file = write('[limits]\nmessage_size = "64 KB"\nmin_free = 0\n[delivery]\nretry_after = ["30s", "1.5h"]\n')
    loaded = load(file)
    assert (loaded.limits.message_size, loaded.limits.min_free) == (64_000, 0)
    assert loaded.delivery.retry_after == (30, 5400)


def test_paths_are_relative_to_the_file_that_names_them(write: Write, tmp_path: Path) -> None:
    file = write('[[listener]]\naddress = "[::1]:25"\ncertificate = "relay.pem"\nkey = "/keys/relay.key"\n')
    loaded = load(file)
    assert loaded.data_dir == tmp_path / "etc" / "data"
    assert loaded.listener[0].certificate == tmp_path / "etc" / "relay.pem"
    assert loaded.listener[0].key == Path("/keys/relay.key")
    assert loaded.listener[0].host == "::1"


def test_the_environment_wins(write: Write, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    file = write("workers = 3\n[limits]\nrecipients = 10\nsessions = 20\n")
    monkeypatch.setenv("POSTHOUSE_LIMITS__RECIPIENTS", "7")
    monkeypatch.setenv("POSTHOUSE_DATA_DIR", "elsewhere")
    monkeypatch.setenv("POSTHOUSE_DELIVERY__RETRY_AFTER", '["2m"]')
    monkeypatch.setenv("POSTHOUSE_ADMIN__ADDRESS", "")
    loaded = load(file)
    assert (loaded.limits.recipients, loaded.limits.sessions, loaded.workers) == (7, 20, 3)
    assert loaded.data_dir == tmp_path / "elsewhere"
    assert loaded.delivery.retry_after == (120,)
    assert loaded.admin.address == ""


def test_every_value_knows_where_it_came_from(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    file = write('[limits]\nrecipients = 10\n[[listener]]\naddress = "127.0.0.1:25"\n')
    monkeypatch.setenv("POSTHOUSE_LIMITS__SESSIONS", "7")
    sources = Sources.read(file)
    origins = {key: sources.origin(key) for key, _ in settings.flatten(sources.settings())}
    assert origins["limits.recipients"] == str(file)
    assert origins["limits.sessions"] == "POSTHOUSE_LIMITS__SESSIONS"
    assert origins["listener.0.address"] == str(file)
    assert origins["listener.0.tls"] == "default"
    assert origins["workers"] == "default"


def test_a_store_on_postgresql_is_named_with_its_driver(write: Write) -> None:
    file = write('store = "postgresql://posthouse:secret@db/posthouse"')
    assert load(file).store_url == "postgresql+psycopg://posthouse:secret@db/posthouse"


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ('hostnme = "a"', "unknown key hostnme; allowed here: hostname, data_dir"),
        ("[limits]\nmesage_size = 1", "unknown key limits.mesage_size; allowed here: message_size, recipients"),
        ('[limits]\nmessage_size = "10 XB"', 'limits.message_size = "10 XB": it should be a size like "150 MiB"'),
        (f'[limits]\nmessage_size = "{"9" * 400} MiB"', 'it should be a size like "150 MiB"'),
        ('[limits]\nmessage_size = "²"', 'limits.message_size = "²": it should be a size like "150 MiB"'),
        ("[delivery]\nwarn_after = inf", "delivery.warn_after = inf: it should be a finite number"),
        ("[limits]\ntrace_keep = inf", "limits.trace_keep = inf: it should be a finite number"),
        ("[limits]\nrecipients = -1", "limits.recipients = -1: it should be greater than or equal to 0"),
        ('[delivery]\nretry_after = ["5x"]', 'delivery.retry_after.0 = "5x": it should be a duration like "30s"'),
        ("[delivery]\nretry_after = []", "delivery.retry_after = []: "),
        ('[delivery]\nnameservers = ["one"]', 'delivery.nameservers.0 = "one": it should be an IP address'),
        (
            '[[listener]]\naddress = "relay:25"',
            'listener.0.address = "relay:25": it should be an IP address and a port',
        ),
        ('[[listener]]\naddress = "127.0.0.1:99999"', 'listener.0.address = "127.0.0.1:99999": it should be an IP'),
        ('[[listener]]\naddress = "::1:25"', 'listener.0.address = "::1:25": it should be an IP address and a port'),
        ("[[listener]]\n", "listener.0.address: this key is missing"),
        (
            '[[listener]]\naddress = "127.0.0.1:25"\ntls = "yes"',
            "listener.0.tls = \"yes\": it should be 'starttls', 'implicit' or 'none'",
        ),
        ('[[listener]]\naddress = "127.0.0.1:25"\nkey = "a.key"', "listener.0: a key needs its certificate"),
        ('listener = "127.0.0.1:25"', 'listener = "127.0.0.1:25": it should be a list'),
        ('[[listener]]\naddress = "127.0.0.1:25"\n' * 2, "listener: 127.0.0.1:25 is named twice"),
        ("limits = 3", "limits = 3: it should be a section of keys"),
        ("data_dir = 3", "data_dir = 3: it should be a path in quotes"),
        ('workers = "many"', 'workers = "many": it should be a whole number'),
        ('store = "mysql://x"', 'store = "mysql://x": it should be "sqlite" or "postgresql://'),
        ('hostname = "a b"', 'hostname = "a b": it should be a host name like "relay.contoso.com"'),
        ('[admin]\naddress = "8025"', 'admin.address = "8025": it should be an IP address and a port'),
        ("=", "not TOML: "),
    ],
)
def test_a_bad_value_gives_one_line(write: Write, text: str, error: str) -> None:
    message = error_of(write(text))
    assert error in message
    assert "\n" not in message


@pytest.mark.parametrize(
    "store",
    [
        "mysql://posthouse:hunter2@db/posthouse",
        "postgres://posthouse:hunter2/:@@db/posthouse",
        "db/posthouse?user=posthouse&password=hunter2",
    ],
)
def test_a_bad_store_does_not_tell_its_password(write: Write, store: str) -> None:
    message = error_of(write(f'store = "{store}"'))
    assert "***" in message
    assert "hunter2" not in message


def test_each_bad_value_has_a_line_that_names_the_file(write: Write) -> None:
    file = write('workers = "many"\n[limits]\nsessions = "few"\n')
    lines = error_of(file).splitlines()
    assert [line.startswith(f"{file}: ") for line in lines] == [True, True]


def test_a_bad_value_of_the_environment_names_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTHOUSE_LIMITS__SESSIONS", "few")
    assert error_of() == 'POSTHOUSE_LIMITS__SESSIONS: limits.sessions = "few": it should be a whole number'


def test_a_list_in_the_environment_is_json(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTHOUSE_LISTENER", "127.0.0.1:25")
    assert error_of().endswith("a list is written as JSON")


def test_a_misspelt_key_of_the_environment_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("POSTHOUSE_LIMITS__SESIONS", "7")
    assert "unknown key limits.sesions" in error_of()


def test_a_file_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    assert "No such file or directory; name a readable file with --config" in error_of(tmp_path / "none.toml")


@given(st.integers(min_value=0, max_value=1 << 30))
def test_a_size_without_a_unit_is_bytes(size: int) -> None:
    assert parse_size(f"{size}") == size
    assert parse_size(f"{size} B") == size
    assert parse_size(f"{size}MiB") == size << 20


@given(st.integers(min_value=0, max_value=36500))
def test_a_duration_without_a_unit_is_seconds(seconds: int) -> None:
    assert parse_duration(f"{seconds}") == seconds
    assert parse_duration(f"{seconds}s") == seconds
    assert parse_duration(f"{seconds}d") == seconds * 86400


@pytest.mark.parametrize("text", ["9999999999999999d", "36501d", "9999999999999999"])
def test_a_duration_ends_somewhere(text: str) -> None:
    with pytest.raises(ValueError, match="it should be at most 36500d"):
        parse_duration(text)


def test_a_size_ends_somewhere() -> None:
    with pytest.raises(ValueError, match="it should be at most 1 PiB"):
        parse_size("9999999999999999 GiB")
