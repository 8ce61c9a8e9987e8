"""System.Net.Mail as scripts use it: SmtpClient, MailMessage and what belongs to them.

https://learn.microsoft.com/dotnet/api/system.net.mail
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import partial
from pathlib import PureWindowsPath
from typing import Final

from posthouse.cmdlets.conversion import BOOLEAN, INT, STRING, enumeration
from posthouse.cmdlets.encodings import CHARSET
from posthouse.cmdlets.errors import PSError
from posthouse.cmdlets.interface import NetType, Services
from posthouse.cmdlets.mail import letters
from posthouse.cmdlets.mail.credentials import Credential
from posthouse.cmdlets.mail.letters import Letter
from posthouse.cmdlets.mail.net_objects import flags, setting, warn
from posthouse.cmdlets.mail.sending import Server, send_letter
from posthouse.cmdlets.mail.smtp_words import SmtpFailure
from posthouse.cmdlets.mail.x509 import Certificate
from posthouse.cmdlets.text import to_text
from posthouse.cmdlets.values import ArrayList, Hashtable, PSObject, Value, items
from posthouse.mail import Notify
from posthouse.probe.compose import Attachment, Mailbox

_ADDRESS: Final = "System.Net.Mail.MailAddress"
_MESSAGE: Final = "System.Net.Mail.MailMessage"
_CLIENT: Final = "System.Net.Mail.SmtpClient"
_ATTACHMENT: Final = "System.Net.Mail.Attachment"
DELIVERY_NOTIFICATION = flags(
    "System.Net.Mail.DeliveryNotificationOptions", "None", "OnSuccess", "OnFailure", "Delay", "Never"
)
PRIORITY = enumeration("System.Net.Mail.MailPriority", "Normal", "Low", "High")
_NOTIFY: Final = {
    "None": Notify.ABSENT,
    "OnSuccess": Notify.SUCCESS,
    "OnFailure": Notify.FAILURE,
    "Delay": Notify.DELAY,
    "Never": Notify.NEVER,
}
_MILLISECONDS: Final = 100_000  # SmtpClient.Timeout


def notify_of(options: str) -> Notify:
    """Of `OnSuccess, OnFailure`. Raises ValueError: Never stands alone."""
    found = Notify.ABSENT
    for option in options.split(", ") if options else ():
        found |= _NOTIFY[option]
    if Notify.NEVER in found and found is not Notify.NEVER:
        raise ValueError("Specified argument was out of the range of valid values. Never stands alone.")
    return found


def attachment(services: Services, path: Value) -> Attachment:
    """Of a file that the script may read."""
    name = to_text(path)
    return Attachment(PureWindowsPath(name).name, services.files.read(name))


# Addresses


@dataclass(slots=True, eq=False)
class MailAddress(PSObject):
    mailbox: Mailbox = field(default_factory=lambda: Mailbox(""))


def address(value: Value, name: Value = "") -> MailAddress:
    """Raises `FormatException`."""
    if isinstance(value, MailAddress):
        return value
    found = letters.mailbox(to_text(value))
    found = Mailbox(found.address, to_text(name)) if name else found
    user, _, host = found.address.rpartition("@")
    properties = {"DisplayName": found.name, "User": user, "Host": host, "Address": found.address}
    return MailAddress(_ADDRESS, Hashtable(properties), letters.shown(found), setters={}, mailbox=found)


def _new_address(_services: Services, value: Value, name: Value = "") -> MailAddress:
    return address(value, name)


@dataclass(slots=True, eq=False)
class Addresses(PSObject):
    """A MailAddressCollection."""

    mailboxes: list[Mailbox] = field(default_factory=list[Mailbox])

    @classmethod
    def made(cls) -> Addresses:
        made = cls("System.Net.Mail.MailAddressCollection", Hashtable({"Count": 0}), "", setters={})
        made.methods = {"Add": made.add, "Clear": made.clear}
        return made

    def add(self, value: Value) -> None:
        more = [value.mailbox] if isinstance(value, MailAddress) else letters.mailboxes(to_text(value))
        self._keep([*self.mailboxes, *more])

    def clear(self) -> None:
        self._keep([])

    def _keep(self, those: list[Mailbox]) -> None:
        self.mailboxes = those
        self.properties["Count"] = len(those)
        self.text = ", ".join(map(letters.shown, those))


# Messages


@dataclass(slots=True, eq=False)
class AttachedFile(PSObject):
    attachment: Attachment = field(default_factory=lambda: Attachment("", b""))


def _new_attachment(services: Services, path: Value, content_type: Value = "") -> AttachedFile:
    read = attachment(services, path)
    read = Attachment(read.name, read.content, to_text(content_type))
    methods = {"Dispose": _nothing}
    return AttachedFile(_ATTACHMENT, Hashtable({"Name": read.name}), _ATTACHMENT, methods, setters={}, attachment=read)


def _nothing() -> None:
    """What `Dispose` does: there is nothing that has to be closed."""


def _new_message(services: Services, *given: Value) -> PSObject:
    """Of nothing; of sender and recipients; or of these with subject and body."""
    if len(given) not in (0, 2, 4):
        raise ValueError(f"Cannot find an overload for 'MailMessage' and the argument count: '{len(given)}'.")
    made = PSObject(_MESSAGE, Hashtable(_message_properties()), _MESSAGE, {"Dispose": _nothing}, _MESSAGE_SETTERS)
    files = ArrayList()
    made.properties["Attachments"] = PSObject(
        "System.Net.Mail.AttachmentCollection",
        Hashtable({"Items": files}),
        "",
        {"Add": partial(_attach, services, files), "Clear": files.clear, "Dispose": _nothing},
        {},
    )
    for name, value in zip(("From", "To", "Subject", "Body"), given, strict=False):
        if name == "To":
            made.properties[name].add(value)
        else:
            made.properties[name] = _MESSAGE_SETTERS[name](value)
    return made


def _attach(services: Services, files: ArrayList, value: Value) -> None:
    files.append(value if isinstance(value, AttachedFile) else _new_attachment(services, value))


def _message_properties() -> dict[str, Value]:
    return {
        "From": None,
        "Sender": None,
        **{name: Addresses.made() for name in ("To", "CC", "Bcc", "ReplyToList")},
        "Subject": "",
        "SubjectEncoding": None,
        "Body": "",
        "BodyEncoding": None,
        "IsBodyHtml": False,
        "Priority": "Normal",
        "DeliveryNotificationOptions": "None",
        "Headers": Hashtable(),
    }


_MESSAGE_SETTERS = {
    "From": setting("From", address),
    "Sender": setting("Sender", address),
    "Subject": setting("Subject", STRING.convert),
    "SubjectEncoding": setting("SubjectEncoding", CHARSET.convert),
    "Body": setting("Body", STRING.convert),
    "BodyEncoding": setting("BodyEncoding", CHARSET.convert),
    "IsBodyHtml": setting("IsBodyHtml", BOOLEAN.convert),
    "Priority": setting("Priority", PRIORITY.convert),
    "DeliveryNotificationOptions": setting("DeliveryNotificationOptions", DELIVERY_NOTIFICATION.convert),
}


def _letter(message: PSObject) -> Letter:
    values = message.properties
    sender = values["From"]
    if sender is None:
        raise SmtpFailure("A from address must be specified.", "InvalidOperationException")
    headers = [(to_text(name), to_text(value)) for name, value in values["Headers"].items()]
    if values["Sender"] is not None:
        headers.append(("Sender", to_text(values["Sender"])))
    return Letter(
        sender=sender.mailbox,
        to=values["To"].mailboxes,
        cc=values["CC"].mailboxes,
        bcc=values["Bcc"].mailboxes,
        reply_to=values["ReplyToList"].mailboxes,
        subject=values["Subject"],
        body=values["Body"],
        charset=values["BodyEncoding"] or "",
        subject_charset=values["SubjectEncoding"] or "",
        is_html=values["IsBodyHtml"],
        priority=values["Priority"],
        headers=headers,
        attachments=[one.attachment for one in values["Attachments"].properties["Items"]],
        notify=notify_of(values["DeliveryNotificationOptions"]),
    )


# The client


def _new_client(services: Services, host: Value = "", port: Value = 25) -> PSObject:
    properties = Hashtable(
        {
            "Host": to_text(host),
            "Port": _port(port),
            "EnableSsl": False,
            "Timeout": _MILLISECONDS,
            "UseDefaultCredentials": False,
            "Credentials": None,
            "ClientCertificates": ArrayList(),
        }
    )
    made = PSObject(_CLIENT, properties, _CLIENT, setters={})
    made.methods = {"Send": partial(_send, services, made), "Dispose": _nothing}
    made.setters = {
        "Host": setting("Host", STRING.convert),
        "Port": setting("Port", _port),
        "EnableSsl": setting("EnableSsl", BOOLEAN.convert),
        "Timeout": setting("Timeout", _timeout),
        "Credentials": setting("Credentials", _credential),
        "UseDefaultCredentials": setting("UseDefaultCredentials", partial(_use_default_credentials, made)),
    }
    return made


def _port(value: Value) -> int:
    port = INT.convert(value)
    if not 0 < port < 65536:
        raise ValueError("Specified argument was out of the range of valid values. The port is 1 to 65535.")
    return port


def _timeout(value: Value) -> int:
    """In milliseconds."""
    timeout = INT.convert(value)
    if timeout < 0:
        raise ValueError("Specified argument was out of the range of valid values. The timeout is 0 or more.")
    return timeout


def _credential(value: Value) -> Value:
    if value is None or isinstance(value, Credential):
        return value
    raise ValueError("Credentials are a PSCredential or a System.Net.NetworkCredential.")


def _use_default_credentials(client: PSObject, value: Value) -> bool:
    """As in .NET, setting it forgets what Credentials held. Nobody is signed in here, so $true signs in nobody."""
    client.properties["Credentials"] = None
    return BOOLEAN.convert(value)


def _send(services: Services, client: PSObject, *given: Value) -> None:
    """A message; or sender, recipients, subject and body."""
    try:
        message = given[0] if len(given) == 1 else _new_message(services, *given)
        if not (isinstance(message, PSObject) and message.type_name == _MESSAGE):
            raise ValueError("Value cannot be null. Parameter name: message")
        send_letter(_letter(message), _server(client), services, partial(warn, services))
    except SmtpFailure as failed:
        raise PSError(
            f'Exception calling "Send" with "{len(given)}" argument(s): "{failed.text}"',
            category="NotSpecified",
            error_id=failed.kind,
            exception=failed.exception,
        ) from None


def _server(client: PSObject) -> Server:
    values = client.properties
    credential: Credential | None = values["Credentials"]
    certificates = list(items(values["ClientCertificates"]))
    if not all(isinstance(one, Certificate) for one in certificates):
        raise SmtpFailure("ClientCertificates takes X509Certificate2 objects only.", "InvalidCastException")
    return Server(
        host=values["Host"],
        port=values["Port"],
        is_secure=values["EnableSsl"],
        certificate=certificates[0] if certificates else None,
        user=credential.user if credential else "",
        password=credential.password if credential else "",
        timeout=max(values["Timeout"], 1) / 1000,
    )


NET_MAIL_TYPES = (
    NetType((_CLIENT,), _new_client, ("Send", "Dispose")),
    NetType((_MESSAGE,), _new_message, ("Add", "Clear", "Dispose")),
    NetType((_ADDRESS,), _new_address),
    NetType((_ATTACHMENT,), _new_attachment, ("Dispose",)),
)
