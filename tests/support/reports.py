"""Reads a delivery status notification as its receiver would, and takes nothing that the RFCs don't allow.

RFC 6522 for the three parts, RFC 3464 for the fields, RFC 3834 for the header.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime
from typing import cast

Fields = dict[str, str]

_MESSAGE_FIELDS = {"Original-Envelope-Id", "Reporting-MTA", "Arrival-Date"}
_RECIPIENT_FIELDS = {
    "Original-Recipient",
    "Final-Recipient",
    "Action",
    "Status",
    "Remote-MTA",
    "Diagnostic-Code",
    "Last-Attempt-Date",
    "Will-Retry-Until",
}
_TYPED = {"Reporting-MTA", "Remote-MTA", "Original-Recipient", "Final-Recipient", "Diagnostic-Code"}
_DATES = {"Arrival-Date", "Last-Attempt-Date", "Will-Retry-Until"}
_CLASSES = {"failed": "5", "delayed": "4", "delivered": "2", "relayed": "2"}
_RETURNED = {"message/rfc822", "message/global", "text/rfc822-headers", "message/global-headers"}


@dataclass(frozen=True)
class Report:
    """`about` are the fields of the whole message, `recipients` those of each; `returned` what is quoted of it."""

    header: EmailMessage
    text: str
    about: Fields
    recipients: list[Fields]
    returned: bytes
    is_whole: bool

    @property
    def actions(self) -> dict[str, str]:
        """`{"b@example.net": "failed 5.1.1"}`"""
        return {
            fields["Final-Recipient"].partition("; ")[2]: f"{fields['Action']} {fields['Status']}"
            for fields in self.recipients
        }


def read_report(raw: bytes) -> Report:
    """A mail as it lies in a mailbox. Fails where it is no report as it should be."""
    assert b"\n" not in raw.replace(b"\r\n", b"")
    assert b"\r" not in raw.replace(b"\r\n", b"")
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    mail = cast("EmailMessage", message_from_bytes(raw, policy=policy.default))
    assert [part.defects for part in mail.walk()] == [[] for _ in mail.walk()]
    _check_header(mail)
    text, status, returned = cast("list[EmailMessage]", mail.get_payload())
    assert text.get_content_type() == "text/plain"
    assert status.get_content_type() in ("message/delivery-status", "message/global-delivery-status")
    assert returned.get_content_type() in _RETURNED
    about, *recipients = _groups(_body_of(raw, mail.get_boundary(), 1))
    assert recipients
    _check_fields(about, _MESSAGE_FIELDS, {"Reporting-MTA"})
    for fields in recipients:
        _check_recipient(fields)
    is_whole = returned.get_content_type() in ("message/rfc822", "message/global")
    return Report(mail, text.get_content(), about, recipients, _body_of(raw, mail.get_boundary(), 2), is_whole)


def _check_header(mail: EmailMessage) -> None:
    assert mail["Return-Path"] == "<>"  # RFC 3464 2
    assert mail.get_content_type() == "multipart/report"
    assert mail.get_param("report-type") == "delivery-status"
    assert mail["MIME-Version"] == "1.0"
    assert mail["Auto-Submitted"] == "auto-replied"
    for name in ("From", "To", "Subject", "Date", "Message-ID"):
        assert len(mail.get_all(name, [])) == 1, name


def _check_recipient(fields: Fields) -> None:
    _check_fields(fields, _RECIPIENT_FIELDS, {"Final-Recipient", "Action", "Status"})
    assert re.fullmatch(r"[245]\.\d{1,3}\.\d{1,3}", fields["Status"])
    assert fields["Status"][0] == _CLASSES[fields["Action"]]
    assert ("Will-Retry-Until" in fields) == (fields["Action"] == "delayed")


def _check_fields(fields: Fields, allowed: set[str], required: set[str]) -> None:
    assert required <= fields.keys() <= allowed
    for name in fields.keys() & _TYPED:
        assert re.fullmatch(r"[\w-]+; \S.*", fields[name]), fields[name]
    for name in fields.keys() & _DATES:
        assert parsedate_to_datetime(fields[name]).tzinfo


def _body_of(raw: bytes, boundary: str | None, number: int) -> bytes:
    """The content of a part, byte by byte as it was sent."""
    assert boundary
    part = raw.split(f"--{boundary}".encode())[1 + number]
    return part.partition(b"\r\n\r\n")[2].removesuffix(b"\r\n")


def _groups(body: bytes) -> list[Fields]:
    groups = [group for group in body.decode().split("\r\n\r\n") if group.strip()]
    return [_fields(group) for group in groups]


def _fields(group: str) -> Fields:
    lines = re.sub(r"\r\n[ \t]+", " ", group.strip("\r\n")).split("\r\n")
    pairs = [line.partition(": ") for line in lines]
    fields = {name: value for name, _, value in pairs}
    assert len(fields) == len(lines), f"a field comes twice in {lines}"
    return fields
