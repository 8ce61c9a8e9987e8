"""The few files that a script may touch (`interface.Files`)."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path, PureWindowsPath

from posthouse.cmdlets.errors import PSError

_LARGEST = 64 << 20  # bytes


class AllowedFiles:
    """`allowed` may be read and written; what is in `folder`, the script's own, may be read."""

    def __init__(self, allowed: Iterable[Path] = (), folder: Path | None = None) -> None:
        self._allowed = tuple(path.resolve() for path in allowed)
        self._folder = folder.resolve() if folder else None

    def read(self, path: str) -> bytes:
        file = self._named(path) or self._in_folder(path)
        if file is None:
            raise _denied(path, "name it with --allow-file, or put it into the script's own folder")
        if not file.is_file():
            text = f"Cannot find path '{path}' because it does not exist."
            raise PSError(text, category="ObjectNotFound", error_id="PathNotFound", target=path)
        try:
            with file.open("rb") as opened:
                content = opened.read(_LARGEST + 1)
        except OSError as error:
            raise _denied(path, str(error.strerror)) from None
        if len(content) > _LARGEST:
            raise _denied(path, f"it has more than {_LARGEST} bytes")
        return content

    def size(self, path: str) -> int | None:
        file = self._named(path) or self._in_folder(path)
        try:
            return file.stat().st_size if file and file.is_file() else None
        except OSError:
            return None

    def write(self, path: str, content: bytes, *, append: bool = False) -> None:
        file = self._named(path)
        if file is None:
            raise _denied(path, "name it with --allow-file")
        try:
            with file.open("ab" if append else "wb") as opened:
                opened.write(content)
        except OSError as error:
            raise _denied(path, str(error.strerror)) from None

    def _named(self, path: str) -> Path | None:
        """The file that was allowed; a Windows path, as scripts have it, stands for one of the same name."""
        wanted = self._resolved(path)
        if wanted in self._allowed:
            return wanted
        name = PureWindowsPath(path).name if PureWindowsPath(path).drive else ""
        return next((file for file in self._allowed if name and file.name == name), None)

    def _in_folder(self, path: str) -> Path | None:
        wanted = self._resolved(path)
        return wanted if wanted and self._folder and wanted.is_relative_to(self._folder) else None

    def _resolved(self, path: str) -> Path | None:
        """Links and `..` are followed first. A relative path is in the script's folder."""
        try:
            return ((self._folder or Path()) / path.replace("\\", "/")).resolve()
        except (OSError, ValueError):
            return None


def _denied(path: str, why: str) -> PSError:
    text = f"Access to the path '{path}' is denied: {why}."
    return PSError(text, category="PermissionDenied", error_id="UnauthorizedAccessException", target=path)
