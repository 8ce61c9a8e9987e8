"""What can be said without leaving the machine: settings, organization, listeners, disk."""

from __future__ import annotations

import errno
import ipaddress
import os
import shutil
import socket
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from posthouse.net.certificates import CertificateError, load_files
from posthouse.net.verification import Verifier
from posthouse.organization import notices
from posthouse.organization.certificate import is_named
from posthouse.probe.doctor.case import Case
from posthouse.probe.doctor.certificates import certificate_steps
from posthouse.probe.doctor.step import About, Area, Step
from posthouse.settings import Listener, Settings
from posthouse.spool.turn import FileLock

_settings = About(Area.CONFIGURATION, "settings")
_organization = About(Area.CONFIGURATION, "organization")
_disk = About(Area.CONFIGURATION, "disk")


def settings_step(settings: Settings) -> Step:
    """RFC 5321 4.1.4: EHLO names the client fully; many servers take no other name."""
    if "." in settings.hostname:
        return _settings.ok(f"hostname is {settings.hostname}")
    return _settings.warning(
        f"hostname {settings.hostname} is not a full name", "set hostname to one like relay.contoso.com"
    )


def steps(case: Case) -> Iterator[Step]:
    """Blocking, but short."""
    yield from _organization_steps(case)
    yield _disk_step(case)
    is_served = _is_served(case.settings.data_dir)
    for listener in case.settings.listener:
        about = About(Area.CONFIGURATION, f"listener {listener.address}")
        yield _address_step(about, listener, is_served=is_served)
        yield from _certificate_steps(about, listener, case)


def _organization_steps(case: Case) -> Iterator[Step]:
    organization = case.organization
    domains = ", ".join(domain.name for domain in organization.accepted_domains)
    if domains:
        yield _organization.ok(f"accepted domains: {domains}")
    else:
        yield _organization.failed("there is no accepted domain", "add yours with posthouse domain new DOMAIN")
    enabled = [connector for connector in organization.inbound if connector.enabled]
    if not enabled:
        yield _organization.failed(
            "there is no enabled inbound connector, so nobody may relay",
            "make one with posthouse connector new inbound NAME --connector-type OnPremises",
        )
    elif not any(connector.is_on_premises for connector in enabled):
        yield _organization.warning(
            "no enabled inbound connector is of type OnPremises, so nobody may send to other domains",
            "set --connector-type OnPremises on the one that your devices match",
        )
    else:
        yield _organization.ok(f"inbound connectors: {', '.join(connector.name for connector in enabled)}")
    if not any(connector.enabled for connector in organization.outbound):
        yield _organization.failed(
            "there is no enabled outbound connector, so no mail leaves",
            "make one with posthouse connector new outbound NAME",
        )
    for notice in notices(organization):
        yield _organization.warning(notice, "remove it, or know that it changes nothing")


def _disk_step(case: Case) -> Step:
    overridden = case.organization.limits.min_free
    needed = case.settings.limits.min_free if overridden is None else overridden
    data_dir = case.settings.data_dir
    folder = next(folder for folder in (data_dir, *data_dir.parents) if folder.exists())
    free = shutil.disk_usage(folder).free
    text = f"{free >> 20} MiB are free at {folder}, min_free is {needed >> 20} MiB"
    if free < needed:
        return _disk.failed(f"{text}: all mail is refused with 452", "free some space, or lower limits.min_free")
    return _disk.ok(text)


def _is_served(data_dir: Path) -> bool:
    """Whether a `serve` holds the data directory; one of another user's counts as held."""
    file = data_dir / "serve.lock"
    if not file.exists():
        return False
    try:
        lock = FileLock(file)
    except PermissionError:
        return True
    with closing(lock):
        return not lock.try_acquire(0)


def _address_step(about: About, listener: Listener, *, is_served: bool) -> Step:
    family = socket.AF_INET6 if ipaddress.ip_address(listener.host).version == 6 else socket.AF_INET
    try:
        with socket.socket(family, socket.SOCK_STREAM) as sock:
            if os.name == "posix":
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            sock.bind((listener.host, listener.port))
    except OSError as error:
        if error.errno == errno.EADDRINUSE and is_served:
            return about.ok("posthouse serve is listening")
        return _not_bound(about, error)
    return about.ok("the address is free: posthouse serve can listen there")


def _not_bound(about: About, error: OSError) -> Step:
    match error.errno:
        case errno.EADDRINUSE:
            return about.failed("another program is using this port", "stop it, or set another address")
        case errno.EACCES | errno.EPERM:
            return about.failed("this user may not use this port", "choose one above 1023, or grant it as root does")
        case errno.EADDRNOTAVAIL:
            return about.failed("this machine has no such address", "set one that it has, or 0.0.0.0")
        case _:
            return about.failed(f"it can't be used: {error.strerror}", "set another address")


def _certificate_steps(about: About, listener: Listener, case: Case) -> Iterator[Step]:
    """Devices seldom verify it, so what is wrong with its chain or name is a warning."""
    if listener.tls == "none":
        return
    if listener.certificate is None:
        yield about.ok("its certificate is self-signed, made at start: enough for devices that don't verify it")
        return
    password = os.environ.get(listener.certificate_password_env) if listener.certificate_password_env else None
    try:
        identity = load_files(listener.certificate, listener.key, password)
    except CertificateError as error:
        yield about.failed(str(error), "posthouse serve can't start with it")
        return
    yield from certificate_steps(about, identity, Verifier(case.organization.trusted_roots), chain_matters=False)
    if not is_named(identity.names, case.settings.hostname):
        yield about.warning(
            f"its certificate is for {', '.join(identity.names)}, not for {case.settings.hostname}",
            "clients that verify names need it to name what they connect to",
        )
