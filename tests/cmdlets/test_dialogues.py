"""Scripts and what they show. Each section of dialogues/*.txt is one session: `PS>` is typed, `>>` its further lines.

What is expected is from Microsoft's pages, which each file names.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from support.scripts import Dialogue, Scripts, sections

DIALOGUES = Path(__file__).parent / "dialogues"
SECTIONS = [
    pytest.param(steps, id=f"{file.stem}: {title}")
    for file in sorted(DIALOGUES.glob("*.txt"))
    for title, steps in sections(file)
]


def trimmed(text: str) -> str:
    """Blank lines around what is shown, and at the ends of lines, don't count here (see test_display)."""
    return "\n".join(line.rstrip() for line in text.strip("\n").split("\n")).rstrip()


@pytest.mark.parametrize("steps", SECTIONS)
def test_dialogue(steps: list[Dialogue]) -> None:
    scripts = Scripts()
    for step in steps:
        assert trimmed(scripts.run(step.script)) == trimmed(step.shown), step.script


def test_there_are_many() -> None:
    assert sum(len(param.values[0]) for param in SECTIONS) >= 200
