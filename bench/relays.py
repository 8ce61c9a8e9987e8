"""The relays that are measured, each started with its own durable defaults and pointed at the sink."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from measure import TOOLS, Group, await_port

_POSTHOUSE_SETTINGS = """\
hostname = "relay.contoso.com"
data_dir = "data"
workers = {workers}
log = "json"

[[listener]]
address = "127.0.0.1:{port}"

[admin]
address = ""
"""

_POSTHOUSE_ORGANIZATION = """\
[[accepted_domain]]
name = "contoso.com"

[[inbound_connector]]
name = "Devices"
connector_type = "OnPremises"
sender_ip_addresses = ["127.0.0.0/8"]

[[outbound_connector]]
name = "Sink"
recipient_domains = ["*"]
smart_hosts = ["127.0.0.1"]
port = {sink}
"""

_POSTFIX_MAIN = """\
compatibility_level = 3.6
queue_directory = {folder}/spool
data_directory = {folder}/data
command_directory = {root}/usr/sbin
daemon_directory = {root}/usr/lib/postfix/sbin
shlib_directory = {root}/usr/lib/postfix
meta_directory = {folder}/etc
mail_owner = daemon
setgid_group = games
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.test
mydestination =
relayhost = [127.0.0.1]:{sink}
mynetworks = 127.0.0.0/8
default_process_limit = 100
default_destination_concurrency_limit = 100
initial_destination_concurrency = 20
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
maillog_file = {folder}/spool/log
maillog_file_prefixes = {folder}
import_environment = MAIL_CONFIG MAIL_DEBUG MAIL_LOGTAG TZ LANG=C LD_LIBRARY_PATH
export_environment = TZ LANG=C LD_LIBRARY_PATH
smtpd_relay_restrictions = permit_mynetworks, reject
alias_maps =
alias_database =
"""

_POSTFIX_MASTER = """\
127.0.0.1:{port} inet n - n - - smtpd
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
verify unix - - n - 1 verify
flush unix n - n 1000? 0 flush
proxymap unix - - n - - proxymap
smtp unix - - n - - smtp
relay unix - - n - - smtp
error unix - - n - - error
retry unix - - n - - error
anvil unix - - n - 1 anvil
scache unix - - n - 1 scache
postlog unix-dgram n - n - 1 postlogd
"""

_QUEUES = (
    *("active", "bounce", "corrupt", "defer", "deferred", "flush"),
    *("hold", "incoming", "maildrop", "private", "public", "saved", "trace"),
)


@contextmanager
def posthouse(folder: Path, port: int, sink: int, *, workers: int = 2) -> Iterator[Group]:
    folder.mkdir()
    settings, organization = folder / "posthouse.toml", folder / "organization.toml"
    settings.write_text(_POSTHOUSE_SETTINGS.format(port=port, workers=workers))
    organization.write_text(_POSTHOUSE_ORGANIZATION.format(sink=sink))
    command = [sys.executable, "-m", "posthouse"]
    subprocess.run([*command, "apply", organization, "--config", settings], check=True, stdout=subprocess.DEVNULL)
    with _running([*command, "serve", "--config", str(settings)], folder / "log", port) as group:
        yield group


@contextmanager
def postfix(folder: Path, port: int, sink: int) -> Iterator[Group]:
    """Unpacked by tests/tools/unpack-postfix; needs root, as Postfix does."""
    root = TOOLS / "root"
    for name in ("etc", "data", "spool", "spool/pid", *(f"spool/{name}" for name in _QUEUES)):
        (folder / name).mkdir(parents=True)
    folder.chmod(0o755)
    daemon = 1
    for name in ("data", *(f"spool/{name}" for name in _QUEUES)):
        os.chown(folder / name, daemon, -1)
    (folder / "etc" / "main.cf").write_text(_POSTFIX_MAIN.format(folder=folder, root=root, sink=sink))
    (folder / "etc" / "master.cf").write_text(_POSTFIX_MASTER.format(port=port))
    (folder / "etc" / "dynamicmaps.cf").touch()
    libraries = f"{root}/usr/lib/postfix:{root}/usr/lib/{os.uname().machine}-linux-gnu"
    command = [str(root / "usr/lib/postfix/sbin/master"), "-c", str(folder / "etc"), "-d"]
    with _running(command, folder / "log", port, LD_LIBRARY_PATH=libraries) as group:
        yield group


@contextmanager
def _running(command: list[str], log: Path, port: int, **environment: str) -> Iterator[Group]:
    group = Group(log.parent.name)
    try:
        with log.open("wb") as output:
            subprocess.Popen(
                command, stdout=output, stderr=output, env=os.environ | environment, preexec_fn=group.enter
            )
        await_port(port)
        yield group
    finally:
        group.close()
