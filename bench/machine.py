"""What is measured on, and what is measured."""

from __future__ import annotations

import gzip
import json
import os
import platform
import re
import sqlite3
import ssl
import subprocess
from importlib.metadata import version
from pathlib import Path

from bench.measure import TOOLS

_DEBIAN = {"Postfix": ("root", "postfix"), "Exim": ("exim", "exim4-base"), "OpenSMTPD": ("opensmtpd", "opensmtpd")}


def machine() -> dict[str, str]:
    processor = _found(Path("/proc/cpuinfo"), r"model name\s*: (.*)")
    memory = int(_found(Path("/proc/meminfo"), r"MemTotal:\s*(\d+)") or 0) / (1 << 20)
    system = _found(Path("/etc/os-release"), 'PRETTY_NAME="(.*)"')
    return {
        "processor": f"{os.cpu_count()} × {processor}",
        "memory": f"{memory:.0f} GiB",
        "system": f"{system}, {platform.system()} {platform.release()}",
    }


def versions() -> dict[str, str]:
    found = {
        "Posthouse": f"{version('posthouse')} {_revision()}".strip(),
        "Python": platform.python_version(),
        "uvloop": version("uvloop"),
        "SQLite": sqlite3.sqlite_version,
        "OpenSSL": ssl.OPENSSL_VERSION.split()[1],
        **{name: _debian_version(*where) for name, where in _DEBIAN.items()},
        "Haraka": _haraka_version(),
        "aiosmtpd": _distribution("aiosmtpd"),
        "aiosmtplib": _distribution("aiosmtplib"),
    }
    return {name: text for name, text in found.items() if text}


def _debian_version(folder: str, package: str) -> str:
    """As its changelog begins: `postfix (3.7.11-0+deb12u1) …`."""
    for file in (TOOLS / folder / "usr/share/doc" / package).glob("changelog.Debian.gz"):
        return gzip.decompress(file.read_bytes()).split(b"(", 1)[1].split(b")", 1)[0].decode()
    return ""


def _haraka_version() -> str:
    file = TOOLS / "haraka/node_modules/Haraka/package.json"
    return json.loads(file.read_text())["version"] if file.exists() else ""


def _distribution(name: str) -> str:
    found = list(TOOLS.glob(f"aiosmtp/lib/python*/site-packages/{name}-*.dist-info"))
    return found[0].name.removesuffix(".dist-info").partition("-")[2] if found else ""


def _revision() -> str:
    command = ["git", "-C", str(TOOLS.parent), "describe", "--always", "--dirty"]
    try:
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    except (OSError, subprocess.CalledProcessError):
        return ""


def _found(file: Path, pattern: str) -> str:
    match = re.search(pattern, file.read_text()) if file.exists() else None
    return match[1] if match else ""
