"""A certificate that comes in a request, as the file that `posthouse.admin` reads one from.

Elsewhere a reference names a file of the host or a variable of its environment; a request may name neither.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from posthouse.web.problems import Refusal

_FILE = "upload.pfx"


@contextmanager
def unpacked(values: Mapping[str, Any]) -> Iterator[tuple[dict[str, Any], Path]]:
    """The values of a connector as an organization file has them, and the folder that they refer to."""
    values = dict(values)
    with TemporaryDirectory(prefix="posthouse-") as name:  # 0700
        folder = Path(name)
        if (logins := values.get("sender_credentials")) is not None:
            values["sender_credentials"] = [_without_none(login) for login in logins]
        if (certificate := values.get("client_certificate")) is not None:
            values["client_certificate"] = _certificate(_without_none(certificate), folder)
        yield values, folder


def _certificate(given: dict[str, Any], folder: Path) -> dict[str, Any]:
    if "pfx" not in given:
        return given
    (folder / _FILE).write_bytes(decoded(given["pfx"], "ClientCertificate.Pfx"))
    return {**given, "pfx": _FILE}


def decoded(text: str, field: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, f"{field}: it is not Base64; encode the file so") from None


def _without_none(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value is not None}
