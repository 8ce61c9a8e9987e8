"""Mail that is too large for one request: a draft, its attachments one after another, and then it is sent.

https://learn.microsoft.com/graph/outlook-large-attachments
"""

from __future__ import annotations

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncGenerator, Iterator
from contextlib import aclosing
from typing import Final
from urllib.parse import quote

from posthouse.mail import Content, Reply
from posthouse.transports.connection import SessionFailed
from posthouse.transports.graph.client import GraphMailbox, Request
from posthouse.transports.graph.errors import GraphFailed
from posthouse.transports.graph.outline import NotSeparable, outline
from posthouse.transports.graph.separation import File, Fragment, Separation, separate

FRAGMENT: Final = 12 * 320 << 10
"""Bytes of an upload: a multiple of 320 KiB, less than 4 MB."""
_POSTED: Final = 3_000_000
"""Smaller files go in one request."""
_LARGEST: Final = 150_000_000


async def send_as_draft(mailbox: GraphMailbox, content: Content, limit: int) -> None:
    """`limit` is how many bytes of MIME one request may carry. Raises `GraphFailed`, `SignInFailed`."""
    try:
        separation, mime = await asyncio.to_thread(_separated, content, limit)
    except NotSeparable as error:
        raise GraphFailed(_too_large(str(error))) from None
    draft = await mailbox.call(mime_request("/messages", mime, 201))
    path = f"/messages/{quote(str(draft.get('id')), safe='')}"
    try:
        await _attach(mailbox, path, separation, content)
        await mailbox.call(Request("POST", f"{path}/send", 202, sends=True))
    except (GraphFailed, SessionFailed) as error:
        if not isinstance(error, GraphFailed) or not error.is_doubtful:
            await delete_draft(mailbox, path)
        raise


async def delete_draft(mailbox: GraphMailbox, path: str) -> None:
    """What can't be removed now is found before the next attempt."""
    with contextlib.suppress(GraphFailed, SessionFailed):
        await mailbox.call(Request("DELETE", path, 204))


def mime_request(path: str, mime: bytes, expected: int, *, sends: bool = False) -> Request:
    """https://learn.microsoft.com/graph/outlook-send-mime-message"""
    return Request("POST", path, expected, (base64.b64encode(mime),), "text/plain", sends=sends)


def _separated(content: Content, limit: int) -> tuple[Separation, bytes]:
    found = separate(outline(content.chunks()), content.size, limit)
    for file in found.files:
        if file.size > _LARGEST:
            raise NotSeparable(f"its attachment {file.name} has more than 150 MB")
    return found, found.rest(content.chunks())


async def _attach(mailbox: GraphMailbox, path: str, separation: Separation, content: Content) -> None:
    url = ""
    async with aclosing(_apart(separation.fragments(content.chunks(), FRAGMENT))) as fragments:
        async for fragment in fragments:
            if fragment.file.size < _POSTED:
                await mailbox.call(_attachment(path, fragment))
                continue
            if fragment.offset == 0:
                url = str((await mailbox.call(_session(path, fragment.file))).get("uploadUrl"))
                if not url.startswith("https://"):
                    raise GraphFailed(Reply(451, "4.3.0", "Microsoft Graph gave no https address to upload to"))
            await mailbox.call(_upload(url, fragment))


def _attachment(path: str, fragment: Fragment) -> Request:
    """https://learn.microsoft.com/graph/api/message-post-attachments"""
    described = {"@odata.type": "#microsoft.graph.fileAttachment", **_described(fragment.file)}
    head = json.dumps(described).removesuffix("}") + ', "contentBytes": "'
    content = base64.b64encode(b"".join(fragment.pieces))
    return Request("POST", f"{path}/attachments", 201, (head.encode(), content, b'"}'), "application/json")


def _session(path: str, file: File) -> Request:
    """https://learn.microsoft.com/graph/api/attachment-createuploadsession"""
    item = {"attachmentType": "file", "size": file.size, **_described(file)}
    body = json.dumps({"AttachmentItem": item}).encode()
    return Request("POST", f"{path}/attachments/createUploadSession", 201, (body,), "application/json")


def _described(file: File) -> dict[str, str | bool]:
    fields = file.part.fields
    described: dict[str, str | bool] = {
        "name": file.name,
        "contentType": fields.type,
        "isInline": file.is_inline,
    }
    return described | ({"contentId": fields.content_id} if fields.content_id else {})


def _upload(url: str, fragment: Fragment) -> Request:
    """The address is authenticated by itself, so no token goes there."""
    end = fragment.offset + sum(map(len, fragment.pieces))
    size = fragment.file.size
    headers = {"Content-Range": f"bytes {fragment.offset}-{end - 1}/{size}"}
    expected = 201 if end == size else 200
    return Request("PUT", "", expected, fragment.pieces, "application/octet-stream", headers, url)


async def _apart(fragments: Iterator[Fragment]) -> AsyncGenerator[Fragment, None]:
    """Read and decoded outside the loop."""
    while (fragment := await asyncio.to_thread(next, fragments, None)) is not None:
        yield fragment


def _too_large(why: str) -> Reply:
    text = f"Microsoft Graph takes a message of this size only without its attachments, and {why}"
    return Reply(552, "5.3.4", f"{text}; send it by an outbound connector with transport smtp")
