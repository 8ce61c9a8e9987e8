"""`posthouse send`: the test sender."""

from __future__ import annotations

import enum
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from posthouse.cli.options import Json, NoConfig, separated
from posthouse.cli.output import show_json, show_table

if TYPE_CHECKING:
    from posthouse.mail import Notify
    from posthouse.net.certificates import Identity
    from posthouse.probe.send import DialogueLine, SendResult


def _file(text: str) -> Any:
    return typer.Option(metavar="FILE", help=text, exists=True, dir_okay=False)


class Tls(enum.StrEnum):
    NONE = "none"
    STARTTLS = "starttls"
    IMPLICIT = "implicit"


class Profile(enum.StrEnum):
    MODERN = "modern"
    INTERMEDIATE = "intermediate"
    LEGACY = "legacy"


class Return(enum.StrEnum):
    FULL = "full"
    HDRS = "hdrs"


def send(
    server: Annotated[str, typer.Option(metavar="HOST", help="Where to send it.")],
    sender: Annotated[str, typer.Option("--from", metavar="ADDRESS", help='The reverse-path; "" is the null one.')],
    to: Annotated[list[str], typer.Option("--to", metavar="ADDRESS", help="A recipient; repeat it for several.")],
    port: Annotated[int, typer.Option(min=1, max=65535)] = 25,
    subject: Annotated[str, typer.Option(metavar="TEXT", help="Else “SMTP Relay” and the date.")] = "",
    body: Annotated[str, typer.Option(metavar="TEXT")] = "This is a test email using SMTP Relay",
    attach: Annotated[list[Path] | None, _file("Repeat it for several.")] = None,
    raw: Annotated[Path | None, _file("A whole message to send as it is.")] = None,
    tls: Annotated[Tls | None, typer.Option(help="Else starttls with a certificate or a user, none without.")] = None,
    tls_profile: Annotated[Profile, typer.Option(help="legacy is TLS 1.0.")] = Profile.INTERMEDIATE,
    pfx: Annotated[Path | None, _file("A client certificate.")] = None,
    certificate: Annotated[Path | None, _file("The same as a PEM chain.")] = None,
    key: Annotated[Path | None, _file("Its key.")] = None,
    certificate_password_env: Annotated[
        str, typer.Option("--certificate-password-env", "--pfx-password-env", metavar="VARIABLE", help="Its password.")
    ] = "",
    user: Annotated[str, typer.Option(metavar="NAME", help="Sign in.")] = "",
    password_env: Annotated[str, typer.Option(metavar="VARIABLE", help="Holds the user's password.")] = "",
    notify: Annotated[str, typer.Option(metavar="WORDS", help="never, or of success, failure, delay.")] = "",
    ret: Annotated[Return | None, typer.Option(help="What a failure notification returns.")] = None,
    envid: Annotated[str, typer.Option(metavar="TEXT", help="An id that notifications repeat.")] = "",
    source: Annotated[str, typer.Option(metavar="IP", help="The local address to send from.")] = "",
    helo: Annotated[str, typer.Option(metavar="NAME", help="What to call ourselves; else our address.")] = "",
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="For each step.")] = 60.0,
    as_json: Json = False,
    _config: NoConfig = None,
) -> None:
    """Send a test mail, and show what the server says to it."""
    from posthouse.mail import Ret
    from posthouse.probe import send as probe

    identity = _identity(pfx, certificate, key, _secret(certificate_password_env))
    signs_in = identity is not None or bool(user)
    options = probe.SendOptions(
        server=server,
        port=port,
        sender=sender,
        recipients=tuple(separated(to)),
        subject=subject,
        body=body,
        attachments=tuple(probe.Attachment(file.name, file.read_bytes()) for file in attach or ()),
        raw=raw.read_bytes() if raw else None,
        tls=(tls or (Tls.STARTTLS if signs_in else Tls.NONE)).value,
        tls_profile=tls_profile.value,
        identity=identity,
        user=user,
        password=_secret(password_env) or "",
        notify=_notify(notify),
        ret=Ret[ret.name] if ret else None,
        envid=envid or None,
        source=source or None,
        helo=helo,
        timeout=timeout,
    )
    result = probe.send(options, _tell)
    _show(result, as_json=as_json)
    if result.error is not None:
        sys.stderr.write(f"posthouse: {result.error}\n")
        raise typer.Exit(1)


def _tell(line: DialogueLine) -> None:
    sys.stderr.write(f"{line}\n")


def _show(result: SendResult, *, as_json: bool) -> None:
    if as_json:
        show_json({"accepted": result.accepted, **asdict(result)})
    elif result.replies:
        show_table(("Recipient", "Reply"), ((one.recipient, one.reply) for one in result.replies))


def _identity(pfx: Path | None, certificate: Path | None, key: Path | None, password: str | None) -> Identity | None:
    if pfx and certificate:
        raise typer.BadParameter("--pfx and --certificate are two ways to say the same; give one of them")
    file = pfx or certificate
    if file is None:
        return None
    from posthouse.net.certificates import load_files

    return load_files(file, key, password)


def _secret(variable: str) -> str | None:
    if variable and variable not in os.environ:
        raise typer.BadParameter(f"the environment has no {variable}; set it to the password")
    return os.environ.get(variable)


def _notify(words: str) -> Notify:
    from posthouse.mail import Notify

    try:
        return Notify.parse(words)
    except ValueError as error:
        raise typer.BadParameter(f"--notify: {error}") from None
