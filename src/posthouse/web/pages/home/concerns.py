"""What concerns say to people, and where they lead."""

from __future__ import annotations

from dataclasses import dataclass

from posthouse.admin import Concern, ConcernKind
from posthouse.web.pages import shown
from posthouse.web.pages.texts import Texts


@dataclass(frozen=True, slots=True)
class Said:
    """`kind` is one of `ui.note`. `path` leads to where something can be done about it, if it is a page."""

    kind: str
    title: str
    hint: str
    path: str


def said(concern: Concern, text: Texts) -> Said:
    title, hint, path = (_of_node(concern, text) or _of_organization(concern, text)) or _of_mail(concern, text)
    return Said(concern.gravity.value, title, hint, path)


def _of_node(concern: Concern, text: Texts) -> tuple[str, str, str] | None:
    number = concern.number
    match concern.kind:
        case ConcernKind.NO_WORKER:
            return text("No worker runs"), text("No mail is taken or sent. See the log of posthouse serve."), ""
        case ConcernKind.FEW_WORKERS:
            hint = text("The others are started again by themselves; see the log of posthouse serve.")
            return text.count("Only {count} worker runs", "Only {count} workers run", number), hint, ""
        case ConcernKind.BEHIND:
            title = text.count(
                "{count} worker has an older organization in force",
                "{count} workers have an older organization in force",
                number,
            )
            return title, text("That ends within a second; if it doesn't, see the log of posthouse serve."), ""
        case ConcernKind.DISK_FULL:
            title = text("All mail is refused: only {count} MiB are free on disk", count=number)
            return title, text("Free some space, or lower min_free."), "/settings"
        case ConcernKind.DISK_LOW:
            title = text("Only {count} MiB are free on disk", count=number)
            return title, text("Below min_free all mail is refused. Free some space."), "/settings"
        case ConcernKind.CERTIFICATE_EXPIRED:
            title = text("The certificate of {name} has expired", name=concern.subject)
            return title, text("Renew it."), ""
        case ConcernKind.CERTIFICATE_EXPIRES:
            title = text.count(
                "The certificate of {name} expires in {count} day",
                "The certificate of {name} expires in {count} days",
                number,
                name=concern.subject,
            )
            return title, text("Renew it in time."), ""
        case _:
            return None


def _of_organization(concern: Concern, text: Texts) -> tuple[str, str, str] | None:
    name = concern.subject
    listed = f"/connectors?q={shown.segment(name)}"
    match concern.kind:
        case ConcernKind.NO_DOMAIN:
            title = text("There is no accepted domain")
            return title, text("Add yours: without one nobody may relay."), "/domains"
        case ConcernKind.NO_INBOUND:
            title = text("No inbound connector is on")
            return title, text("Make one for the devices or servers that may send to everybody."), "/connectors"
        case ConcernKind.NO_OUTBOUND:
            title = text("No outbound connector is on")
            return title, text("Mail is taken, but none leaves. Make one."), "/connectors"
        case ConcernKind.MATCHES_NOBODY:
            title = text("Connector {name} matches nobody", name=name)
            hint = text("Give it addresses, a certificate or a login, or turn it off.")
            return title, hint, listed
        case ConcernKind.CARRIES_NOTHING:
            title = text("Connector {name} carries nothing", name=name)
            return title, text("Say whose mail leaves by it, or turn it off."), listed
        case ConcernKind.UNUSABLE:
            title = text("Connector {name} can't be used", name=name)
            return title, text("Its certificate or password can't be read. Give it anew."), listed
        case ConcernKind.PASSWORDS_END:
            return (*_passwords(concern, text), listed)
        case _:
            return None


def _passwords(concern: Concern, text: Texts) -> tuple[str, str]:
    hint = text("Have it sign in to Microsoft 365 as an application, or be known there by its address or certificate.")
    if concern.number < 0:
        title = text("Connector {name} signs in by a password, which Microsoft 365 takes no more", name=concern.subject)
        return title, hint
    title = text.count(
        "Connector {name} signs in by a password; Microsoft 365 takes none in {count} day",
        "Connector {name} signs in by a password; Microsoft 365 takes none in {count} days",
        concern.number,
        name=concern.subject,
    )
    return title, hint


def _of_mail(concern: Concern, text: Texts) -> tuple[str, str, str]:
    if concern.kind is ConcernKind.QUEUE_GROWS:
        title = text("The queue grows: {count} recipients of the last quarter of an hour wait", count=concern.number)
        return title, text("See what they wait for."), "/queue"
    title = text("The oldest message has waited for {time}", time=shown.duration(concern.number))
    return title, text("See what it waits for, and when it is tried again."), "/queue"
