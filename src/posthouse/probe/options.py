"""What the test sender is told to do."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Final, Literal, get_args

from posthouse.mail import Notify, Ret
from posthouse.net.certificates import Identity
from posthouse.net.dns import DnsError, Resolver
from posthouse.net.tls import Profile
from posthouse.probe.compose import Attachment, Mailbox
from posthouse.probe.dialogue import DialogueLine
from posthouse.smtp.authentication import MECHANISMS

Tls = Literal["none", "starttls", "implicit"]
Observer = Callable[[DialogueLine], None]

BODY: Final = "This is a test email using SMTP Relay"
_MAX_ENVID: Final = 100  # RFC 3461 4.4
_HELO_NAME: Final = re.compile(r"[!-~]*")


@dataclass(frozen=True, slots=True, kw_only=True)
class SendOptions:
    """What to send, to whom, and how. Raises ValueError, with one line, for what makes no sense.

    Where to: `server` (a name or address), or `mx`, a domain whose mail exchangers are looked up, with `nameservers`
    (`ip` or `ip:port`) if any are given; `port`; `source` is the local address to send from.

    What: `sender` and `recipients` are addresses, or `Name <address>`; an empty sender is the null reverse-path. An
    empty `subject` becomes `SMTP Relay - <date>`. `html` is sent beside `body`. `raw` is a whole message instead of
    all that.

    How: `identity` is a client certificate; `trusted_roots` are PEM texts to judge the server's by. `mechanism` is
    LOGIN, PLAIN or XOAUTH2 (`password` is the token then); empty, the server's offer decides. `helo` is what we call
    ourselves, by default our address. `timeout` is in seconds, for each step. `observe` hears each line as it is said.
    """

    sender: str
    recipients: Sequence[str]
    server: str = ""
    mx: str = ""
    nameservers: Sequence[str] = ()
    port: int = 25
    source: str = ""
    subject: str = ""
    body: str = BODY
    html: str = ""
    attachments: Sequence[Attachment] = ()
    raw: bytes | None = None
    tls: Tls = "none"
    tls_profile: Profile = "intermediate"
    identity: Identity | None = field(default=None, repr=False)
    trusted_roots: Sequence[str] = ()
    user: str = ""
    password: str = field(default="", repr=False)
    mechanism: str = ""
    notify: Notify = Notify.ABSENT
    ret: Ret | None = None
    envid: str | None = None
    helo: str = ""
    timeout: float = 60.0
    observe: Observer | None = field(default=None, repr=False)

    def __post_init__(self) -> None:
        for complaint, is_wrong in self._complaints():
            if is_wrong:
                raise ValueError(complaint)
        for address in (self.sender, *self.recipients):
            Mailbox.parse(address)
        if self.source:
            ipaddress.ip_address(self.source)
        if self.nameservers:
            try:
                Resolver(self.nameservers)
            except DnsError as error:
                raise ValueError(str(error)) from None

    def _complaints(self) -> tuple[tuple[str, bool], ...]:
        is_composed = bool(self.subject or self.html or self.attachments or self.body != BODY)
        return (
            ("give either a server or a domain whose MX is to be found", bool(self.server) == bool(self.mx)),
            ("recipients: a sequence of addresses is needed, not one text", isinstance(self.recipients, str)),
            ("recipients: at least one is needed", not self.recipients or "" in self.recipients),
            (f"port {self.port}: it should be 1 to 65535", not 0 < self.port < 65536),
            (f"tls {self.tls}: it should be one of {', '.join(get_args(Tls))}", self.tls not in get_args(Tls)),
            ("a client certificate needs TLS: starttls or implicit", self.identity is not None and self.tls == "none"),
            ("a whole message is sent as it is: no subject, body or attachment", self.raw is not None and is_composed),
            ("a password needs its user", bool(self.password) and not self.user),
            (
                f"AUTH {self.mechanism} is unknown: it should be one of {', '.join(MECHANISMS)}",
                self.mechanism not in ("", *MECHANISMS),
            ),
            (
                f"envid: it should be at most {_MAX_ENVID} printable ASCII characters (RFC 3461 4.4)",
                not _is_envid(self.envid or ""),
            ),
            (f"helo {self.helo!r}: it should be a host name", not _HELO_NAME.fullmatch(self.helo)),
            (f"timeout {self.timeout}: it should be more than 0 seconds", not self.timeout > 0),
        )

    @property
    def target(self) -> str:
        """As remarks and errors name it."""
        return f"{self.server or f'MX of {self.mx}'} port {self.port}"


def _is_envid(text: str) -> bool:
    return len(text) <= _MAX_ENVID and text.isascii() and text.isprintable()
