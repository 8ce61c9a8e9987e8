"""What `admin` says, in the words of the cmdlets: `sender_ip_addresses` is SenderIPAddresses, `false` is $false."""

from __future__ import annotations

import re

from posthouse.admin.errors import AdminError, AlreadyThere, Forbidden, NotFound
from posthouse.admin.spelling import cmdlet_spelling
from posthouse.cmdlets.errors import PSError

_TOKEN = re.compile(r'\["([^"]*)"\]|"[^"]*"|\b[a-z]+(?:_[a-z]+)+\b|\b(?:true|false)\b')
_NUMBERED = re.compile(r"[a-z_]+ \d+: ")
"""What an item is called that has no proper name."""
_KEY = re.compile(r"[a-z_]+(?=: )")
_SPELLED = {
    "type": "DomainType",
    "message_size": "MaxSendSize",
    "recipients": "MaxRecipientEnvelopeLimit",
    "give_up_after": "MessageExpiration",
}
_PHRASES = {
    "set password_env to the variable that holds it": "give both: @{User='…'; Password='…'}",
    "give its file with pfx": "give it: @{Pfx='cert.pfx'; Password='…'}",
}
"""What to do in an organization file, and what with a cmdlet instead."""

_CATEGORIES: tuple[tuple[type[AdminError], str, str], ...] = (
    (NotFound, "NotSpecified", "ManagementObjectNotFoundException"),
    (AlreadyThere, "NotSpecified", "ADObjectAlreadyExistsException"),
    (Forbidden, "PermissionDenied", "CmdletAccessDeniedException"),
    (AdminError, "InvalidArgument", "TaskArgumentException"),
)


def worded(line: str, item: str = "") -> str:
    """`item` is what the cmdlet works on, like `inbound_connector "Relay"`: it needs no saying."""
    line = line.removeprefix(f"{item}: ").removeprefix("limits: ").removeprefix("delivery: ")
    if numbered := _NUMBERED.match(line):
        line = line[numbered.end() :]
    if key := _KEY.match(line):
        line = spelled(key[0]) + line[key.end() :]
    for phrase, instead in _PHRASES.items():
        line = line.replace(phrase, instead)
    return _TOKEN.sub(_worded_token, line)


def spelled(key: str) -> str:
    return _SPELLED.get(key) or cmdlet_spelling(key)


def _worded_token(match: re.Match[str]) -> str:
    token = match[0]
    if token.startswith("["):
        return f'"{match[1]}"'
    if token.startswith('"'):
        return token
    return f"${token}" if token in ("true", "false") else spelled(token)


def errors_of(error: AdminError, target: str, item: str = "") -> list[PSError]:
    """One for each line, so that all that is wrong is told at once."""
    kind, category, name = next(known for known in _CATEGORIES if isinstance(error, known[0]))
    return [
        PSError(
            line if kind in (NotFound, Forbidden) else worded(line, item),
            category=category,
            error_id=name,
            exception=f"Microsoft.Exchange.Configuration.Tasks.{name}",
            target=target,
        )
        for line in error.lines
    ]
