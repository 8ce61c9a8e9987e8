"""`posthouse send`: the test sender."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal

import typer

from posthouse.cli.explain import rows
from posthouse.cli.options import Config, Json, separated, settings_of
from posthouse.cli.output import show_json, show_table
from posthouse.cli.secret import SecretSource

if TYPE_CHECKING:
    from posthouse.analysis import Explanation
    from posthouse.mail import Notify
    from posthouse.net.certificates import Identity
    from posthouse.probe.many import ManyResult
    from posthouse.probe.send import DialogueLine, SendOptions, SendResult

_ADDRESSES: Final = re.compile(r'(?:[^,"<]|"(?:[^"\\]|\\.)*"|<[^>]*>|["<])+')
"""Each of a list; a comma in quotes or in angle brackets is part of an address."""
_REDRAW_SECONDS: Final = 0.1
_STANDARD_INPUT: Final = Path("-")


def _file(*names: str, text: str, exists: bool = True) -> Any:
    return typer.Option(*names, metavar="FILE", help=text, exists=exists, dir_okay=False)


def _variable(*names: str, text: str) -> Any:
    return typer.Option(*names, metavar="VARIABLE", help=text)


Tls = Literal["none", "starttls", "implicit"]
Profile = Literal["modern", "intermediate", "legacy"]
Return = Literal["full", "hdrs"]
Auth = Literal["login", "plain", "xoauth2"]


def send(
    sender: Annotated[str, typer.Option("--from", metavar="ADDRESS", help='The reverse-path; "" is the null one.')],
    to: Annotated[list[str], typer.Option("--to", metavar="ADDRESS", help="A recipient; repeat it for several.")],
    server: Annotated[str, typer.Option(metavar="HOST", help="Where to send it.")] = "",
    mx: Annotated[str, typer.Option(metavar="DOMAIN", help="Send it to the MX of this domain instead.")] = "",
    nameserver: Annotated[
        list[str] | None, typer.Option(metavar="IP[:PORT]", help="Whom to ask for the MX; else as the settings say.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535)] = 25,
    subject: Annotated[str, typer.Option(metavar="TEXT", help="Else “SMTP Relay” and the date.")] = "",
    body: Annotated[str | None, typer.Option(metavar="TEXT", help="Else a line that says it is a test.")] = None,
    body_file: Annotated[Path | None, _file(text="The body's text; - is standard input.", exists=False)] = None,
    html_file: Annotated[Path | None, _file(text="The same as HTML, beside the text.")] = None,
    attach: Annotated[list[Path] | None, _file(text="Repeat it for several.")] = None,
    raw: Annotated[
        Path | None, _file(text="A whole message to send as it is; - is standard input.", exists=False)
    ] = None,
    tls: Annotated[Tls | None, typer.Option(help="Else starttls with a certificate or a user, none without.")] = None,
    tls_profile: Annotated[Profile, typer.Option(help="legacy is TLS 1.0.")] = "intermediate",
    pfx: Annotated[Path | None, _file(text="A client certificate.")] = None,
    certificate: Annotated[Path | None, _file("--certificate", "--cert", text="The same as a PEM chain.")] = None,
    key: Annotated[Path | None, _file(text="Its key.")] = None,
    certificate_password_env: Annotated[
        str, _variable("--certificate-password-env", "--pfx-password-env", text="Holds its password.")
    ] = "",
    certificate_password_file: Annotated[
        Path | None, _file("--certificate-password-file", "--pfx-password-file", text="Its first line is the password.")
    ] = None,
    user: Annotated[str, typer.Option(metavar="NAME", help="Sign in.")] = "",
    auth: Annotated[Auth | None, typer.Option(help="How; else LOGIN or PLAIN, as the server offers.")] = None,
    password_env: Annotated[
        str, _variable("--password-env", "--token-env", text="Holds the user's password, or the token for xoauth2.")
    ] = "",
    password_file: Annotated[
        Path | None, _file("--password-file", "--token-file", text="Its first line is the password or the token.")
    ] = None,
    notify: Annotated[str, typer.Option(metavar="WORDS", help="never, or of success, failure, delay.")] = "",
    ret: Annotated[Return | None, typer.Option(help="What a failure notification returns.")] = None,
    envid: Annotated[str, typer.Option(metavar="TEXT", help="An id that notifications repeat.")] = "",
    source: Annotated[str, typer.Option(metavar="IP", help="The local address to send from.")] = "",
    helo: Annotated[str, typer.Option(metavar="NAME", help="What to call ourselves; else our address.")] = "",
    timeout: Annotated[float, typer.Option(metavar="SECONDS", min=0.1, help="For each step.")] = 60.0,
    count: Annotated[int, typer.Option(metavar="N", min=1, help="Send so many, and sum up.")] = 1,
    concurrency: Annotated[int, typer.Option(metavar="M", min=1, max=1000, help="Over so many connections.")] = 1,
    as_json: Json = False,
    config: Config = None,
) -> None:
    """Send a test mail, and show what the server says to it."""
    from posthouse.mail import Ret
    from posthouse.probe.options import BODY
    from posthouse.probe.send import Attachment, SendOptions

    if body is not None and body_file:
        raise typer.BadParameter("--body and --body-file are two ways to say the same; give one of them")
    password = SecretSource("certificate's password", certificate_password_env, certificate_password_file)
    identity = _identity(pfx, certificate, key, password)
    secret = SecretSource("access token" if auth == "xoauth2" else "password", password_env, password_file)
    text = _text(body_file) if body_file else body
    try:
        options = SendOptions(
            server=server,
            mx=mx,
            nameservers=_nameservers(nameserver, config) if mx else (),
            port=port,
            sender=sender,
            recipients=tuple(_addresses(to)),
            subject=subject,
            body=BODY if text is None else text,
            html=_text(html_file) if html_file else "",
            attachments=tuple(Attachment(file.name, file.read_bytes()) for file in attach or ()),
            raw=_bytes(raw) if raw else None,
            tls=tls or ("starttls" if identity or user else "none"),
            tls_profile=tls_profile,
            identity=identity,
            user=user,
            password=_password(user, secret),
            mechanism=auth.upper() if auth else "",
            notify=_notify(notify),
            ret=Ret[ret.upper()] if ret else None,
            envid=envid or None,
            source=source,
            helo=helo,
            timeout=timeout,
            observe=_tell,
        )
    except ValueError as error:
        raise typer.BadParameter(str(error)) from None
    accepted = _send_one(options, as_json=as_json) if count == 1 else _send_many(options, count, concurrency, as_json)
    if not accepted:
        raise typer.Exit(1)


def _send_one(options: SendOptions, *, as_json: bool) -> bool:
    from posthouse.probe.send import send

    result = send(options)
    if as_json:
        show_json(result.to_json())
    else:
        _show_one(result)
    if result.error is not None:
        _complain(result.error)
    return result.accepted


def _show_one(result: SendResult) -> None:
    if result.replies:
        show_table(("Recipient", "Reply"), ((one.recipient, one.reply) for one in result.replies))
    _explain(result.explanations)


def _send_many(options: SendOptions, count: int, concurrency: int, as_json: bool) -> bool:
    """Ctrl-C ends it, with what was done so far."""
    import asyncio

    from posthouse.probe.many import Tally, send_many

    interrupted = False
    with _progress_bar(count) as draw:
        tally = Tally(count, draw)
        try:
            asyncio.run(send_many(options, tally, concurrency))
        except KeyboardInterrupt:
            interrupted = True
        result = tally.result()
    if as_json:
        show_json(result.to_json())
    else:
        _show_many(result)
    if not result.accepted:
        _complain(_shortcoming(result, interrupted))
    return result.accepted


def _shortcoming(result: ManyResult, interrupted: bool) -> str:
    missing = f"{result.count - result.sent} of {result.count} mails were not sent"
    if interrupted:
        return f"{missing}: interrupted"
    return f"{missing}: {next(iter((*result.refusals, *result.errors)), 'see above')}"


def _show_many(result: ManyResult) -> None:
    latency = result.latency
    show_table(
        ("Mails", str(result.count)),
        (
            ("sent", result.sent),
            ("refused by a reply", result.refused),
            ("connection broken", result.failed),
            ("not tried or unanswered", result.unfinished),
            ("seconds", result.seconds),
            ("messages/s", f"{result.rate:.1f}"),
            *((name, _milliseconds(getattr(latency, name))) for name in ("p50", "p95", "p99")),
            *((f"reply {codes}", number) for codes, number in result.replies.items()),
            *(("refusal", refusal) for refusal in result.refusals),
            *(("error", error) for error in result.errors),
        ),
    )
    _explain(result.explanations)


def _milliseconds(seconds: float | None) -> str:
    return "" if seconds is None else f"{seconds * 1000:.1f} ms"


@contextmanager
def _progress_bar(count: int) -> Iterator[Callable[[int], None]]:
    """On standard error; nothing where that is no terminal."""
    if not sys.stderr.isatty():
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeRemainingColumn

    with Progress(MofNCompleteColumn(), BarColumn(), TimeRemainingColumn(), console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=count)
        drawn = 0.0

        def draw(done: int) -> None:
            nonlocal drawn
            now = time.monotonic()
            if now - drawn > _REDRAW_SECONDS or done == count:
                drawn = now
                bar.update(task, completed=done)

        yield draw


def _explain(explanations: Iterable[Explanation]) -> None:
    for explanation in explanations:
        show_table(("Refused", explanation.reply), rows(explanation))


def _tell(line: DialogueLine) -> None:
    sys.stderr.write(f"{line}\n")


def _complain(problem: str) -> None:
    sys.stderr.write(f"posthouse: {problem}\n")


def _identity(pfx: Path | None, certificate: Path | None, key: Path | None, password: SecretSource) -> Identity | None:
    if pfx and certificate:
        raise typer.BadParameter("--pfx and --certificate are two ways to say the same; give one of them")
    file = pfx or certificate
    given = password.given()
    if file is None:
        if key or given is not None:
            raise typer.BadParameter("--key and a certificate's password need --certificate or --pfx")
        return None
    from posthouse.net.certificates import CertificateError, load_files

    try:
        return load_files(file, key, given)
    except CertificateError as error:
        wants_password = "password" in str(error).removeprefix(f"{file}: ")
        asked = password.asked() if given is None and wants_password else None
        if asked is None:
            raise
    return load_files(file, key, asked)


def _password(user: str, secret: SecretSource) -> str:
    given = secret.given()
    if given is not None or not user:
        return given or ""
    asked = secret.asked()
    if asked is None:
        raise typer.BadParameter(f"--user needs the {secret.what}: name --password-env or --password-file")
    return asked


def _notify(words: str) -> Notify:
    from posthouse.mail import Notify

    try:
        return Notify.parse(words)
    except ValueError as error:
        raise typer.BadParameter(f"--notify: {error}") from None


def _nameservers(named: list[str] | None, config: Path | None) -> tuple[str, ...]:
    return tuple(separated(named or [])) or settings_of(config).delivery.nameservers


def _addresses(texts: list[str]) -> list[str]:
    return [found.strip() for text in texts for found in _ADDRESSES.findall(text) if found.strip()]


def _bytes(file: Path) -> bytes:
    if file == _STANDARD_INPUT:
        return sys.stdin.buffer.read()
    try:
        return file.read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"{file}: {error.strerror}") from None


def _text(file: Path) -> str:
    try:
        return _bytes(file).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file}: no UTF-8 text; save it as UTF-8, or --attach it") from None
