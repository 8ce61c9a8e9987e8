"""What comes in a request in place of a file: the content itself.

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
from typing import Annotated, Any

from fastapi import Depends, Request

from posthouse.web.problems import Refusal

NOWHERE = Path("/nonexistent")
"""The folder of a change that refers to nothing."""
_CERTIFICATES = ("client_certificate", "certificate")


async def _content(request: Request) -> bytes:
    return await request.body()


Content = Annotated[bytes, Depends(_content)]
"""The body as it is."""


class Uploads:
    """Certificates that came in a request, put into `folder` for `posthouse.admin` to read."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._count = 0

    def organization(self, document: Mapping[str, Any]) -> dict[str, Any]:
        """A whole organization as its file has it, but for a PFX that is there in Base64, and a root in PEM."""
        whole = dict(document)
        for kind in ("outbound_connector", "credential"):
            if isinstance(items := whole.get(kind), list):
                whole[kind] = [self.item(item) if isinstance(item, Mapping) else item for item in items]
        if isinstance(roots := whole.get("trusted_roots"), list):
            for root in roots:
                if isinstance(root, str) and not root.lstrip().startswith("-----BEGIN"):
                    raise _unusable("trusted_roots: a request names no file; give the PEM text itself")
        return whole

    def item(self, values: Mapping[str, Any]) -> dict[str, Any]:
        """A connector or credential."""
        item = dict(values)
        if isinstance(logins := item.get("sender_credentials"), list):
            item["sender_credentials"] = [_without_none(login) for login in logins]
        for key in _CERTIFICATES:
            if isinstance(reference := item.get(key), Mapping):
                item[key] = self._certificate(_without_none(reference), key)
        return item

    def _certificate(self, reference: dict[str, Any], where: str) -> dict[str, Any]:
        if reference.keys() & {"certificate", "key"}:
            raise _unusable(f"{where}: a request names no file; give the PFX in Base64, or a thumbprint")
        if isinstance(pfx := reference.get("pfx"), str):
            self._count += 1
            name = f"{self._count}.pfx"
            (self.folder / name).write_bytes(decoded(pfx, f"{where}: pfx"))
            return {**reference, "pfx": name}
        return reference


@contextmanager
def uploads() -> Iterator[Uploads]:
    """Gone afterwards, and nobody else's to read (0700)."""
    with TemporaryDirectory(prefix="posthouse-") as folder:
        yield Uploads(Path(folder))


def decoded(text: str, field: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise _unusable(f"{field}: it is not Base64; encode the file so") from None


def _unusable(detail: str) -> Refusal:
    return Refusal(HTTPStatus.UNPROCESSABLE_ENTITY, detail)


def _without_none(values: Any) -> Any:
    return {key: value for key, value in values.items() if value is not None} if isinstance(values, Mapping) else values
