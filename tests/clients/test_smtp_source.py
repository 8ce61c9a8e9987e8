"""Postfix's load generator: 200 mails in 20 sessions at once, none of which may get lost."""

from __future__ import annotations

import contextlib
import getpass
import os
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from support.house import wait_for
from support.programs import output_of, program

MESSAGES = 200


def smtp_source(relay: Any, recipient: str, *options: str) -> None:
    output_of(
        *("smtp-source", "-s", "20", "-m", str(MESSAGES), "-l", "4096", "-M", "device.test", *options),
        *("-f", "scanner@contoso.com", "-t", recipient, f"{relay.address}:2525"),
    )


@pytest.fixture
def sink(relay: Any, tmp_path: Path) -> Iterator[Path]:
    """smtp-sink, where the relay expects sink.test. It writes each message into a file of this folder."""
    user = ["-u", getpass.getuser()] if os.geteuid() == 0 else []
    command = [program("smtp-sink"), *user, "-d", f"{tmp_path}/", "{}:{}".format(*relay.sink), "1024"]
    with subprocess.Popen(command) as running:
        wait_for(lambda: answers(relay.sink), what="smtp-sink")
        yield tmp_path
        running.terminate()


def answers(address: tuple[str, int]) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(address, 5):
        return True
    return False


@pytest.mark.parametrize("options", [(), ("-d",)], ids=["a connection each", "connections kept"])
def test_all_arrive_in_a_maildir(relay: Any, options: tuple[str, ...]) -> None:
    recipient = f"many-{len(options)}@contoso.com"
    smtp_source(relay, recipient, *options)
    mails = relay.house.await_mail(recipient, MESSAGES)
    assert len(mails) == MESSAGES
    assert len({mail.partition(b" id ")[2][:26] for mail in mails}) == MESSAGES


def test_all_arrive_at_smtp_sink(relay: Any, sink: Path) -> None:
    smtp_source(relay, "user@sink.test", "-d")
    wait_for(lambda: len(list(sink.iterdir())) == MESSAGES, what=f"{MESSAGES} at smtp-sink")
