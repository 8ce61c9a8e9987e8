"""Scripts of Exchange cmdlets and what they show. Each section of dialogues/*.txt is one session on a store of its own.

Of an error only its message is in the files; each file names Microsoft's pages.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support.scripts import Dialogue, sections
from support.shell import Shell

DIALOGUES = Path(__file__).parent / "dialogues"
SECTIONS = [
    pytest.param(steps, id=f"{file.stem}: {title}")
    for file in sorted(DIALOGUES.glob("*.txt"))
    for title, steps in sections(file)
]


@pytest.mark.parametrize("steps", SECTIONS)
def test_dialogue(shell: Shell, steps: list[Dialogue]) -> None:
    for step in steps:
        assert trimmed(shell.run(step.script)) == trimmed(step.shown), step.script


def trimmed(text: str) -> str:
    """Blank lines, and those that end a line, are the display's to test."""
    return "\n".join(line.rstrip() for line in text.splitlines() if line.strip())


def test_there_are_many() -> None:
    assert sum(len(param.values[0]) for param in SECTIONS) >= 120
