"""The test sender as other programs call it: what `import posthouse` offers."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from posthouse.mail import Notify, Ret
from posthouse.net.certificates import load_files as load_certificate
from posthouse.probe import send as sender
from posthouse.probe.send import Attachment, SendOptions, SendResult

__all__ = ["Attachment", "Notify", "Ret", "SendResult", "load_certificate", "send", "send_async"]

_Options = ParamSpec("_Options")
_Result = TypeVar("_Result")


def _with_keywords(
    make: Callable[_Options, SendOptions], act: Callable[[SendOptions], _Result], name: str, what: str
) -> Callable[_Options, _Result]:
    """`act`, with the options as its own keyword arguments, so that they are written down once."""

    def call(*args: _Options.args, **kwargs: _Options.kwargs) -> _Result:
        return act(make(*args, **kwargs))

    call.__name__ = call.__qualname__ = name
    call.__doc__ = f"{what}\n\n    {SendOptions.__doc__}"
    vars(call)["__signature__"] = inspect.signature(make).replace(
        return_annotation=inspect.signature(act).return_annotation
    )
    return call


send = _with_keywords(SendOptions, sender.send, "send", "Send one mail.")
send_async = _with_keywords(SendOptions, sender.send_async, "send_async", "The same in an event loop.")
