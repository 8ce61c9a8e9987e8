"""What a reply means: why it happens in a set-up like this one, and what to do.

Pure, like the rest of this room. Whatever the text is, it never raises, and takes time in proportion to its length.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from posthouse.analysis.bounce import replies_in
from posthouse.analysis.knowledge import Entry, best
from posthouse.mail import Reply
from posthouse.mail.text import one_line


@dataclass(frozen=True, slots=True)
class Explanation:
    """What is known about a reply. Causes and remedies have the likeliest first; `sources` are pages.

    `permanent` says whether the reply is final; None where it doesn't tell.
    """

    reply: str
    title: str
    causes: tuple[str, ...]
    remedies: tuple[str, ...]
    sources: tuple[str, ...]
    permanent: bool | None

    def to_json(self) -> dict[str, Any]:
        return {
            "reply": self.reply,
            "title": self.title,
            "causes": list(self.causes),
            "remedies": list(self.remedies),
            "sources": list(self.sources),
            "permanent": self.permanent,
        }


def explain(text: str | bytes) -> tuple[Explanation, ...]:
    """The replies in a text, explained, best first.

    The text is a reply, some lines of a log or a dialogue, what Outlook shows of a bounce, or a whole bounce message.
    """
    found = {entry: reply for reply in reversed([*replies_in(text)]) for entry in (best(reply),)}
    return tuple(_explanation(entry, reply) for entry, reply in found.items())


def explain_reply(reply: Reply) -> Explanation:
    """What a reply means; where nothing special is known, what its codes mean in general."""
    return _explanation(best(reply), reply)


def _explanation(entry: Entry, reply: Reply) -> Explanation:
    return Explanation(
        one_line(str(reply)), entry.title, entry.causes, entry.remedies, entry.sources, _is_permanent(reply)
    )


def _is_permanent(reply: Reply) -> bool | None:
    return {"4": False, "5": True}.get((reply.enhanced or str(reply.code))[0])
