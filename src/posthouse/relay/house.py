"""The data directory as one running `serve` holds it: made, locked, and with a name of its own."""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_OPEN_FILES = 65_536
_LOCK_PATIENCE = 5.0  # seconds; workers of a killed supervisor need a moment to notice and end


class StartError(Exception):
    """`serve` can't start; the text is one line for the user."""


@contextmanager
def hold_data_dir(data_dir: Path) -> Iterator[None]:
    """Make the data directory and lock it. Workers inherit the lock by fork, so it lasts until all of them have ended.

    Raises `StartError` when it can't be written, or another `serve` has it.
    """
    try:
        data_dir.mkdir(parents=True, exist_ok=True)
        lock = (data_dir / "serve.lock").open("a+b")
    except OSError as error:
        raise StartError(f"{data_dir}: {error.strerror}; set data_dir to a folder that this user may write") from None
    with lock:
        _lock(lock, data_dir)
        yield


def allow_open_files() -> None:
    """Raise the limit on open files as far as this user may, up to 65,536: each session and each delivery is one.

    The soft limit is often 1,024, however high the hard one is. Windows has no such limit.
    """
    try:
        import resource
    except ImportError:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _OPEN_FILES if hard == resource.RLIM_INFINITY else min(_OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def node_name(data_dir: Path) -> str:
    """A random name that the directory keeps: it tells apart the nodes that share one store."""
    file = data_dir / "node"
    if not file.exists():
        fresh = data_dir / f"node.{os.getpid()}"
        fresh.write_text(secrets.token_hex(8) + "\n", "ascii")
        fresh.replace(file)
    return file.read_text("ascii").strip()


def _lock(file: IO[bytes], data_dir: Path) -> None:
    deadline = time.monotonic() + _LOCK_PATIENCE
    while not _try_lock(file):
        if time.monotonic() > deadline:
            raise StartError(f"{data_dir}: another posthouse serve is using it; stop that one or set another data_dir")
        time.sleep(0.05)


if os.name == "nt":
    import msvcrt

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True

else:
    import fcntl

    def _try_lock(file: IO[bytes]) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True
