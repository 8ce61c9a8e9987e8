"""Which files a script may touch: those that were named, and to read those beside it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from posthouse.cmdlets.files import AllowedFiles
from support.scripts import Scripts


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A script's folder, with a file in it and a secret beside it."""
    inside = tmp_path / "scripts"
    inside.mkdir()
    (inside / "cert.pfx").write_bytes(b"\x01\x02\xff")
    (inside / "names.txt").write_text("one\ntwo\n", "utf-8")
    (tmp_path / "secret.txt").write_text("secret\n", "utf-8")
    return inside


def test_what_is_in_the_scripts_folder_may_be_read(folder: Path) -> None:
    scripts = Scripts(files=AllowedFiles(folder=folder))
    assert scripts.run("[byte[]]$b = Get-Content -Path cert.pfx -Encoding Byte; $b.Length; $b[2]") == "3\n255\n"
    assert scripts.run("(Get-Content .\\names.txt)[1]; (Get-Content names.txt -Raw).Length") == "two\n8\n"
    assert scripts.run(f"Get-Content '{folder}/names.txt'") == "one\ntwo\n"


@pytest.mark.parametrize(
    "path", ["../secret.txt", "..\\secret.txt", "sub/../../secret.txt", "/etc/passwd", "C:\\x", ""]
)
def test_nothing_else_may(folder: Path, path: str) -> None:
    scripts = Scripts(files=AllowedFiles(folder=folder))
    shown = scripts.run(f"Get-Content '{path}'")
    assert "secret" not in shown.replace("secret.txt", "")
    assert scripts.status == 1


def test_a_link_out_of_the_folder_is_followed_first(folder: Path) -> None:
    (folder / "link.txt").symlink_to(folder.parent / "secret.txt")
    assert "is denied" in Scripts(files=AllowedFiles(folder=folder)).run("Get-Content link.txt")


def test_a_script_from_standard_input_has_no_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    assert "name it with --allow-file" in Scripts(files=AllowedFiles()).run("Get-Content names.txt")


def test_a_file_that_was_named_may_be_read_and_written(folder: Path) -> None:
    report = folder.parent / "report.csv"
    scripts = Scripts(files=AllowedFiles([report], folder))
    script = "[pscustomobject]@{ Name = 'Relay'; Port = 25 } | Export-Csv"
    assert scripts.run(f"{script} {report} -NoTypeInformation") == ""
    assert report.read_text("utf-8") == '"Name","Port"\n"Relay","25"\n'
    assert scripts.run(f"(Import-Csv {report}).Port") == "25\n"


def test_what_is_appended_has_no_second_header(folder: Path) -> None:
    report = folder.parent / "report.csv"
    scripts = Scripts(files=AllowedFiles([report]))
    scripts.run(f"foreach ($n in 1..2) {{ [pscustomobject]@{{ N = $n }} | Export-Csv {report} -Append }}")
    assert report.read_text("utf-8") == '"N"\n"1"\n"2"\n'


def test_text_is_written(folder: Path) -> None:
    notes = folder.parent / "notes.txt"
    scripts = Scripts(files=AllowedFiles([notes], folder))
    assert (
        scripts.run(f"'one', 'two' | Set-Content {notes}; Add-Content {notes} 'three'; Test-Path {notes}") == "True\n"
    )
    assert notes.read_text("utf-8") == "one\ntwo\nthree\n"
    scripts.run(f"[pscustomobject]@{{ A = 1 }} | Out-File {notes}; 'last' | Out-File -FilePath {notes} -Append")
    assert notes.read_text("utf-8") == "\nA\n-\n1\n\nlast\n"
    assert "is denied" in scripts.run("Set-Content names.txt 'x'")


def test_a_path_says_only_of_what_may_be_read_whether_it_is_there(folder: Path) -> None:
    scripts = Scripts(files=AllowedFiles(folder=folder))
    shown = scripts.run("Test-Path names.txt; Test-Path none.txt; Test-Path ../secret.txt; Test-Path /etc/passwd")
    assert shown == "True\nFalse\nFalse\nFalse\n"
    assert scripts.run("Join-Path C:\\Reports\\ a.csv; Join-Path /srv a.csv") == "C:\\Reports\\a.csv\n/srv/a.csv\n"


def test_a_windows_path_stands_for_a_file_of_the_same_name(folder: Path) -> None:
    scripts = Scripts(files=AllowedFiles([folder / "cert.pfx"]))
    assert scripts.run("@(Get-Content 'C:\\Certificate\\cert.pfx' -Encoding Byte).Count") == "3\n"
    assert "is denied" in scripts.run("Get-Content 'C:\\Certificate\\other.pfx' -Encoding Byte")


def test_the_folder_is_not_for_writing(folder: Path) -> None:
    assert "is denied" in Scripts(files=AllowedFiles(folder=folder)).run("1 | Export-Csv names.txt")
    assert (folder / "names.txt").read_text("utf-8") == "one\ntwo\n"


def test_whatif_writes_nothing(folder: Path) -> None:
    report = folder.parent / "report.csv"
    shown = Scripts(files=AllowedFiles([report])).run(f"1 | Export-Csv {report} -WhatIf")
    assert shown == f'What if: Performing the operation "Export-Csv" on target "{report}".\n'
    assert not report.exists()


def test_a_missing_file_is_an_error_that_can_be_silenced(folder: Path) -> None:
    scripts = Scripts(files=AllowedFiles(folder=folder))
    assert "Cannot find path 'none.pfx' because it does not exist." in scripts.run("Get-Content none.pfx")
    assert (
        scripts.run("$b = Get-Content none.pfx -Encoding Byte -ErrorAction:SilentlyContinue; $b -eq $null") == "True\n"
    )


def test_only_files_are_read(folder: Path) -> None:
    os.mkfifo(folder / "pipe")
    assert "does not exist" in Scripts(files=AllowedFiles(folder=folder)).run("Get-Content pipe")


def test_a_file_that_is_not_text(folder: Path) -> None:
    assert "is not UTF-8 text" in Scripts(files=AllowedFiles(folder=folder)).run("Get-Content cert.pfx")
