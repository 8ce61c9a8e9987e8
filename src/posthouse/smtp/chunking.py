"""BDAT: content in chunks whose octets are counted (RFC 3030 2)."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from posthouse.mail import Reply
from posthouse.smtp.buffer import ReceiveBuffer

_ARGUMENT: Final = re.compile(r"([0-9]{1,20})( +LAST)?", re.IGNORECASE)


@dataclass(slots=True)
class Chunk:
    """One BDAT that is coming in. With a `refusal` its octets are only swallowed."""

    octets: int
    left: int
    is_last: bool
    refusal: Reply | None = None

    @classmethod
    def parse(cls, argument: str) -> Chunk | None:
        match = _ARGUMENT.fullmatch(argument)
        if match is None:
            return None
        octets = int(match[1])
        return cls(octets, octets, match[2] is not None)

    def take(self, buffer: ReceiveBuffer) -> bytes:
        """What there is of the chunk."""
        data = buffer.take(self.left)
        self.left -= len(data)
        return data
