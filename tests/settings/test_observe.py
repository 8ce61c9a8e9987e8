"""One line an event on standard error: JSON or key=value, never a secret, never a line that a peer made up."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

from posthouse import observe


@pytest.fixture(autouse=True)
def json_afterwards() -> Iterator[None]:
    yield
    observe.configure("json")


def test_an_event_is_one_json_object_a_line(capfd: pytest.CaptureFixture[str]) -> None:
    observe.configure("json", worker="1")
    observe.logger.info("accepted", id="06f3", size=4096)
    event = json.loads(capfd.readouterr().err)
    assert event.pop("timestamp").endswith("Z")
    assert event == {"level": "info", "event": "accepted", "worker": "1", "id": "06f3", "size": 4096}


def test_a_terminal_reads_key_and_value(capfd: pytest.CaptureFixture[str]) -> None:
    observe.configure("console")
    observe.logger.warning("refused", client="192.0.2.1", connector="SMTP Relay (TLS)")
    line = capfd.readouterr().err
    assert line.endswith('Z warning refused client=192.0.2.1 connector="SMTP Relay (TLS)"\n')


@pytest.mark.parametrize("form", ["console", "json"])
def test_what_a_peer_sent_cannot_forge_a_line(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    observe.configure(form)  # pyright: ignore[reportArgumentType]
    observe.logger.info("hello", helo="x\r\n2026-11-24T00:00:00Z info accepted\x1b[2J\udcff")
    line = capfd.readouterr().err
    assert line.count("\n") == 1
    assert "\x1b" not in line
    assert "\r" not in line


@pytest.mark.parametrize("form", ["console", "json"])
def test_secrets_are_not_written(form: str, capfd: pytest.CaptureFixture[str]) -> None:
    observe.configure(form)  # pyright: ignore[reportArgumentType]
    observe.logger.info("login", user="scanner-2", password="hunter2", token="hunter2")
    line = capfd.readouterr().err
    assert "scanner-2" in line
    assert "hunter2" not in line


def test_debugging_is_not_written(capfd: pytest.CaptureFixture[str]) -> None:
    observe.logger.debug("detail")
    assert capfd.readouterr().err == ""


def test_an_error_brings_its_traceback_on_the_same_line(capfd: pytest.CaptureFixture[str]) -> None:
    observe.configure("json")
    try:
        raise ValueError("broken")
    except ValueError:
        observe.logger.exception("failed")
    assert "ValueError: broken" in json.loads(capfd.readouterr().err)["exception"]
