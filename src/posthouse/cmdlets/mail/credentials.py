"""Credentials and secure strings, whose text no script gets to see again.

https://learn.microsoft.com/dotnet/api/system.management.automation.pscredential
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NoReturn

from posthouse.cmdlets.conversion import STRING, SWITCH, ConversionError, PSType
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import Bound, Cmdlet, Context, NetType, Parameter, Services
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import Hashtable, PSObject, Value

_SECURE = "System.Security.SecureString"
_CREDENTIAL = "System.Management.Automation.PSCredential"
_NETWORK = "System.Net.NetworkCredential"
_INTERACTIVE = (
    "nobody can be asked for a password in a script; make one with New-Object "
    "System.Management.Automation.PSCredential($user, (ConvertTo-SecureString $password -AsPlainText -Force))"
)


@dataclass(slots=True, eq=False)
class SecureString(PSObject):
    secret: str = field(default="", repr=False)


@dataclass(slots=True, eq=False)
class Credential(PSObject):
    """A PSCredential or a NetworkCredential."""

    user: str = ""
    password: str = field(default="", repr=False)


def secure(text: str) -> SecureString:
    return SecureString(_SECURE, Hashtable(), _SECURE, setters={}, secret=text)


def plain_text(password: Value) -> str:
    """Of a text or a SecureString."""
    return password.secret if isinstance(password, SecureString) else to_text(password)


def ps_credential(_services: Services, user: Value, password: Value) -> Credential:
    if not isinstance(password, SecureString):
        raise ValueError("The password must be a SecureString; make it with ConvertTo-SecureString -AsPlainText -Force")
    if not to_text(user):
        raise ValueError('Cannot process argument because the value of argument "userName" is not valid.')
    properties = Hashtable({"UserName": to_text(user), "Password": password})
    made = Credential(_CREDENTIAL, properties, _CREDENTIAL, setters={}, user=to_text(user), password=password.secret)
    made.methods = {"GetNetworkCredential": lambda: _network(made.user, made.password)}
    return made


def network_credential(_services: Services, user: Value = "", password: Value = "", domain: Value = "") -> Credential:
    return _network(to_text(user), plain_text(password), to_text(domain))


def _network(user: str, password: str, domain: str = "") -> Credential:
    """Its Password is a SecureString: unlike in .NET it can't be read."""
    properties = Hashtable({"UserName": user, "Domain": domain, "Password": secure(password)})
    return Credential(_NETWORK, properties, _NETWORK, setters={}, user=user, password=password)


def _to_credential(value: Value) -> Value:
    if value is None or isinstance(value, Credential):
        return value
    raise ConversionError(f"A credential is needed: {_INTERACTIVE}")


CREDENTIAL = PSType(_CREDENTIAL, _to_credential)


def convert_to_secure_string(_context: Context, bound: Bound) -> Iterator[Value]:
    if not bound.get("AsPlainText"):
        text = "Encrypted texts belong to the Windows user who made them; add -AsPlainText -Force and give the text."
        raise PSError(text, category="InvalidArgument", error_id="ImportSecureString_InvalidArgument")
    if not bound.get("Force"):
        text = (
            "The system cannot protect plain text input. To suppress this warning and convert the plain text to a "
            "SecureString, reissue the command specifying the Force parameter."
        )
        raise PSError(text, category="InvalidArgument", error_id="ImportSecureString_ForceRequired")
    yield secure(bound["String"])


def get_credential(_context: Context, _bound: Bound) -> NoReturn:
    raise PSError(f"Get-Credential: {_INTERACTIVE}.", category="NotImplemented", error_id="NotInteractive")


CREDENTIALS = (
    Cmdlet(
        "ConvertTo-SecureString",
        (
            Parameter(name="String", type=STRING, position=0, mandatory=True, from_pipeline=True),
            Parameter(name="AsPlainText", type=SWITCH),
            Parameter(name="Force", type=SWITCH),
            Parameter(name="Key", refused="only plain text is read here, with -AsPlainText -Force"),
            Parameter(name="SecureKey", refused="only plain text is read here, with -AsPlainText -Force"),
        ),
        convert_to_secure_string,
        synopsis="Makes a secure string, which never shows its text.",
    ),
    Cmdlet(
        "Get-Credential",
        (
            Parameter(name="Credential", position=0),
            Parameter(name="UserName", type=STRING),
            Parameter(name="Message", type=STRING),
        ),
        get_credential,
        synopsis="Not taken: it would ask for a password.",
    ),
)
CREDENTIAL_TYPES = (
    NetType((_SECURE, "securestring"), lambda _services: secure("")),
    NetType((_CREDENTIAL, "PSCredential"), ps_credential, ("GetNetworkCredential",)),
    NetType((_NETWORK,), network_credential),
)
