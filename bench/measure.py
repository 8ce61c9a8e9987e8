"""A relay under measurement, in a cgroup of its own, so that the CPU of children that have ended counts too."""

from __future__ import annotations

import contextlib
import os
import re
import socket
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

TOOLS = Path(__file__).resolve().parent.parent / ".tools"
_CGROUPS = next(filter(Path.is_dir, map(Path, ("/sys/fs/cgroup/unified", "/sys/fs/cgroup"))), Path())
_ARRIVED = re.compile(rb"mesg=(\d+)")
_DEADLINE = 120.0
_LOOK = 1.0


@dataclass(frozen=True, slots=True)
class Load:
    """What smtp-source does. `reuse`: it keeps its connections instead of making one for each message."""

    messages: int
    size: int
    sessions: int = 20
    reuse: bool = False


@dataclass(frozen=True, slots=True)
class Figures:
    """Of one run: messages a second from first byte to last arrival, CPU ms of the relay a message, its PSS in MiB."""

    rate: float
    cpu: float
    memory: float


class Group:
    """A cgroup for one relay's processes."""

    start_seconds = 0.0
    """From the command to the first greeting."""

    def __init__(self, name: str) -> None:
        self._folder = _CGROUPS / f"posthouse-bench-{name}-{os.getpid()}"
        self._folder.mkdir()

    def enter(self) -> None:
        """For `preexec_fn`: this process and all its children."""
        (self._folder / "cgroup.procs").write_text(str(os.getpid()))

    @property
    def cpu_seconds(self) -> float:
        return int((self._folder / "cpu.stat").read_text().split()[1]) / 1e6

    @property
    def memory(self) -> float:
        """Proportional set size of all processes, MiB."""
        total = 0
        for pid in (self._folder / "cgroup.procs").read_text().split():
            with contextlib.suppress(OSError):
                total += int(Path(f"/proc/{pid}/smaps_rollup").read_text().partition("\nPss:")[2].split()[0])
        return total / 1024

    def close(self) -> None:
        deadline = time.monotonic() + 10
        while self._folder.exists() and time.monotonic() < deadline:
            (self._folder / "cgroup.kill").write_text("1")
            time.sleep(0.05)
            with contextlib.suppress(OSError):  # busy as long as somebody is dying
                self._folder.rmdir()


class Sink:
    """Postfix's smtp-sink, with the count of messages that it took."""

    def __init__(self, port: int) -> None:
        self._process = subprocess.Popen(
            [TOOLS / "bin" / "smtp-sink", "-c", "-u", "root", "-m", "1000", f"127.0.0.1:{port}", "1000"],
            stdout=subprocess.PIPE,
        )
        self.arrived = 0
        threading.Thread(target=self._count, daemon=True).start()
        await_port(port, self._process)

    def _count(self) -> None:
        assert self._process.stdout is not None
        while text := os.read(self._process.stdout.fileno(), 65536):
            if found := _ARRIVED.findall(text):
                self.arrived = int(found[-1])

    def await_arrivals(self, count: int) -> None:
        deadline = time.monotonic() + _DEADLINE
        while self.arrived < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{count - self.arrived} messages have not arrived")
            time.sleep(0.002)

    def close(self) -> None:
        self._process.kill()
        self._process.wait()


def _watch(source: subprocess.Popen[bytes], group: Group | None) -> float:
    """Wait for the client's end. The most memory that the relay had meanwhile, looked at every second."""
    memory, deadline = 0.0, time.monotonic() + _DEADLINE
    while True:
        with contextlib.suppress(subprocess.TimeoutExpired):
            source.wait(_LOOK)
        memory = max(memory, group.memory if group else 0)
        if source.returncode is not None:
            break
        if time.monotonic() > deadline:
            source.kill()
    if source.wait():
        raise OSError(f"smtp-source ended with status {source.returncode}")
    return memory


@contextmanager
def sink(port: int) -> Iterator[Sink]:
    running = Sink(port)
    try:
        yield running
    finally:
        running.close()


def run(load: Load, port: int, sink: Sink, group: Group | None) -> Figures:
    """Put a load on the relay at `port` and wait until all of it has arrived at the sink.

    Without a group the sink itself is at `port`: there is no relay whose CPU and memory count.
    """
    before, cpu = sink.arrived, group.cpu_seconds if group else 0
    started = time.monotonic()
    source = subprocess.Popen(
        [
            *(TOOLS / "bin" / "smtp-source", "-s", str(load.sessions), "-l", str(load.size), "-m", str(load.messages)),
            *(["-d"] if load.reuse else []),
            *("-f", "scanner@contoso.com", "-t", "user@example.net", f"127.0.0.1:{port}"),
        ],
    )
    memory = _watch(source, group)
    sink.await_arrivals(before + load.messages)
    wall = time.monotonic() - started
    spent = group.cpu_seconds - cpu if group else 0
    return Figures(load.messages / wall, spent * 1000 / load.messages, memory)


def await_port(port: int, process: subprocess.Popen[bytes]) -> None:
    """Until an SMTP server greets there. Raises `OSError` if its process ends."""
    deadline = time.monotonic() + _DEADLINE
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1) as connection:
            if connection.recv(3) == b"220":
                return
        if process.poll() is not None:
            raise OSError(f"it ended with status {process.returncode}")
        time.sleep(0.02)
    raise TimeoutError(f"nothing greets on 127.0.0.1:{port}")
