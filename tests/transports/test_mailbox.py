"""Delivery into Maildirs."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from posthouse.mail import Delivery, Envelope, MemoryContent, Outcome
from posthouse.transports import MailboxTransport
from posthouse.transports import mailbox as room

Mail = Callable[..., Delivery]
To = Callable[..., Envelope]


class Torn(MemoryContent):
    """Content that ends in an error, as on a disk that fails."""

    def chunks(self) -> Iterator[bytes]:
        yield from super().chunks()
        raise OSError(5, "Input/output error")


def deliver(root: Path, delivery: Delivery) -> list[Outcome]:
    async def once() -> list[Outcome]:
        transport = MailboxTransport(root, "relay.test")
        outcomes = await transport.deliver(delivery)
        await transport.close()
        return list(outcomes)

    return asyncio.run(once())


def files(root: Path) -> list[str]:
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if path.is_file())


def test_each_recipient_has_a_file_with_the_reverse_path_on_top(tmp_path: Path, mail: Mail, to: To):
    outcomes = deliver(tmp_path, mail(to("B@Example.net", "c@example.net")))
    assert [(outcome.status, outcome.duty) for outcome in outcomes] == [("delivered", "final")] * 2
    assert files(tmp_path) == [
        f"example.net/b/new/{'0' * 25}.0.relay.test",
        f"example.net/c/new/{'0' * 25}.1.relay.test",
    ]
    content = b"".join(mail().message.content.chunks())
    assert (tmp_path / files(tmp_path)[0]).read_bytes() == b"Return-Path: <a@contoso.com>\r\n" + content


def test_a_repeated_delivery_replaces_the_file(tmp_path: Path, mail: Mail):
    deliver(tmp_path, mail())
    deliver(tmp_path, mail())
    assert len(files(tmp_path)) == 1


@pytest.mark.parametrize(
    ("address", "folder"),
    [
        ('"../../x"@example.net', "example.net/%22..%2F..%2Fx%22"),
        ("..@example.net", "example.net/%2E."),
        ("a%2Fb@example.net", "example.net/a%252fb"),
        ("ü@bücher.example", "xn--bcher-kva.example/%C3%BC"),
        ("b@[IPv6:::1]", "%5Bipv6%3A%3A%3A1%5D/b"),
        ("postmaster", "%/postmaster"),
    ],
)
def test_no_address_leads_out_of_its_mailbox(tmp_path: Path, mail: Mail, to: To, address: str, folder: str):
    deliver(tmp_path, mail(to(address)))
    assert files(tmp_path) == [f"{folder}/new/{'0' * 25}.0.relay.test"]


def test_one_mailbox_that_cannot_be_written_defers_its_own_mail_only(tmp_path: Path, mail: Mail, to: To):
    (tmp_path / "example.net").mkdir()
    (tmp_path / "example.net" / "b").write_text("a file where the Maildir should be")
    outcomes = deliver(tmp_path, mail(to("b@example.net", "c@example.net")))
    assert [outcome.status for outcome in outcomes] == ["deferred", "delivered"]
    assert outcomes[0].reply.enhanced == "4.2.2"


def test_a_write_that_fails_leaves_nothing_behind(tmp_path: Path, mail: Mail):
    (outcome,) = deliver(tmp_path, mail(content=Torn((b"Subject: x\r\n\r\n",))))
    assert (outcome.status, outcome.reply.text) == ("deferred", "The mailbox can't be written: Input/output error")
    assert files(tmp_path) == []


@pytest.mark.skipif(os.name == "nt", reason="Windows journals directories by itself")
def test_a_new_mailbox_is_made_durable_with_all_its_folders(
    tmp_path: Path, mail: Mail, monkeypatch: pytest.MonkeyPatch
):
    synced: list[Path] = []
    monkeypatch.setattr(room, "_sync_directory", synced.append)
    deliver(tmp_path / "mailboxes", mail())
    mailbox = tmp_path / "mailboxes" / "example.net" / "b"
    assert {mailbox / "new", mailbox, mailbox.parent, tmp_path / "mailboxes", tmp_path} == set(synced)
    synced.clear()
    deliver(tmp_path / "mailboxes", mail())
    assert synced == [mailbox / "new"]
