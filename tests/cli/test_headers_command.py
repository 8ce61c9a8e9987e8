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


SPAM = (
    b"Received: from mfp (93.184.215.14) by a.mail.protection.outlook.com with Microsoft SMTP Server id 15;\r\n"
    b" Tue, 24 Nov 2026 11:00:05 +0100\r\n"
    b"Authentication-Results: mx.example.net; spf=fail (not \x1b[2J allowed) smtp.mailfrom=contoso.com\r\n"
    b"DKIM-Signature: v=1; d=contoso.com; s=s1; b=x\r\nARC-Seal: i=1; cv=none; d=contoso.com\r\n"
    b"X-Forefront-Antispam-Report: CIP:93.184.215.14;SRV:;CAT:MALW;NEW:7\r\n"
    b"X-MS-Exchange-AntiSpam-MessageData-0: aGVsbG8\r\nX-MS-Exchange-CrossTenant-FromEntityHeader: HybridOnPrem\r\n"
)


@pytest.fixture
def spam(folder: Path) -> str:
    (folder / "spam.txt").write_bytes(SPAM)
    return "spam.txt"


def test_every_part_is_shown(posthouse: Any, spam: str) -> None:
    shown = posthouse("headers", spam).out
    lines = [" ".join(line.split()) for line in shown.splitlines()]
    assert "entered Microsoft 365 by connector (X-MS-Exchange-CrossTenant-FromEntityHeader)" in lines
    assert "over relay and connector no" in lines
    assert "spf fail contoso.com mx.example.net, before it was sent not [2J allowed" in lines
    assert "signature (not told) contoso.com s1 not the domain of From" in lines
    assert "ARC 1 cv=none contoso.com" in lines
    assert "CAT MALW Threat policy that was applied: malware" in lines
    assert "NEW 7" in lines
    assert not any(line.startswith(("SRV", "X-MS-Exchange-AntiSpam-MessageData")) for line in lines)
    assert lines[-2].startswith(("warning", "info"))
    assert next(line for line in lines if line.startswith("error")).endswith("[X-Forefront-Antispam-Report]")
    assert "\x1b" not in shown


def test_local_times(posthouse: Any, spam: str) -> None:
    assert "2026-11-24T10:00:05+00:00" in posthouse("headers", spam).out
    assert "2026-11-24T11:00:05+01:00" in posthouse("headers", "--local", spam).out
