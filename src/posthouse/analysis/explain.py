"""What a reply means: why it happens in a set-up like this one, and what to do.

Pure, like the rest of this room. Whatever the text is, it never raises, and takes time in proportion to its length.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import islice
from typing import Any, Final

from posthouse.analysis.bounce import lines_in, replies_in, replies_in_line
from posthouse.analysis.knowledge import Entry, best
from posthouse.mail import Reply
from posthouse.mail.text import one_line

_ADVICE: Final = 2  # causes and remedies
_LINES: Final = 200  # of a text without codes, looked at for words
_CLEAR: Final = 10  # letters of words that tell without a code that this is a reply
_QUOTED: Final = 5  # replies in another one's words


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

    @property
    def advice(self) -> str:
        """The likeliest of it in a few lines, for people."""
        why = (f"Why: {cause}" for cause in self.causes[:_ADVICE])
        what = (f"What to do: {remedy}" for remedy in self.remedies[:_ADVICE])
        return "\n".join((self.title + ".", *why, *what))

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
    """The replies in a text, explained, best first. Empty where there is none in it.

    The text is a reply, lines of a log or a dialogue, what a mail program shows of a bounce, or a whole bounce message.
    """
    found: dict[Entry, Reply] = {}
    for reply in replies_in(text):
        found.setdefault(best(reply), reply)
    for line in () if found else islice(lines_in(text), _LINES):
        reply = Reply(0, "", line)
        entry = best(reply)
        if entry.said(line.lower()) >= _CLEAR:
            found.setdefault(entry, reply)
    return tuple(_explanation(entry, found[entry]) for entry in sorted(found, key=_rank))


def explain_reply(reply: Reply) -> Explanation:
    """What a reply means; where nothing special is known, what its codes mean in general."""
    quoted = islice(replies_in_line(reply.text), _QUOTED) if best(reply).wraps else ()
    return _explanation(min(map(best, (reply, *quoted)), key=_rank), reply)


def _rank(entry: Entry) -> int:
    """What is special comes first; what only tells of another reply after all special ones."""
    return 2 if entry.is_generic else int(entry.wraps)


def _explanation(entry: Entry, reply: Reply) -> Explanation:
    words = " ".join((f"{reply.code or ''} {reply.enhanced} {one_line(reply.text)}").split())
    return Explanation(words, entry.title, entry.causes, entry.remedies, entry.sources, _is_permanent(reply))


def _is_permanent(reply: Reply) -> bool | None:
    return {"4": False, "5": True}.get((reply.enhanced or str(reply.code))[0])
