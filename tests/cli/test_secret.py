"""Where a command takes a secret from."""

from __future__ import annotations

from pathlib import Path

import pytest

from posthouse.cli.secret import SecretSource


@pytest.mark.parametrize("end", [b"", b"\n", b"\r\n", b"\nsecond line\n"])
def test_only_a_line_break_ends_the_first_line(tmp_path: Path, end: bytes) -> None:
    secret = "pass\x1cword\x85\u2028\u00e9 "
    file = tmp_path / "secret"
    file.write_bytes(secret.encode() + end)
    assert SecretSource("password", "", file).given() == secret
