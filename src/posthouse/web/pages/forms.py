"""What a form sends, by GET or by POST, and what is wrong with it."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from fastapi import Request
from starlette.exceptions import HTTPException

from posthouse.admin import AdminError
from posthouse.mail.text import one_line
from posthouse.web.problems import Refusal

NOWHERE = Path("/nonexistent")
"""Where a change's references to files lead: a form may name none."""

_MOST_FIELDS = 5000
_MOST_FILES = 10
_OF_FIELD = re.compile(r'(?:[a-z_]+ (?:".*?"|[0-9]+): )?([a-z_]+): (.*)')

Errors = Mapping[str, Sequence[str]]
"""Texts by the field that they are about; by `""` those that are about none."""


class Form:
    """The fields of one form, as texts, and the files that came with it."""

    def __init__(self, pairs: Sequence[tuple[str, str]], files: Mapping[str, bytes] | None = None) -> None:
        self._files = files or {}
        self._values: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in pairs:
            self._values[name].append(value)

    def __contains__(self, name: str) -> bool:
        return name in self._values

    def text(self, name: str, default: str = "") -> str:
        """The last value of this name: a checkbox stands after the hidden field that says it is off."""
        return self._values[name][-1].strip() if name in self._values else default

    def secret(self, name: str) -> str:
        """A password, as it was typed."""
        return self._values[name][-1] if name in self._values else ""

    def file(self, name: str) -> bytes:
        """What is in it; nothing where none was chosen."""
        return self._files.get(name, b"")

    def flag(self, name: str, *, default: bool = False) -> bool:
        return self.text(name) == "1" if name in self._values else default

    def several(self, name: str, default: Sequence[str] = ()) -> tuple[str, ...]:
        """All values of this name, a line for each; what is empty or there already counts for nothing."""
        if name not in self._values:
            return tuple(default)
        lines = (line.strip() for value in self._values[name] for line in value.splitlines())
        return tuple(dict.fromkeys(line for line in lines if line))


def query_form(request: Request) -> Form:
    return Form(_pairs(request.url.query))


async def body_form(request: Request) -> Form:
    """Raises `Refusal` for what no form sends."""
    match request.headers.get("content-type", "").partition(";")[0].strip().lower():
        case "application/x-www-form-urlencoded":
            return Form(_pairs((await request.body()).decode("utf-8", "replace")))
        case "multipart/form-data":
            return await _form_with_files(request)
        case _:
            raise Refusal(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "send the form as its page does")


def with_query(path: str, **fields: str) -> str:
    given = {name: value for name, value in fields.items() if value}
    return f"{path}?{urlencode(given)}" if given else path


def errors_of(error: AdminError) -> dict[str, list[str]]:
    """By the keys that the organization's checks name."""
    errors: defaultdict[str, list[str]] = defaultdict(list)
    for line in error.lines:
        found = _OF_FIELD.fullmatch(line)
        errors[found[1] if found else ""].append(found[2] if found else line)
    return dict(errors)


async def _form_with_files(request: Request) -> Form:
    """RFC 7578. How much a request may hold, the guard says."""
    try:
        async with request.form(max_files=_MOST_FILES, max_fields=_MOST_FIELDS) as sent:
            texts = [(name, value) for name, value in sent.multi_items() if isinstance(value, str)]
            files = {name: await value.read() for name, value in sent.multi_items() if not isinstance(value, str)}
    except HTTPException as error:
        raise Refusal(HTTPStatus.BAD_REQUEST, f"the form can't be read: {one_line(str(error.detail))}") from None
    return Form(texts, files)


def _pairs(text: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(text, keep_blank_values=True, max_num_fields=_MOST_FIELDS)
    except ValueError:
        raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "the form has too many fields; leave some out") from None
