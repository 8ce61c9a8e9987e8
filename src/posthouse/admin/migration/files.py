"""The files of an import: read within bounds, in whatever encoding their program wrote, and nothing beside their own
folder.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from posthouse.admin.errors import AdminError

_LARGEST = 8 << 20
_MOST_BESIDE = 200
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)


class Beside(Protocol):
    """The files in the same folder."""

    def text(self, name: str) -> str | None:
        """None where there is none that may be read."""
        ...


@dataclass(frozen=True, slots=True)
class File:
    """`name` is without its folder."""

    name: str
    text: str
    beside: Beside


@dataclass(slots=True)
class Folder:
    """Reads by the last part of a name only: a table at /etc/postfix/transport is looked for beside main.cf."""

    path: Path
    left: int = field(default=_MOST_BESIDE)

    def text(self, name: str) -> str | None:
        last = name.replace("\\", "/").rpartition("/")[2]
        file = self.path / last
        if last in ("", ".", "..") or "\0" in last or self.left <= 0:
            return None
        self.left -= 1
        try:
            if file.resolve().parent != self.path.resolve() or not file.is_file():
                return None
            return decoded(_read(file))
        except (AdminError, OSError):
            return None


def load(path: Path) -> File:
    """Raises `AdminError`."""
    try:
        if not path.is_file():
            raise AdminError(f"{path}: there is no such file; name a file that this user can read")
        return File(path.name, decoded(_read(path)), Folder(path.parent))
    except OSError as error:
        raise AdminError(f"{path}: {error.strerror}; name a file that this user can read") from None


def decoded(content: bytes) -> str:
    """Windows PowerShell writes UTF-16 with a mark (about_Character_Encoding); anything reads as something.

    https://learn.microsoft.com/powershell/module/microsoft.powershell.core/about/about_character_encoding
    """
    for mark, encoding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(encoding, "replace")
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _read(path: Path) -> bytes:
    with path.open("rb") as opened:
        content = opened.read(_LARGEST + 1)
    if len(content) > _LARGEST:
        raise AdminError(f"{path}: larger than {_LARGEST >> 20} MiB, which no configuration is; name another file")
    return content
