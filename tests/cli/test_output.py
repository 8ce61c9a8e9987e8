"""What is printed: tables for people, on any terminal and in any encoding; JSON and TOML for programs."""

from __future__ import annotations

import io
import json
import sys

import pytest

from posthouse.cli.output import show_json, show_table

HEADINGS = ("Message", "Out by", "Reply")
ROW = ("06h0xybcwaq3sn3pffge6g44h", "", "250 2.1.5 Delivered to the mailbox")


def shown(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, columns: int) -> list[str]:
    """The table on a terminal of so many columns; TTY_COMPATIBLE=0: without its colours."""
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    for name, value in {"COLUMNS": str(columns), "TTY_COMPATIBLE": "0", "NO_COLOR": "1"}.items():
        monkeypatch.setenv(name, value)
    show_table(HEADINGS, [ROW, ROW])
    return [line.rstrip() for line in capsys.readouterr().out.splitlines()]


def test_a_terminal_wide_enough_has_a_line_for_a_row(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (
        shown(capsys, monkeypatch, 80)[3:5]
        == [" 06h0xybcwaq3sn3pffge6g44h            250 2.1.5 Delivered to the mailbox"] * 2
    )


def test_a_narrower_one_wraps_between_words(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert shown(capsys, monkeypatch, 62)[3:5] == [
        " 06h0xybcwaq3sn3pffge6g44h            250 2.1.5 Delivered to",
        "                                      the mailbox",
    ]


def test_where_words_do_not_fit_each_value_has_a_line(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    record = ["Message  06h0xybcwaq3sn3pffge6g44h", "Reply    250 2.1.5 Delivered to the mailbox", ""]
    assert shown(capsys, monkeypatch, 44) == record * 2


def test_json_is_utf_8_in_whatever_encoding_the_system_writes(monkeypatch: pytest.MonkeyPatch) -> None:
    written = io.BytesIO()
    monkeypatch.setattr("sys.stdout", io.TextIOWrapper(written, "cp1252"))
    show_json({"Name": "Drücker №5"})
    sys.stdout.flush()
    assert json.loads(written.getvalue().decode("utf-8")) == {"Name": "Drücker №5"}
