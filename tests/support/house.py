"""A posthouse as a test runs it: the real program, in processes of its own, at a loopback address of its own."""

from __future__ import annotations

import contextlib
import email.policy
import io
import itertools
import json
import os
import smtplib
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from email.message import EmailMessage
from pathlib import Path
from typing import Any, TypeVar

import psutil

from posthouse.cli import run
from posthouse.spool import Trace, TraceEntry, TraceFilter, open_store
from posthouse.transports.mailbox import mailbox_path
from support.wire import Wire

T = TypeVar("T")

PORT = 2525
WAIT_SECONDS = 30.0
_PATCHED = """
import sys
from posthouse.cli import run
{statements}
if __name__ == "__main__":
    sys.exit(run(sys.argv[1:]))
"""
_numbers = itertools.count(1)


def own_address() -> str:
    """A loopback address that no other test uses, whichever pytest process it runs in: so any port of it is free."""
    process = os.getpid()
    return f"127.{100 + process // 250 % 100}.{process % 250}.{next(_numbers) % 250 + 1}"


def wait_for(condition: Callable[[], T], seconds: float = WAIT_SECONDS, what: str = "") -> T:
    """The condition's value once it is true."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, f"waited {seconds} s for {what or condition}"
        time.sleep(0.02)
    return value


class House:
    """Starts with `start`; everything it keeps is in `folder`."""

    def __init__(self, folder: Path, organization: str, settings: str = "", *, hostname: str = "relay.test") -> None:
        self.folder = folder
        self.address = own_address()
        self.port = PORT
        self.hostname = hostname
        self.process: subprocess.Popen[bytes] | None = None
        self.program: tuple[str, ...] = ("-m", "posthouse")
        folder.mkdir(parents=True, exist_ok=True)
        self.config = folder / "posthouse.toml"
        self.log = folder / "serve.log"
        top, _, sections = settings.partition("\n[")
        listener = "" if "[[listener]]" in settings else f'[[listener]]\naddress = "{self.address}:{PORT}"\n'
        admin = "" if "[admin]" in settings else '[admin]\naddress = ""\n'
        self.config.write_text(
            f'hostname = "{hostname}"\ndata_dir = "data"\nlog = "json"\n{top}\n{listener}\n'
            f"{'[' + sections if sections else ''}\n{admin}".replace("ADDRESS", self.address),
            "utf-8",
        )
        self.write_organization(organization)

    @property
    def data_dir(self) -> Path:
        return self.folder / "data"

    def write_organization(self, organization: str) -> None:
        (self.folder / "organization.toml").write_text(organization, "utf-8")

    def run(
        self, *arguments: str, check: bool = True, stdin: str | None = None, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """One posthouse command with this house's settings."""
        done = subprocess.run(
            [sys.executable, "-m", "posthouse", *arguments, "--config", str(self.config)],
            capture_output=True,
            text=True,
            input=stdin,
            env=os.environ | environment,
            check=False,
            timeout=60,
        )
        assert not check or done.returncode == 0, done.stderr
        return done

    def json(self, *arguments: str) -> Any:
        return json.loads(self.run(*arguments, "--json").stdout)

    def read(self, *arguments: str) -> Any:
        """The same for a command that only reads, run in this process: for looking often."""
        with contextlib.redirect_stdout(io.StringIO()) as output:
            assert run([*arguments, "--json", "--config", str(self.config)]) == 0
        return json.loads(output.getvalue())

    def apply(self, organization: str | None = None, **environment: str) -> None:
        if organization is not None:
            self.write_organization(organization)
        self.run("apply", str(self.folder / "organization.toml"), **environment)

    def patch(self, statements: str) -> None:
        """Have `serve` run these first, so that a constant of the program is another one."""
        program = self.folder / "patched.py"
        program.write_text(_PATCHED.format(statements=statements), "utf-8")
        self.program = (str(program),)

    def start(self, **environment: str) -> House:
        """Run `serve` and wait until it says that it is ready."""
        before = len(self.log_lines("ready"))
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, *self.program, "serve", "--config", str(self.config)],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=log,
                env=os.environ | environment,
            )
        wait_for(lambda: len(self.log_lines("ready")) > before or self.process.poll() is not None, what="serve")
        assert self.process.poll() is None, self.log.read_text("utf-8")
        return self

    def stop(self) -> int:
        """End it with SIGTERM. Returns the exit status."""
        assert self.process is not None
        self.process.terminate()
        return self.process.wait(WAIT_SECONDS + 10)

    def kill(self) -> None:
        """Kill -9 the supervisor, then wait until its workers have noticed and ended."""
        assert self.process is not None
        workers = self.workers
        self.process.kill()
        self.process.wait()
        wait_for(lambda: all(map(has_ended, workers)), what="the workers to end with their supervisor")

    @property
    def workers(self) -> list[psutil.Process]:
        assert self.process is not None
        return [child for child in psutil.Process(self.process.pid).children() if child not in self.admin_processes]

    @property
    def admin_processes(self) -> list[psutil.Process]:
        """What answers at the admin address: one, or none for a moment."""
        assert self.process is not None
        children = psutil.Process(self.process.pid).children()
        return [child for child in children if "--attached" in command_line(child)]

    def kill_worker(self, worker: psutil.Process | None = None) -> None:
        """Kill -9 one of the workers, and wait until it is no more."""
        worker = worker or self.workers[0]
        with contextlib.suppress(psutil.NoSuchProcess):
            worker.kill()
        wait_for(lambda: has_ended(worker), what="a killed worker to end")

    def clean_up(self) -> None:
        if self.process is not None and self.process.poll() is None:
            self.kill()

    def smtp(self, source: str = "", **options: Any) -> smtplib.SMTP:
        """A client's connection, from an address of its own if wanted."""
        return smtplib.SMTP(
            self.address,
            self.port,
            local_hostname="device.test",
            timeout=30,
            source_address=(source, 0) if source else None,
            **options,
        )

    def wire(self, source: str = "", port: int = PORT) -> Wire:
        """A connection that says what it is told, byte by byte."""
        return Wire(self.address, port, source=source)

    def send(self, sender: str, recipient: str, subject: str = "Test", body: str = "Hello\n", source: str = "") -> str:
        """Hand in a mail. Returns its message id."""
        message = EmailMessage()
        message["From"], message["To"], message["Subject"] = sender, recipient, subject
        message.set_content(body)
        with self.smtp(source) as client:
            client.ehlo()
            client.mail(sender)
            client.rcpt(recipient)
            code, reply = client.data(message.as_bytes(policy=email.policy.SMTP))
        assert code == 250, reply
        return message_id_in(reply)

    def submit(
        self,
        sender: str,
        *recipients: str,
        content: bytes = b"Subject: Test\r\n\r\nHello\r\n",
        source: str = "",
        mail: Sequence[str] = (),
        rcpt: Sequence[str] = (),
    ) -> str:
        """Hand in content as it is, with these parameters of MAIL and of each RCPT. Returns its message id."""
        with self.smtp(source) as client:
            client.command_encoding = "utf-8"
            client.ehlo()
            assert client.mail(sender, mail)[0] == 250
            for recipient in recipients:
                assert client.rcpt(recipient, rcpt)[0] == 250
            code, reply = client.data(content)
        assert code == 250, reply
        return message_id_in(reply)

    def trace(
        self, *filters: str, until: Callable[[list[dict[str, Any]]], object] = lambda entries: True
    ) -> list[dict[str, Any]]:
        """What `posthouse trace --json` tells, once it is as wanted."""
        found: list[dict[str, Any]] = []

        def is_as_wanted() -> bool:
            found[:] = self.read("trace", *filters)
            return bool(until(found))

        wait_for(is_as_wanted, what=f"trace {' '.join(filters)}")
        return found

    def mailbox(self, address: str) -> list[bytes]:
        new = self.data_dir / "mailboxes" / mailbox_path(address) / "new"
        return [file.read_bytes() for file in sorted(new.glob("*"))]

    def await_mail(self, address: str, count: int = 1) -> list[bytes]:
        wait_for(lambda: len(self.mailbox(address)) >= count, what=f"{count} in the mailbox of {address}")
        return self.mailbox(address)

    def entries(self, **wanted: Any) -> tuple[TraceEntry, ...]:
        """What its store tells of each recipient."""
        with closing(open_store(f"sqlite:///{self.data_dir / 'posthouse.db'}", self.data_dir)) as store:
            return Trace(store).find(TraceFilter(**wanted), limit=100_000).entries

    def await_idle(self) -> None:
        """Until nothing waits for its delivery."""
        wait_for(
            lambda: all(entry.state.is_final for entry in self.entries()), what=f"{self.hostname}'s queue to empty"
        )

    def log_lines(self, event: str = "") -> list[dict[str, Any]]:
        if not self.log.exists():
            return []
        lines = [json.loads(line) for line in self.log.read_text("utf-8").splitlines() if line.startswith("{")]
        return [line for line in lines if not event or line["event"] == event]


def has_ended(process: psutil.Process) -> bool:
    """Also if nobody has asked for its exit status yet."""
    try:
        return process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def command_line(process: psutil.Process) -> list[str]:
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def listens(process: psutil.Process) -> bool:
    """A worker does so once it is ready."""
    try:
        return any(one.status == psutil.CONN_LISTEN for one in process.net_connections())
    except psutil.NoSuchProcess:
        return False


def message_id_in(reply: bytes) -> str:
    """The message id in `2.6.0 <id> Queued mail for delivery`."""
    return reply.decode().partition("<")[2].partition(">")[0]


MakeHouse = Callable[..., House]
"""What the fixtures `house` and `shared_house` are."""
