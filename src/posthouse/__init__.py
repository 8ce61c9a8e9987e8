"""Posthouse: a self-hosted SMTP relay with Exchange-Online-style connectors.

As a library it is the test sender, which is loaded when it is first used:

    result = posthouse.send(server="relay.contoso.com", sender="app@contoso.com", recipients=["user@contoso.com"])
    print(result.accepted, result.error, *result.dialogue, sep="\\n")
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from posthouse.probe.library import Attachment, Notify, Ret, SendResult, load_certificate, send, send_async

__all__ = ["Attachment", "Notify", "Ret", "SendResult", "load_certificate", "send", "send_async"]

__version__ = "0.1.0"


def __getattr__(name: str) -> object:
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from posthouse.probe import library

    return getattr(library, name)
