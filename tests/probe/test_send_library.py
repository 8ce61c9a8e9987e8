"""`import posthouse`, the test sender as a library."""

import asyncio
import inspect
import subprocess
import sys
from pathlib import Path

import pytest

import posthouse
from posthouse.net.certificates import Authority
from posthouse.probe.send import SendOptions
from support.peers import Peer


def test_it_loads_nothing_until_it_is_used() -> None:
    program = "import sys; before = set(sys.modules); import posthouse; print(*sorted(set(sys.modules) - before))"
    ran = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert [name for name in ran.stdout.split() if name.startswith("posthouse.")] == []
    assert "asyncio" not in ran.stdout.split()


def test_a_mail_is_sent_by_keywords() -> None:
    with Peer() as peer:
        result = posthouse.send(
            server="127.0.0.1",
            port=peer.port,
            sender="app@contoso.com",
            recipients=["bob@example.net"],
            attachments=[posthouse.Attachment("scan.pdf", b"%PDF")],
            notify=posthouse.Notify.SUCCESS,
            ret=posthouse.Ret.HDRS,
        )
    assert isinstance(result, posthouse.SendResult)
    assert result.accepted
    assert len(peer.messages) == 1


def test_the_same_in_an_event_loop() -> None:
    async def run() -> list[posthouse.SendResult]:
        sending = [
            posthouse.send_async(server="127.0.0.1", port=peer.port, sender="", recipients=[f"{name}@example.net"])
            for name in ("alice", "bob")
        ]
        return await asyncio.gather(*sending)

    with Peer() as peer:
        results = asyncio.run(run())
    assert [result.replies[0].recipient for result in results] == ["alice@example.net", "bob@example.net"]
    assert len(peer.messages) == 2


def test_bad_arguments_raise_and_trouble_does_not() -> None:
    with pytest.raises(ValueError, match="at least one is needed"):
        posthouse.send(server="127.0.0.1", sender="app@contoso.com", recipients=[])
    with Peer() as peer:
        port = peer.port
    result = posthouse.send(server="127.0.0.1", port=port, sender="app@contoso.com", recipients=["bob@example.net"])
    assert result.error
    assert "refused the connection" in result.error


def test_a_certificate_from_its_file(tmp_path: Path) -> None:
    identity = Authority.create("CA").issue(["app.contoso.com"])
    file = tmp_path / "app.pfx"
    file.write_bytes(identity.to_pfx("secret"))
    assert posthouse.load_certificate(file, password="secret").thumbprint == identity.thumbprint


@pytest.mark.parametrize("function", [posthouse.send, posthouse.send_async])
def test_it_tells_its_keywords(function: object) -> None:
    assert callable(function)
    told = inspect.signature(function)
    assert list(told.parameters) == list(inspect.signature(SendOptions).parameters)
    assert "SendResult" in str(told.return_annotation)
    assert inspect.getdoc(function)


def test_there_is_nothing_else() -> None:
    with pytest.raises(AttributeError, match="module 'posthouse' has no attribute 'sned'"):
        _ = posthouse.sned  # pyright: ignore[reportAttributeAccessIssue]
