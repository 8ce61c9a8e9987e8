"""Invariant: whatever is in a file, a reader understands it, says why not, or refuses the file in a line for the user.

And what it understood can be applied: merged into any organization it is a valid document, or its problems are named.
"""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from posthouse.admin import AdminError
from posthouse.admin.migration import File, Findings, Format, merged, read_files
from posthouse.admin.migration.files import decoded
from posthouse.organization import OrganizationError, from_document

WORDS = """
mynetworks relayhost transport_maps smtpd_relay_restrictions permit_mynetworks check_client_access inline:{ hash:x
cidr:x $ ${ } ( ) [ ] : ; = , ! # < > / 10.0.0.0/8 ::1 smtp: h:25 --forward-to -o forward-to client-auth server plain
none +2 <Objs> <Obj </ /> <Props> <S N="Name"> <LST> <Ref <IIsSmtpServer Location="/LM/SmtpSvc/1" RelayIpList=
RouteAction= " ' { Name SenderDomains SmartHosts #TYPE \\ é
"""
_PIECES = st.sampled_from([*WORDS.split(), "\n", "\n ", "\0", "\ufeff", "\ud800"])
_TEXTS = st.one_of(st.text(max_size=200), st.lists(_PIECES, max_size=60).map(" ".join), st.lists(_PIECES).map("".join))
_SCALARS = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=20) | st.sampled_from(["*", "a.example", "1.2.3.4"])
)
_KEYS = (
    "Name",
    "SenderDomains",
    "SenderIPAddresses",
    "ConnectorType",
    "RequireTls",
    "SmartHosts",
    "UseMXRecord",
    "Port",
)
_OBJECTS = st.dictionaries(
    st.sampled_from((*_KEYS, "DomainName", "DomainType", "MaxSendSize", "x")), _SCALARS | st.lists(_SCALARS)
)


class Anything:
    def __init__(self, text: str) -> None:
        self._text = text

    def text(self, name: str) -> str | None:
        return self._text or None


def understood(text: str, beside: str, wanted: Format) -> Findings:
    with contextlib.suppress(AdminError):
        return read_files([File("file", text, Anything(beside))], wanted)
    return Findings()


def problems_of(document: dict[str, Any]) -> tuple[str, ...]:
    try:
        from_document(document)
    except OrganizationError as error:
        return error.problems
    return ()


@pytest.mark.parametrize("wanted", Format)
@given(text=_TEXTS, beside=_TEXTS)
def test_any_text(wanted: Format, text: str, beside: str) -> None:
    findings = understood(text, beside, wanted)
    assert all(line.setting.isprintable() and line.reason for line in findings.not_taken)


@given(st.lists(_OBJECTS, max_size=5))
def test_any_objects_of_a_tenant_can_be_merged(objects: list[dict[str, object]]) -> None:
    findings = understood(json.dumps(objects), "", Format.JSON)
    problems = problems_of(merged({}, findings.document, replace=False))
    assert all(": " in problem for problem in problems)


@given(st.binary(max_size=200))
def test_any_octets_are_a_text(content: bytes) -> None:
    assert isinstance(decoded(content), str)


@given(st.text(st.characters(exclude_categories=["Cs"])), st.sampled_from(["utf-8-sig", "utf-16"]))
def test_a_marked_encoding_is_read_as_it_was_written(text: str, encoding: str) -> None:
    assert decoded(text.encode(encoding)) == text
