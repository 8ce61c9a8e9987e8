"""All cmdlets that a script may call. A family of cmdlets adds its own `Library` here."""

from __future__ import annotations

from posthouse.cmdlets.exchange import EXCHANGE
from posthouse.cmdlets.generic import GENERIC
from posthouse.cmdlets.interface import Library
from posthouse.cmdlets.mail import MAIL

LIBRARY: Library = GENERIC + EXCHANGE + MAIL
