"""`posthouse headers`: one message, several, and from standard input."""

from __future__ import annotations

import io
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

MESSAGE = (
    b"Received: from relay.contoso.com ([192.0.2.7]) by mx.example.net with ESMTPS id 2;\r\n"
    b" Tue, 24 Nov 2026 10:00:05 +0000\r\n"
    b"Received: from [192.168.0.9] by relay.contoso.com with ESMTP id 1;\r\n"
    b" Tue, 24 Nov 2026 10:00:02 +0000\r\n"
    b"From: scanner@contoso.com\r\nSubject: Scan \x1b[2J\r\n\r\nbody\r\n"
)


@pytest.fixture
def scan(folder: Path) -> str:
    (folder / "scan.eml").write_bytes(MESSAGE)
    return "scan.eml"


def test_the_hop_table_is_oldest_first_with_delays(posthouse: Any, scan: str) -> None:
    shown = posthouse("headers", scan)
    assert shown.status == 0
    first, second = (line.split() for line in shown.out.splitlines() if line.startswith((" 1 ", " 2 ")))
    assert first == ["1", "192.168.0.9", "relay.contoso.com", "ESMTP", "relay", "2026-11-24T10:00:02+00:00"]
    assert second[-4:-1] == ["2026-11-24T10:00:05+00:00", "3", "s"]
    assert "\x1b" not in shown.out


def test_json_of_one_message_is_one_object(posthouse: Any, scan: str) -> None:
    report = posthouse("headers", "--json", scan).json
    assert report.keys() >= {"summary", "hops", "authentication", "findings"}
    assert [(hop["number"], hop["by"], hop["delay"]) for hop in report["hops"]] == [
        (1, "relay.contoso.com", None),
        (2, "mx.example.net", 3.0),
    ]


def test_it_takes_config_as_every_command_does(posthouse: Any, scan: str, folder: Path) -> None:
    (folder / "posthouse.toml").write_text("")
    assert len(posthouse("headers", scan, "--json", "--config", "posthouse.toml").json["hops"]) == 2


def test_json_of_several_is_a_line_each(posthouse: Any, scan: str, folder: Path) -> None:
    (folder / "empty.eml").write_bytes(b"")
    lines = posthouse("headers", "--json", scan, "empty.eml").out.splitlines()
    assert [len(json.loads(line)["hops"]) for line in lines] == [2, 0]


@pytest.mark.parametrize("words", [(), ("-",)])
def test_standard_input_is_read(posthouse: Any, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...]) -> None:
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(MESSAGE)))
    assert len(posthouse("headers", *words, "--json").json["hops"]) == 2
