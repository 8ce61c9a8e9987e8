"""E-MailRelay: a configuration file, or its command line. https://emailrelay.sourceforge.net/reference.html"""

from __future__ import annotations

import base64
import re
import shlex
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from posthouse.admin.migration.files import Beside
from posthouse.admin.migration.findings import Findings
from posthouse.admin.migration.nexthops import by_octets, nexthop

_OPTIONS = re.findall(
    r"(\S)=([a-z-]+)(:?)",
    """
    q=as-client: y=as-proxy: d=as-server C=client-auth: Y=client-filter: 6=client-interface: j=client-tls
    b=client-tls-connection -=client-tls-required e=close-stderr U=connection-timeout: g=debug D=domain: x=dont-serve
    z=filter: W=filter-timeout: f=forward 1=forward-on-disconnect o=forward-to: -=forward-to-all -=forward-to-some
    H=hidden m=immediate I=interface: l=log N=log-file: -=log-address L=log-time t=no-daemon X=no-smtp n=no-syslog
    i=pid-file: O=poll: B=pop F=pop-auth: J=pop-by-name G=pop-no-delete E=pop-port: p=port: w=prompt-timeout:
    r=remote-clients T=response-timeout: S=server-auth: K=server-tls -=server-tls-connection -=server-tls-required
    M=size: s=spool-dir: k=syslog 9=tls-config: u=user: v=verbose a=admin: Q=admin-terminate A=anonymous
    """,
)
"""Letter, name, and a colon where a value follows."""
_SHORT = {letter: name for letter, name, _ in _OPTIONS}
_SWITCHES = {name for _, name, colon in _OPTIONS if not colon}

_MECHANISMS = {"login", "plain", "cram-md5", "apop", "none"}
_SIDES = ("client", "server")
_OUT = "E-MailRelay forward-to"
_CLIENTS = "E-MailRelay clients"
_LOOPBACK = ["127.0.0.0/8", "::1"]
_PRIVATE = ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", *_LOOPBACK]
_REASONS = {
    "spool-dir": "set data_dir in posthouse.toml",
    "port": "set the address of a listener in posthouse.toml",
    "interface": "set the address of a listener in posthouse.toml",
    "server-tls": "a listener offers STARTTLS by itself",
    "server-tls-certificate": "set certificate of a listener in posthouse.toml",
    "server-tls-connection": 'set tls = "implicit" of a listener in posthouse.toml',
    "domain": "set hostname in posthouse.toml",
    "immediate": "mail is safe on disk before it is accepted, and goes on at once",
    "forward-on-disconnect": "mail goes on at once",
    "forward": "mail goes on at once",
    "poll": "mail goes on at once; set retry_after of [delivery] for what was deferred",
    "as-server": "posthouse serve is that",
    "filter": "mail is not filtered here",
    "client-filter": "mail is not filtered here",
    "address-verifier": "recipients are not verified by programs; mailboxes of a mailbox connector are",
    "verifier": "recipients are not verified by programs; mailboxes of a mailbox connector are",
    "dnsbl": "clients are not looked up in block lists",
    "pop": "there is no POP server",
    "client-tls-certificate": "give it by posthouse connector set outbound NAME --client-certificate FILE",
    "client-tls-verify": "public CAs are known; name your own in trusted_roots of the organization file",
}
_OTHERWISE = "it says nothing of who may send or where mail goes, or has no counterpart"
_COMMAND = re.compile(r"emailrelay\S{0,20}[ \t]+-")
_ESCAPED = re.compile(r"\+([0-9A-F]{2})")


@dataclass(frozen=True, slots=True)
class _Reader:
    options: Mapping[str, str]
    beside: Beside
    findings: Findings
    used: set[str] = field(default_factory=set[str])

    def get(self, name: str) -> str | None:
        self.used.add(name)
        return self.options.get(name)

    def read(self) -> None:
        self._forward()
        self._clients()
        self._client_auth()
        if size := self.get("size"):
            is_number = size.isdecimal() and size.isascii() and len(size) <= 15
            self.findings.set("size", size, "limits", "message_size", int(size) if is_number else size)
        for name in self.options:
            if name not in self.used:
                self.findings.leave(name, self.options[name], _REASONS.get(name, _OTHERWISE))

    def _forward(self) -> None:
        """The next hop of everything. as-proxy and as-client name it too."""
        name = next((name for name in ("forward-to", "as-proxy", "as-client") if self.get(name)), None)
        if name is None:
            return self.findings.leave("forward-to", "", "it is not set: mail would stay in the spool; name a next hop")
        address = self.options[name]
        if (hop := nexthop(address)) is None:
            return self.findings.leave(name, address, "it is no host:port")
        keys = {"recipient_domains": ["*"], "smart_hosts": list(hop.hosts), "port": hop.port}
        if interface := self.get("client-interface"):
            keys["source_address"] = interface
        self.findings.take(name, address, "outbound_connector", _OUT, **keys)
        return self._tls()

    def _tls(self) -> None:
        """client-tls tries STARTTLS, client-tls-required insists, verify names look at the certificate."""
        tries, insists, tunnels, verified = map(
            self.get, ("client-tls", "client-tls-required", "client-tls-connection", "client-tls-verify-name")
        )
        if tunnels is not None:
            reason = "TLS begins with STARTTLS here: use port 587 or 25 of that host"
            self.findings.leave("client-tls-connection", "", reason)
        if verified and verified != "*":
            keys = {"tls_settings": "DomainValidation", "tls_domain": verified}
            self.findings.take("client-tls-verify-name", verified, "outbound_connector", _OUT, **keys)
        elif insists is not None:
            keys = {"tls_settings": "EncryptionOnly"}
            self.findings.take("client-tls-required", "", "outbound_connector", _OUT, **keys)
        elif tries is not None:
            self.findings.take("client-tls", "", "outbound_connector", _OUT, tls_settings="None")

    def _clients(self) -> None:
        """Without remote-clients only this machine may connect, without server-auth whoever connects may relay."""
        remote = self.get("remote-clients") is not None
        if file := self.get("server-auth"):
            self.findings.take("server-auth", file, "inbound_connector", _CLIENTS, connector_type="OnPremises")
            self._server_auth()
        else:
            networks = _PRIVATE if remote else _LOOPBACK
            keys = {"connector_type": "OnPremises", "sender_ip_addresses": networks}
            value = "" if remote else "(not set)"
            self.findings.take("remote-clients", value, "inbound_connector", _CLIENTS, **keys)
            if remote:
                reason = "any client may connect there; here private networks may relay: narrow sender_ip_addresses"
                self.findings.leave("remote-clients", "", reason)
        reason = "E-MailRelay takes any sender; here a sender's domain has to be an accepted one: posthouse domain new"
        self.findings.leave("forward-to", "", reason)

    def _client_auth(self) -> None:
        for kind, user, password in self._secrets("client-auth", "client"):
            if kind == "plain":
                return self.findings.take_credential("client-auth", _OUT, user, password)
        return None

    def _server_auth(self) -> None:
        """A line with `none` trusts addresses: 192.168.0.* or 192.168.0.0/24."""
        trusted: list[str] = []
        for kind, name, password in self._secrets("server-auth", "server"):
            if kind == "none":
                trusted.append(by_octets(name))
            else:
                self.findings.take_login("server-auth", _CLIENTS, name, password)
        if trusted:
            networks = {"sender_ip_addresses": trusted}
            self.findings.take("server-auth: none", trusted, "inbound_connector", _CLIENTS, **networks)

    def _secrets(self, option: str, side: str) -> Iterator[tuple[str, str, str]]:
        """Lines of side, encoding, user and password: see Authentication in the reference. `plain:` has one itself."""
        if not (file := self.get(option)):
            return
        if file in ("/pam", "pam:"):
            return self.findings.leave(option, file, "logins are those of that machine; give devices their own here")
        if file.startswith("plain:"):
            _, user, password, *_ = [*map(_from_base64, file.split(":")), "", ""]
            yield "plain", user, password
            return
        if (text := self.beside.text(file)) is None:
            self.findings.leave(option, file, "it is not beside the configuration, or can't be read; copy it there")
            return
        for number, line in enumerate(text.split("\n"), 1):
            where = f"{file.rpartition('/')[2]}:{number}"
            match _fields(line):
                case [found, kind, user, password, *_] if found == side and kind in _DECODERS:
                    yield kind.removesuffix(":b"), _DECODERS[kind](user), _DECODERS[kind](password)
                case [found, kind, *_] if found == side:
                    reason = "only plain passwords can be used; give this one by hand"
                    self.findings.leave(option, f"{side} {kind}", reason, where=where)
                case [found, *_] if found not in _SIDES:
                    self.findings.leave(option, "", "it is no line of a secrets file", where=where)
                case _:
                    continue


def _fields(line: str) -> list[str]:
    """Side, encoding, user, password. Before version 2 a line began with the mechanism, as `LOGIN client` does."""
    fields = [] if line.lstrip().startswith("#") else line.split()
    words = [field.lower() for field in fields[:2]]
    if len(words) > 1 and words[0] in _MECHANISMS and words[1] in _SIDES:
        words = [words[1], "plain" if words[0] in ("login", "plain") else words[0]]
    return [*words, *fields[2:]]


def read_emailrelay(text: str, beside: Beside, findings: Findings) -> None:
    options: dict[str, str] = {}
    for number, line in enumerate(text.split("\n"), 1):
        for name, value in _options(line.strip()):
            options[name] = value
            findings.lines[name] = number
    _Reader(options, beside, findings).read()


def _options(line: str) -> Iterator[tuple[str, str]]:
    """A line of a file is `option value`; one with the program, or that begins with a dash, is of a command line."""
    if not line or line.startswith("#"):
        return
    if line.startswith("-") or _COMMAND.search(line):
        yield from _command_line(_split(line))
    else:
        name, *value = re.split(r"[\s=]+", line, maxsplit=1)
        yield name, value[0].strip("\"'") if value else ""


def _command_line(words: list[str]) -> Iterator[tuple[str, str]]:
    """`--name value`, `--name=value`, `-n value`, and short switches together: `-rm`."""
    name = ""
    for word in words:
        if word.startswith("--"):
            if name:
                yield name, ""
            name, equals, value = word[2:].partition("=")
            if equals or name in _SWITCHES:
                yield name, value
                name = ""
        elif word.startswith("-") and len(word) > 1:
            if name:
                yield name, ""
            *switches, last = word[1:]
            yield from ((_SHORT.get(letter, letter), "") for letter in switches)
            name = _SHORT.get(last, last)
            if name in _SWITCHES:
                yield name, ""
                name = ""
        elif name:
            yield name, word
            name = ""
    if name:
        yield name, ""


def _split(line: str) -> list[str]:
    try:
        return shlex.split(line.replace("\\", "\\\\"))
    except ValueError:  # a quote that is not closed
        return line.split()


def _xtext(text: str) -> str:
    """RFC 3461 section 4."""
    return _ESCAPED.sub(lambda found: chr(int(found[1], 16)), text)


def _from_base64(text: str) -> str:
    """What is no base64 becomes an empty text, which is no user."""
    try:
        return base64.b64decode(text, validate=True).decode("utf-8")
    except ValueError:
        return ""


_DECODERS: Mapping[str, Callable[[str], str]] = {"plain": _xtext, "none": str, "plain:b": _from_base64}
