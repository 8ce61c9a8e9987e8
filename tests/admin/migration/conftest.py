"""A folder of files as an administrator copied them, read as one import reads them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from posthouse.admin.migration import Findings, Format, load, read_files

Read = Callable[..., Findings]


@pytest.fixture
def read(tmp_path: Path) -> Read:
    """`read("main.cf", text, transport="…")`: the first one is read, the others are beside it."""

    def read(name: str, text: str | bytes, wanted: Format = Format.AUTO, **beside: str) -> Findings:
        (tmp_path / name).write_bytes(text if isinstance(text, bytes) else text.encode())
        for other, content in beside.items():
            (tmp_path / other).write_text(content, "utf-8")
        return read_files([load(tmp_path / name)], wanted)

    return read


@pytest.fixture
def reasons() -> Callable[[Findings], dict[str, str]]:
    """The reason of each setting that was not taken."""
    return lambda findings: {line.setting: line.reason for line in findings.not_taken}
