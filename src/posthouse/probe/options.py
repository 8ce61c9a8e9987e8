"""What the test sender is told to do."""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterator, Sequence
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
        for is_wrong, complaint in (*self._place_complaints(), *self._mail_complaints(), *self._login_complaints()):
            if is_wrong:
                raise ValueError(complaint)
        for address in (self.sender, *self.recipients):
            Mailbox.parse(address)
        if self.nameservers:
            try:
                Resolver(self.nameservers)
            except DnsError as error:
                raise ValueError(str(error)) from None

    def _place_complaints(self) -> Iterator[tuple[bool, str]]:
        yield bool(self.server) == bool(self.mx), "give either a server or a domain whose MX is to be found"
        yield not 0 < self.port < 65536, f"port {self.port}: it should be 1 to 65535"
        yield self.tls not in get_args(Tls), f"tls {self.tls}: it should be one of {', '.join(get_args(Tls))}"
        yield (
            self.tls_profile not in get_args(Profile),
            f"tls_profile {self.tls_profile}: it should be one of {', '.join(get_args(Profile))}",
        )
        yield bool(self.source) and not is_address(self.source), f"source {self.source}: it should be an IP address"
        yield not _HELO_NAME.fullmatch(self.helo), f"helo {self.helo!r}: it should be a host name"
        yield not self.timeout > 0, f"timeout {self.timeout}: it should be more than 0 seconds"

    def _mail_complaints(self) -> Iterator[tuple[bool, str]]:
        yield isinstance(self.recipients, str), "recipients: a sequence of addresses is needed, not one text"
        yield not self.recipients or "" in self.recipients, "recipients: at least one is needed, and none may be empty"
        is_composed = self.subject or self.html or self.attachments or self.body != BODY
        yield (
            self.raw is not None and bool(is_composed),
            "a whole message is sent as it is: there can be no subject, body or attachment beside it",
        )
        texts = (self.sender, *self.recipients, self.subject, self.body, self.html)
        yield not _is_unicode("".join(texts)), "the mail's text is not valid Unicode; is it in another encoding?"
        yield (
            not _is_envid(self.envid or ""),
            f"envid: it should be at most {_MAX_ENVID} printable ASCII characters (RFC 3461 4.4)",
        )

    def _login_complaints(self) -> Iterator[tuple[bool, str]]:
        yield self.identity is not None and self.tls == "none", "a client certificate needs TLS: starttls or implicit"
        yield bool(self.password or self.mechanism) and not self.user, "signing in needs its user"
        yield (
            self.mechanism not in ("", *MECHANISMS),
            f"AUTH {self.mechanism} is unknown: it should be one of {', '.join(MECHANISMS)}",
        )

    @property
    def target(self) -> str:
        """As remarks and errors name it."""
        return f"{self.server or f'MX of {self.mx}'} port {self.port}"


def is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


def _is_envid(text: str) -> bool:
    return len(text) <= _MAX_ENVID and text.isascii() and text.isprintable()


def _is_unicode(text: str) -> bool:
    """Half a surrogate pair is what Python makes of bytes that it could not read."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
