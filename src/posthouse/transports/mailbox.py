"""Delivery into a Maildir for each recipient, so that a trial needs no second server."""

from __future__ import annotations

import asyncio
import os
import re
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from posthouse.mail import Delivery, DsnDuty, Message, Outcome, Reply, Status
from posthouse.mail.address import parse_address

DELIVERED = Reply(250, "2.1.5", "Delivered to the mailbox")
_THREADS = 4
_UNSAFE = re.compile(r"[^A-Za-z0-9._+=&-]")


class MailboxTransport:
    """Maildirs below `root`: `<domain>/<local part>/{tmp,new,cur}`.

    Each file is written into `tmp`, fsynced and renamed into `new`, whose directory is fsynced before the outcome is
    `delivered`. `Return-Path:` goes on top (RFC 5321 4.4: the last delivery records the reverse-path).
    """

    def __init__(self, root: Path, hostname: str) -> None:
        self._root = root
        self._hostname = hostname
        self._threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="mailbox")

    def destination(self, forward_path: str) -> str:
        """One destination for all mailboxes: they share a file system."""
        return "mailboxes"

    async def deliver(self, delivery: Delivery) -> Sequence[Outcome]:
        """Write the message for each recipient; a mailbox that can't be written is deferred."""
        return await asyncio.get_running_loop().run_in_executor(self._threads, self._deliver, delivery)

    async def end_idle(self) -> None:
        """There are no connections."""

    async def close(self) -> None:
        self._threads.shutdown(wait=False)

    def _deliver(self, delivery: Delivery) -> Sequence[Outcome]:
        return [self._deliver_one(delivery.message, recipient) for recipient in delivery.recipients]

    def _deliver_one(self, message: Message, recipient: int) -> Outcome:
        mailbox = self._root / mailbox_path(message.envelope.recipients[recipient].forward_path)
        try:
            self._write(mailbox, f"{message.id}.{recipient}.{self._hostname}", message)
        except OSError as error:
            reply = Reply(452, "4.2.2", f"The mailbox can't be written: {error.strerror}")
            return Outcome(recipient, Status.DEFERRED, reply, self._hostname, time.time(), DsnDuty.FINAL)
        return Outcome(recipient, Status.DELIVERED, DELIVERED, self._hostname, time.time(), DsnDuty.FINAL)

    def _write(self, mailbox: Path, name: str, message: Message) -> None:
        """The name is the message's own, so that a delivery repeated after a crash replaces the file."""
        new, unfinished = mailbox / "new", mailbox / "tmp" / name
        if not new.is_dir():
            self._make(mailbox)
        try:
            with unfinished.open("wb") as file:
                file.write(f"Return-Path: <{message.envelope.reverse_path}>\r\n".encode())
                file.writelines(message.content.chunks())
                file.flush()
                os.fsync(file.fileno())
            unfinished.replace(new / name)
        except BaseException:
            unfinished.unlink(missing_ok=True)  # on a disk that is full it would take the room of others
            raise
        _sync_directory(new)

    def _make(self, mailbox: Path) -> None:
        """A new Maildir, durable down from the folder that holds `root`."""
        for folder in ("tmp", "cur", "new"):
            (mailbox / folder).mkdir(parents=True, exist_ok=True)
        for folder in (mailbox, mailbox.parent, self._root, self._root.parent):
            _sync_directory(folder)


def mailbox_path(address: str) -> Path:
    """Where an address has its Maildir: `contoso.com/user`. A character that is unsafe in a file name becomes `%XX`."""
    parsed = parse_address(address)
    return Path(_safe(parsed.domain), _safe(parsed.local_part.lower()))


def _safe(name: str) -> str:
    escaped = _UNSAFE.sub(lambda match: "".join(f"%{byte:02X}" for byte in match[0].encode()), name)
    return "%2E" + escaped[1:] if escaped.startswith(".") else escaped or "%"


def _sync_directory(folder: Path) -> None:
    """Make the rename durable. Windows has no handle for a directory and no need: NTFS journals the rename."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
