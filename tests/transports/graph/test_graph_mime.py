"""Taking a message apart, as pure functions: nothing gets lost or changed, whatever the pieces that it comes in."""

from __future__ import annotations

import base64
import binascii
import email.policy
import time
from collections.abc import Iterator
from email.message import EmailMessage

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from posthouse.transports.graph.decoding import decoder
from posthouse.transports.graph.fields import part_fields
from posthouse.transports.graph.outline import NotSeparable, outline
from posthouse.transports.graph.separation import separate

POLICY = email.policy.SMTP
BODIES = st.binary(min_size=1, max_size=300)
PART = b"\r\n--b\r\nContent-Type: a/b"
HEADER = b"Subject: x\r\nMIME-Version: 1.0\r\nContent-Type: multipart/mixed; boundary=b\r\n\r\n"


NESTED = (
    b"--b\r\nContent-Type: multipart/mixed; boundary=bb\r\n\r\n--bb\r\nContent-Type: a/b\r\n\r\nxxx\r\n--b\r\n"
    b"Content-Type: a/b\r\n\r\nyyyy\r\n--b--\r\n"
)


def cut(whole: bytes, step: int) -> Iterator[bytes]:
    return (whole[start : start + step] for start in range(0, len(whole), step))


def taken_apart(whole: bytes, limit: int, step: int) -> tuple[bytes, dict[str, bytes]]:
    """The rest, and the files by name."""
    separation = separate(outline(cut(whole, step)), len(whole), limit)
    files: dict[str, bytes] = {}
    for fragment in separation.fragments(cut(whole, step), 100):
        files[fragment.file.name] = files.get(fragment.file.name, b"") + b"".join(fragment.pieces)
    return separation.rest(cut(whole, step)), files


def attachments(message: EmailMessage) -> dict[str, bytes]:
    parts = (part for part in message.walk() if part.get_filename())
    return {part.get_filename() or "": part.get_payload(decode=True) for part in parts}


@settings(deadline=None, max_examples=50)
@given(st.lists(BODIES, min_size=1, max_size=4), st.integers(300, 3000), st.integers(1, 500), st.booleans())
def test_each_attachment_is_in_the_rest_or_a_file(bodies: list[bytes], limit: int, step: int, is_page: bool) -> None:
    message = EmailMessage()
    message["Subject"] = "x"
    message.set_content("text\n")
    if is_page:
        message.add_alternative("<p>text", "html")
    for number, body in enumerate(bodies):
        message.add_attachment(body, "application", "pdf", filename=f"{number}.pdf")
    whole = message.as_bytes(policy=POLICY)
    try:
        rest, files = taken_apart(whole, limit, step)
    except NotSeparable:
        return
    assert len(rest) <= limit or len(whole) <= limit
    left = email.message_from_bytes(rest, policy=POLICY)
    assert attachments(left) | files == {f"{number}.pdf": body for number, body in enumerate(bodies)}
    assert left.get_body(("plain",)).get_content() == "text\r\n"
    assert left.defects == []


@pytest.mark.parametrize("step", [1, 2, 7, 1000])
@pytest.mark.parametrize(
    ("body", "names"),
    [
        (b"preamble\r\n--b\r\n\r\ntext\r\n--b\r\nContent-Type: a/b\r\n\r\nxxxxx\r\n--b--\r\nepilogue --b\r\n", [5]),
        (b"--b\r\nContent-Type: a/b\r\n\r\nxxxxx\r\n--b  \r\nContent-Type: a/b\r\n\r\nyy\r\n--b--", [5, 2]),
        (b"--b\r\nContent-Type: a/b\r\n\r\nno end: \r\n--bb\r\n--b", [14]),
        (b"--b\r\nContent-Type: a/b\r\n\r\n\r\n--b\r\nContent-Type: a/b\r\n\r\n--b--\r\n", [0, 0]),
        (NESTED, [3, 4]),
        (b"--b\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\neHh4\r\neA==\r\n--b--\r\n", [4]),
    ],
)
def test_where_parts_begin_and_end(body: bytes, names: list[int], step: int) -> None:
    found = outline(cut(HEADER + body, step))
    assert [part.size for part in found.parts if part.is_attachable] == names


@given(st.binary(max_size=200), st.integers(1, 50))
def test_base64_in_pieces(body: bytes, step: int) -> None:
    text = base64.encodebytes(body).replace(b"\n", b"\r\n")
    undo = decoder("base64")
    assert undo is not None
    assert b"".join(map(undo.feed, cut(text, step))) + undo.close() == body


@given(st.binary(max_size=200), st.integers(1, 50))
def test_quoted_printable_in_pieces(body: bytes, step: int) -> None:
    text = binascii.b2a_qp(body, istext=False).replace(b"\n", b"\r\n")
    undo = decoder("quoted-printable")
    assert undo is not None
    assert b"".join(map(undo.feed, cut(text, step))) + undo.close() == body


@given(
    st.lists(st.sampled_from([b"=", b"4", b"3D", b"\r\n", b"x", b" "]), max_size=20).map(b"".join), st.integers(1, 9)
)
def test_quoted_printable_that_is_none_is_the_same_in_pieces_of_any_size(text: bytes, step: int) -> None:
    """Its size is told to Graph before it is read once more, in other pieces."""
    undo, at_once = decoder("quoted-printable"), decoder("quoted-printable")
    assert undo is not None
    assert at_once is not None
    assert b"".join(map(undo.feed, cut(text, step))) + undo.close() == at_once.feed(text) + at_once.close()


@pytest.mark.parametrize("text", [b"QQ", b"Q", b"QUI=QUI=", b"Q!U?I\x00=", b"====", b""])
def test_base64_that_is_none(text: bytes) -> None:
    undo = decoder("base64")
    assert undo is not None
    assert undo.feed(text) + undo.close() in (b"A", b"AB", b"")


LINES = [b"--b", b"--b--", b"--c", b"--", b"\r\n", b"\r\n\r\n", b": ", b"x", b"=", b" "]
TYPES = [b"multipart/mixed; boundary=b", b"multipart/mixed; boundary=c", b"a/b"]
TOKENS = st.sampled_from([*LINES, *(b"Content-Type: %b\r\n" % each for each in TYPES)])


@given(st.lists(TOKENS, max_size=30).map(b"".join), st.integers(1, 20))
def test_whatever_comes_the_pieces_make_no_difference(body: bytes, step: int) -> None:
    whole = HEADER + body
    assert outline(cut(whole, step)) == outline([whole])


@given(st.binary(max_size=300))
def test_fields_never_raise(value: bytes) -> None:
    flat = value.replace(b"\n", b" ").replace(b"\r", b" ")
    part_fields(
        b"Content-Type: " + flat + b"\r\nContent-Disposition: " + flat + b"\r\nContent-ID: " + flat + b"\r\n\r\n"
    )


@pytest.mark.parametrize(
    "disposition",
    [
        b"attachment; filename*=u\x00f'x'b",
        b"attachment; filename*=no-such-charset''%ff%00",
        b"attachment; filename*%b=x; filename*0=y" % (b"9" * 5000),
    ],
)
def test_names_that_the_email_package_breaks_on(disposition: bytes) -> None:
    block = b"Content-Type: application/pdf\r\nContent-Disposition: " + disposition + b"\r\n\r\n"
    assert part_fields(block).type == "application/pdf"


def test_a_multipart_that_can_not_be_read_is_no_file() -> None:
    long = b"b" * 75
    head = b"Content-Type: multipart/mixed; boundary=" + long + b"\r\n\r\n"
    with pytest.raises(NotSeparable):
        taken_apart(head + b"--" + long + b"\r\n\r\n" + b"text\r\n" * 400, 1000, 500)


@pytest.mark.parametrize(
    "hostile",
    [
        HEADER + b"\r\n--" * 200_000,
        HEADER + b"\r\n--b" + b" " * 1_000_000,
        HEADER
        + b"\r\n--b\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        + b"=" * 1_000_000,
        HEADER + b"\r\n--b\r\nContent-Type: a/b;" + b' name="' * 30_000 + b"\r\n\r\n",
    ],
)
def test_hostile_messages_take_linear_time(hostile: bytes) -> None:
    began = time.process_time()
    outline(cut(hostile, 65_536))
    assert time.process_time() - began < 2


def test_a_part_that_is_nothing_once_decoded_does_not_vanish() -> None:
    """No upload can be empty."""
    part = b"\r\n--b\r\nContent-Type: a/b\r\nContent-Transfer-Encoding: base64\r\n\r\n" + b"=junk" * 400
    with pytest.raises(NotSeparable):
        taken_apart(HEADER + part + b"\r\n--b--\r\n", 1000, 500)


def test_more_parts_than_anybody_needs() -> None:
    with pytest.raises(NotSeparable, match="more than 1000 parts"):
        outline([HEADER + b"\r\n--b\r\n\r\nx" * 1002])


def test_multiparts_without_end() -> None:
    nested = b"".join(
        b"\r\n--b%d\r\nContent-Type: multipart/mixed; boundary=b%d\r\n\r\n" % (number, number + 1)
        for number in range(100)
    )
    whole = b"Content-Type: multipart/mixed; boundary=b0\r\n\r\n" + nested
    assert [part.is_attachable for part in outline([whole]).parts] == [False]
