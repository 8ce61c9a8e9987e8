"""The relays that are measured, each with its own durable defaults, on a port of its own, and pointed at the sink.

What they need beyond those is in `peers/`, one folder each.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.measure import TOOLS, Group, await_port

PEERS = Path(__file__).resolve().parent / "peers"
_LIBRARIES = f"usr/lib/{os.uname().machine}-linux-gnu"
_DAEMON = 1
_EXIM, _OPENSMTPD, _HARAKA, _AIOSMTP = (TOOLS / name for name in ("exim", "opensmtpd", "haraka", "aiosmtp"))
_HARAKA_PROGRAM = _HARAKA / "node_modules" / "Haraka"
_POSTFIX_QUEUES = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush"),
    *("hold", "incoming", "maildrop", "private", "public", "saved", "trace"),
)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a relay runs: its folder, which doesn't exist yet, the port it listens on, and the sink's."""

    folder: Path
    port: int
    sink: int


@dataclass(frozen=True, slots=True)
class Tls:
    """PEM files: a certificate chain with its key, and the root that clients' certificates come from."""

    certificate: Path
    root: Path


Start = Callable[[Place], AbstractContextManager[Group]]


@contextmanager
def posthouse(
    place: Place, *, workers: int = 2, tls: Tls | None = None, organization: str = "", store: Path | None = None
) -> Iterator[Group]:
    """`organization` goes in front of its file. `store` is a filled data directory to use."""
    listener = 'tls = "none"'
    if tls:
        listener = f'certificate = "{tls.certificate}"'
        organization = f'trusted_roots = ["{tls.root}"]\n{organization}'
    _render("posthouse", place, workers=workers, listener=listener, organization=organization)
    if store is not None:
        store.rename(place.folder / "data")
    command = [sys.executable, "-m", "posthouse"]
    settings = ["--config", str(place.folder / "posthouse.toml")]
    apply = [*command, "apply", str(place.folder / "organization.toml"), *settings]
    subprocess.run(apply, check=True, stdout=subprocess.DEVNULL)
    with _running([*command, "serve", *settings], place) as group:
        yield group


@contextmanager
def postfix(place: Place, *, tls: Tls | None = None) -> Iterator[Group]:
    root = TOOLS / "root"
    more = ""
    if tls:
        more = f"""\
smtpd_tls_security_level = may
smtpd_tls_chain_files = {tls.certificate}
smtpd_tls_CAfile = {tls.root}
smtpd_tls_ask_ccert = yes
smtpd_tls_received_header = yes
"""
    _render("postfix", place, root=root, more=more)
    for name in ("data", "spool", "spool/pid", *(f"spool/{name}" for name in _POSTFIX_QUEUES)):
        (place.folder / name).mkdir()
    for name in ("data", *(f"spool/{name}" for name in _POSTFIX_QUEUES)):
        os.chown(place.folder / name, _DAEMON, -1)
    libraries = f"{root}/usr/lib/postfix:{root / _LIBRARIES}"
    command = [str(root / "usr/lib/postfix/sbin/master"), "-c", str(place.folder / "etc"), "-d"]
    with _running(command, place, LD_LIBRARY_PATH=libraries) as group:
        yield group


@contextmanager
def exim(place: Place) -> Iterator[Group]:
    _render("exim", place, root=_EXIM)
    (place.folder / "queue").mkdir()
    os.chown(place.folder / "queue", _DAEMON, _DAEMON)
    command = [str(_EXIM / "usr/sbin/exim4"), "-C", str(place.folder / "exim.conf"), "-bdf", "-q1m"]
    with _running(_with_users(command, place), place, LD_LIBRARY_PATH=str(_EXIM / _LIBRARIES)) as group:
        yield group


@contextmanager
def opensmtpd(place: Place) -> Iterator[Group]:
    _render("opensmtpd", place)
    (place.folder / "spool" / "smtpd").mkdir(parents=True)
    (place.folder / "spool" / "smtpd").chmod(0o711)
    (place.folder / "lib" / "opensmtpd" / "empty").mkdir(parents=True)
    command = [str(_OPENSMTPD / "usr/sbin/smtpd"), "-d", "-f", str(place.folder / "smtpd.conf")]
    with _running(_with_users(command, place), place, LD_LIBRARY_PATH=str(_OPENSMTPD / _LIBRARIES)) as group:
        yield group


@contextmanager
def haraka(place: Place) -> Iterator[Group]:
    shutil.copytree(_HARAKA_PROGRAM / "config", place.folder / "config")
    _render("haraka", place)
    (place.folder / "queue").mkdir()
    with _running(["node", str(_HARAKA_PROGRAM / "bin" / "haraka"), "-c", str(place.folder)], place) as group:
        yield group


@contextmanager
def aiosmtp(place: Place) -> Iterator[Group]:
    place.folder.mkdir()
    command = [str(_AIOSMTP / "bin" / "python"), str(PEERS / "aiosmtp" / "relay.py")]
    with _running([*command, str(place.folder), str(place.port), str(place.sink)], place) as group:
        yield group


STARTS: Mapping[str, Start] = {
    "posthouse": posthouse,
    "postfix": postfix,
    "exim": exim,
    "opensmtpd": opensmtpd,
    "haraka": haraka,
    "aiosmtp": aiosmtp,
}
_NEEDED = {
    "postfix": TOOLS / "root" / "usr/lib/postfix/sbin/master",
    "exim": _EXIM,
    "opensmtpd": _OPENSMTPD,
    "haraka": _HARAKA_PROGRAM,
    "aiosmtp": _AIOSMTP,
}


def missing() -> list[str]:
    """The relays that `unpack-peers` could not have."""
    return [name for name, file in _NEEDED.items() if not file.exists()]


def _render(name: str, place: Place, **values: object) -> None:
    """Copy the relay's files into its folder, with `@key@` replaced in each."""
    values |= {"folder": place.folder, "port": place.port, "sink": place.sink}
    for source in filter(Path.is_file, (PEERS / name).rglob("*")):
        text = source.read_text()
        for key, value in values.items():
            text = text.replace(f"@{key}@", str(value))
        target = place.folder / source.relative_to(PEERS / name)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
    place.folder.chmod(0o755)


def _with_users(command: list[str], place: Place) -> list[str]:
    return ["unshare", "--mount", str(PEERS / "with-users"), str(place.folder), *command]


@contextmanager
def _running(command: list[str], place: Place, **environment: str) -> Iterator[Group]:
    group = Group(place.folder.name)
    started, process = time.monotonic(), None
    try:
        with (place.folder / "log").open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=output, env=os.environ | environment, preexec_fn=group.enter
            )
        await_port(place.port, process)
        group.start_seconds = time.monotonic() - started
        yield group
    finally:
        group.close()
        if process is not None:
            process.wait()
