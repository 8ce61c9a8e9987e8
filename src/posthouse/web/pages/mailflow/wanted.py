"""What is looked for in the trace, as it stands in an address: it can be bookmarked, shared and gone back to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields, replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

from posthouse.spool import State, TraceFilter
from posthouse.web.pages.forms import Errors, Form
from posthouse.web.pages.texts import Texts

_HOUR, _DAY = 3600.0, 86400.0
SPANS: Mapping[str, float] = {"hour": _HOUR, "day": _DAY, "week": 7 * _DAY, "month": 30 * _DAY}
ALWAYS, BETWEEN = "all", "between"
_DEFAULT = "day"


@dataclass(frozen=True, slots=True)
class Wanted:
    """As typed. `when` is one of `SPANS`, `ALWAYS`, or `BETWEEN`: then from `since` to `until`, in UTC."""

    when: str = _DEFAULT
    since: str = ""
    until: str = ""
    sender: str = ""
    recipient: str = ""
    subject: str = ""
    id: str = ""
    status: str = ""
    connector: str = ""
    client: str = ""

    @classmethod
    def of(cls, form: Form) -> Wanted:
        """Times without a word about `when` mean between them."""
        typed = {field.name: form.text(_ADDRESSED.get(field.name, field.name)) for field in fields(cls)}
        when = typed["when"] or (BETWEEN if typed["since"] or typed["until"] else _DEFAULT)
        return cls(**{**typed, "when": when if when in (*SPANS, ALWAYS, BETWEEN) else _DEFAULT})

    def errors(self, text: Texts) -> Errors:
        wrong = {
            name: [text("This is no time; write it like 2026-11-25T10:00.")]
            for name in ("since", "until")
            if self.when == BETWEEN and getattr(self, name) and _moment(getattr(self, name)) is None
        }
        since, until = _moment(self.since), _moment(self.until)
        if self.when == BETWEEN and since is not None and until is not None and since > until:
            wrong["until"] = [text("The end is before the beginning.")]
        return wrong

    def filter(self, now: float) -> TraceFilter:
        """Where there are no errors."""
        since = now - SPANS[self.when] if self.when in SPANS else None
        until = None
        if self.when == BETWEEN:
            since, until = _moment(self.since), _moment(self.until)
        return TraceFilter(
            sender=self.sender,
            recipient=self.recipient,
            since=since,
            until=until,
            state=State(self.status) if self.status in set(State) else None,
            message_id=self.id,
            subject=self.subject,
            connector=self.connector,
            client=self.client,
        )

    def address(self, path: str = "/trace", **more: str) -> str:
        """Of a page of this search, with some of it changed."""
        names = {field.name for field in fields(self)}
        wanted = replace(self, **{name: value for name, value in more.items() if name in names})
        pairs = [*wanted._pairs(), *((name, value) for name, value in more.items() if name not in names)]
        return f"{path}?{urlencode(pairs)}" if pairs else path

    @property
    def is_refined(self) -> bool:
        """Whether it says more than when."""
        return any(getattr(self, field.name) for field in fields(self) if field.name not in ("when", "since", "until"))

    def _pairs(self) -> Iterator[tuple[str, str]]:
        for field in fields(self):
            value: Any = getattr(self, field.name)
            is_time = field.name in ("since", "until")
            if value and value != field.default and (not is_time or self.when == BETWEEN):
                yield _ADDRESSED.get(field.name, field.name), value


_ADDRESSED = {"sender": "from", "recipient": "to"}
"""Fields that addresses call as the commands and the API do."""


def _moment(text: str) -> float | None:
    """As a browser writes a time; in UTC, unless it says otherwise."""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return at.replace(tzinfo=at.tzinfo or UTC).timestamp()
