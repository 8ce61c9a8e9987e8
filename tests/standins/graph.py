"""Microsoft Graph as far as mail leaves by it: sending MIME, drafts with attachments, upload sessions, Sent Items.

https://learn.microsoft.com/graph/api/user-sendmail
https://learn.microsoft.com/graph/api/user-post-messages
https://learn.microsoft.com/graph/outlook-large-attachments
https://learn.microsoft.com/graph/outlook-send-mail-from-other-user
https://learn.microsoft.com/graph/throttling-limits (Outlook service limits)
https://github.com/microsoftgraph/microsoft-graph-docs/issues/13979 (MIME above 2,240 KB vanishes with a 200)
"""

from __future__ import annotations

import base64
import binascii
import itertools
import json
import re
import threading
import time
from collections import Counter, defaultdict, deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qs, unquote, urlsplit

import trustme

from standins.graph_mailbox import LARGEST, Attachment, Item, Mailbox, attachment_of, resource_of
from standins.https import HttpsHandler, HttpsServer

REQUEST_LIMIT = 4 << 20
VANISHING = 2240 << 10
SEND, WRITE = "Mail.Send", "Mail.ReadWrite"
ROLES = frozenset({SEND, WRITE})

_USER = re.compile(r"/v1\.0/users/(?P<user>[^/]+)(?P<rest>/.*)?")
_FILTER = re.compile(r"internetMessageId eq '((?:[^']|'')*)'")
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+)")
_ids = itertools.count(1)


@dataclass
class Grant:
    """What a token says of itself."""

    roles: frozenset[str] = ROLES
    audience: str = "https://graph.microsoft.com"
    expires_at: float = float("inf")


@dataclass
class Fault:
    """What one request meets: a status, or the end of its connection where that is 0.

    `done`: what was asked for is done all the same. `until`: and not before then.
    """

    status: int = 0
    code: str = "UnknownError"
    message: str = ""
    retry_after: str = ""
    done: bool = False
    until: threading.Event | None = None


@dataclass
class _Session:
    mailbox: Mailbox
    item: Item
    attachment: Attachment
    size: int
    expires_at: float


class GraphError(Exception):
    def __init__(self, status: int, code: str, message: str, retry_after: str = "") -> None:
        super().__init__(message)
        self.status, self.code, self.retry_after = status, code, retry_after

    @property
    def body(self) -> dict[str, Any]:
        inner = {"date": "2026-11-24T15:30:00", "request-id": "0", "client-request-id": "0"}
        return {"error": {"code": self.code, "message": str(self), "innerError": inner}}


class _Cut(Exception):
    """Hang up."""


class Graph(HttpsServer):
    """On loopback over HTTPS. `tokens` are the valid ones, besides those that `also_valid` knows.

    `faults` are by the name of an operation (those of `_OPERATIONS`), each for one request. `operations` are what was
    asked for, `most_at_once` the requests of one mailbox that came together. The limits may be set to others.

    with Graph(authority) as graph:
        mailbox = graph.mailbox("scanner@contoso.com")
    """

    def __init__(self, authority: trustme.CA, also_valid: Callable[[str], bool] = lambda token: False) -> None:
        super().__init__(authority, "127.0.0.1", _Request)
        self.tokens: dict[str, Grant] = {}
        self.mailboxes: dict[str, Mailbox] = {}
        self.faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self.operations: list[str] = []
        self.connections = 0
        self.concurrency = 4
        self.requests_in_ten_minutes = 10_000
        self.session_seconds = 3600.0
        self.most_at_once = 0
        self._also_valid = also_valid
        self._sessions: dict[str, _Session] = {}
        self._at_once: Counter[str] = Counter()
        self._times: defaultdict[str, deque[float]] = defaultdict(deque)
        self._lock = threading.RLock()

    @property
    def url(self) -> str:
        """The endpoint that clients are to be told."""
        return f"https://127.0.0.1:{self.port}"

    def mailbox(self, address: str, **options: Any) -> Mailbox:
        made = Mailbox(address, **options)
        self.mailboxes[address.lower()] = made
        return made

    def token(self, **claims: Any) -> str:
        token = f"token-{next(_ids)}"
        self.tokens[token] = Grant(**claims)
        return token

    def answer(self, request: _Request) -> tuple[int, dict[str, Any] | None, dict[str, str]]:
        """Status, JSON and headers."""
        parts = urlsplit(request.path)
        if parts.path.startswith("/upload/"):
            return self._operate("upload", lambda: self._upload(parts.path.removeprefix("/upload/"), request))
        at = _USER.fullmatch(parts.path)
        if at is None:
            raise GraphError(404, "ResourceNotFound", "Resource could not be discovered.")
        name, role, act, arguments = _found(request.command, at["rest"] or "")
        self._authorize(request, role)
        mailbox = self._mailbox(unquote(at["user"]))
        with self._throttled(mailbox):
            return self._operate(name, lambda: act(self, mailbox, request, *arguments))

    def _operate(self, name: str, act: Callable[[], Any]) -> Any:
        with self._lock:
            self.operations.append(name)
            fault = self.faults[name].popleft() if self.faults[name] else None
        if fault is None:
            return act()
        if fault.until is not None:
            fault.until.wait(60)
        if fault.done:
            act()
        if not fault.status:
            raise _Cut
        raise GraphError(fault.status, fault.code, fault.message, fault.retry_after)

    def _authorize(self, request: _Request, role: str) -> None:
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        grant = self.tokens.get(token) or (Grant(audience="") if token and self._also_valid(token) else None)
        if grant is None:
            raise GraphError(401, "InvalidAuthenticationToken", "Access token is empty or invalid.")
        if grant.audience and grant.audience != "https://graph.microsoft.com":
            raise GraphError(401, "InvalidAuthenticationToken", "Access token validation failure. Invalid audience.")
        if grant.expires_at <= time.time():
            raise GraphError(401, "InvalidAuthenticationToken", "Lifetime validation failed, the token is expired.")
        if role not in grant.roles:
            raise GraphError(403, "ErrorAccessDenied", "Access is denied. Check credentials and try again.")

    def _mailbox(self, user: str) -> Mailbox:
        mailbox = self.mailboxes.get(user.lower())
        if mailbox is None:
            raise GraphError(404, "ErrorInvalidUser", f"The requested user '{user}' is invalid.")
        if not mailbox.is_enabled:
            text = "The mailbox is either inactive, soft-deleted, or is hosted on-premise."
            raise GraphError(404, "MailboxNotEnabledForRESTAPI", text)
        return mailbox

    @contextmanager
    def _throttled(self, mailbox: Mailbox) -> Iterator[None]:
        with self._lock:
            times, now = self._times[mailbox.address], time.monotonic()
            while times and times[0] < now - 600:
                times.popleft()
            if len(times) >= self.requests_in_ten_minutes:
                raise GraphError(429, "ApplicationThrottled", "Application is over its request limit.", "120")
            times.append(now)
            self._at_once[mailbox.address] += 1
            self.most_at_once = max(self.most_at_once, self._at_once[mailbox.address])
        try:
            if self._at_once[mailbox.address] > self.concurrency:
                text = "Application is over its MailboxConcurrency limit."
                raise GraphError(429, "ApplicationThrottled", text, "1")
            yield
        finally:
            with self._lock:
                self._at_once[mailbox.address] -= 1

    def _send_mail(self, mailbox: Mailbox, request: _Request) -> Any:
        mime = _mime(request)
        if len(mime) > VANISHING:
            return 200, None, {}
        self._submit(mailbox, Item(f"item-{next(_ids)}", mime, "sentitems"))
        return 202, None, {}

    def _create(self, mailbox: Mailbox, request: _Request) -> Any:
        item = Item(f"item-{next(_ids)}==", _mime(request), "drafts")
        if len(item.mime) > VANISHING:
            return 200, None, {}
        mailbox.items[item.id] = item
        return 201, {"id": item.id, "isDraft": True, "internetMessageId": item.message_id}, {}

    def _attach(self, mailbox: Mailbox, request: _Request, item_id: str) -> Any:
        given = request.json
        if given.get("@odata.type") != "#microsoft.graph.fileAttachment":
            raise GraphError(400, "RequestBodyRead", "Annotation '@odata.type' is missing.")
        content = base64.b64decode(given["contentBytes"])
        self._add(mailbox, self._draft(mailbox, item_id), attachment_of(given, content))
        return 201, {"id": f"attachment-{next(_ids)}", "name": given["name"]}, {}

    def _create_session(self, mailbox: Mailbox, request: _Request, item_id: str) -> Any:
        wanted = request.json["AttachmentItem"]
        item, size = self._draft(mailbox, item_id), wanted["size"]
        if wanted["attachmentType"] != "file" or size > LARGEST:
            raise GraphError(400, "ErrorAttachmentSizeLimitExceeded", "The attachment is larger than allowed.")
        key, expires_at = f"session-{next(_ids)}", time.time() + self.session_seconds
        self._sessions[key] = _Session(mailbox, item, attachment_of(wanted, bytearray()), size, expires_at)
        until = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(expires_at))
        address = f"{self.url}/upload/{key}?authtoken=preauthenticated"
        return 201, {"uploadUrl": address, "expirationDateTime": until, "nextExpectedRanges": ["0-"]}, {}

    def _upload(self, key: str, request: _Request) -> Any:
        session = self._sessions.get(key)
        if request.headers.get("Authorization") or not request.path.endswith("?authtoken=preauthenticated"):
            raise GraphError(401, "InvalidAuthenticationToken", "The upload URL is authenticated by itself.")
        if session is None or session.expires_at <= time.time():
            raise GraphError(404, "ErrorItemNotFound", "The upload session was not found, or has expired.")
        given = _RANGE.fullmatch(request.headers.get("Content-Range", ""))
        body, content = request.body, session.attachment.content
        assert isinstance(content, bytearray)
        if given is None or [int(number) for number in given.groups()] != [
            len(content),
            len(content) + len(body) - 1,
            session.size,
        ]:
            raise GraphError(416, "InvalidRange", "The uploaded fragment is not the one that is expected next.")
        if len(content) + len(body) < session.size and len(body) % (320 << 10):
            raise GraphError(400, "InvalidRange", "A fragment's size must be a multiple of 320 KiB.")
        content += body
        if len(content) < session.size:
            return 200, {"NextExpectedRanges": [str(len(content))]}, {}
        del self._sessions[key]
        self._add(session.mailbox, session.item, session.attachment)
        return 201, None, {"Location": f"{self.url}/Attachments('attachment-{next(_ids)}')"}

    def _add(self, mailbox: Mailbox, item: Item, attachment: Attachment) -> None:
        size = len(item.mime) + sum(len(other.content) for other in (*item.attachments, attachment))
        if size > mailbox.size_limit:
            raise GraphError(400, "ErrorMessageSizeExceeded", "The message exceeds the maximum supported size.")
        item.attachments.append(attachment)

    def _send(self, mailbox: Mailbox, request: _Request, item_id: str) -> Any:
        self._submit(mailbox, self._draft(mailbox, item_id))
        return 202, None, {}

    def _delete(self, mailbox: Mailbox, request: _Request, item_id: str) -> Any:
        if mailbox.items.pop(item_id, None) is None:
            raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        return 204, None, {}

    def _find(self, mailbox: Mailbox, request: _Request) -> Any:
        query = parse_qs(urlsplit(request.path).query)
        wanted = _FILTER.fullmatch(query.get("$filter", [""])[0])
        if wanted is None:
            raise GraphError(400, "BadRequest", "Invalid filter clause.")
        message_id = wanted[1].replace("''", "'")
        found = [resource_of(item) for item in mailbox.items.values() if item.message_id == message_id]
        return 200, {"value": found}, {}

    def _folder(self, mailbox: Mailbox, request: _Request) -> Any:
        return 200, {"id": "folder-inbox"}, {}

    def _draft(self, mailbox: Mailbox, item_id: str) -> Item:
        item = mailbox.items.get(item_id)
        if item is None or item.folder != "drafts":
            raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        return item

    def _submit(self, mailbox: Mailbox, item: Item) -> None:
        """Exchange takes recipients and sender from the message; a copy with Bcc stays in Sent Items."""
        recipients = item.recipients
        if not recipients or mailbox.invalid.intersection(recipients):
            raise GraphError(400, "ErrorInvalidRecipients", "At least one recipient is not valid.")
        if len(recipients) > mailbox.recipient_limit:
            text = "The number of recipients is over the limit of the mailbox."
            raise GraphError(400, "ErrorExceededMaxRecipientLimit", text)
        if not mailbox.may_send(item):
            text = (
                "The user account which was used to submit this request does not have the right to send mail on behalf "
                "of the specified sending account., Cannot submit message."
            )
            raise GraphError(403, "ErrorSendAsDenied", text)
        mailbox.hide_alias(item)
        with self._lock:
            item.folder, item.sent_at = "sentitems", time.time()
            mailbox.items[item.id] = item
            mailbox.sent.append(item)


_OPERATIONS: list[tuple[str, str, str, str, Callable[..., Any]]] = [
    ("POST", r"/sendMail", "sendMail", SEND, Graph._send_mail),
    ("POST", r"/messages", "createMessage", WRITE, Graph._create),
    ("GET", r"/messages", "findMessages", WRITE, Graph._find),
    ("GET", r"/mailFolders/inbox", "getFolder", WRITE, Graph._folder),
    ("DELETE", r"/messages/([^/]+)", "deleteMessage", WRITE, Graph._delete),
    ("POST", r"/messages/([^/]+)/send", "send", SEND, Graph._send),
    ("POST", r"/messages/([^/]+)/attachments", "addAttachment", WRITE, Graph._attach),
    ("POST", r"/messages/([^/]+)/attachments/createUploadSession", "createUploadSession", WRITE, Graph._create_session),
]


def _found(command: str, path: str) -> tuple[str, str, Callable[..., Any], tuple[str, ...]]:
    for method, pattern, name, role, act in _OPERATIONS:
        at = re.fullmatch(pattern, path)
        if method == command and at is not None:
            return name, role, act, tuple(unquote(part) for part in at.groups())
    raise GraphError(404, "ResourceNotFound", "Resource could not be discovered.")


def _mime(request: _Request) -> bytes:
    if request.headers.get("Content-Type") != "text/plain":
        raise GraphError(400, "RequestBodyRead", "This stand-in takes MIME only.")
    try:
        mime = base64.b64decode(request.body, validate=True)
    except binascii.Error:
        text = "Invalid base64 string for MIME content."
        raise GraphError(400, "ErrorMimeContentInvalidBase64String", text) from None
    if b":" not in mime.partition(b"\r\n\r\n")[0]:
        raise GraphError(400, "ErrorMimeContentInvalid", "The MIME content is invalid.")
    return mime


class _Request(HttpsHandler):
    server: Graph
    protocol_version = "HTTP/1.1"
    body = b""

    def setup(self) -> None:
        super().setup()
        self.server.connections += 1

    def do_POST(self) -> None:
        length = int(self.headers.get("Content-Length", 0))
        try:
            self.body = self.rfile.read(length)
            if length > REQUEST_LIMIT:
                raise GraphError(413, "BadRequest", "The maximum request length supported is 4MB.")
            status, content, headers = self.server.answer(self)
        except GraphError as error:
            status, content = error.status, error.body
            headers = {"Retry-After": error.retry_after} if error.retry_after else {}
        except _Cut:
            self.close_connection = True
            return
        self._say(status, content, headers)

    def do_GET(self) -> None:
        self.do_POST()

    def do_PUT(self) -> None:
        self.do_POST()

    def do_DELETE(self) -> None:
        self.do_POST()

    @property
    def json(self) -> dict[str, Any]:
        try:
            return json.loads(self.body)
        except ValueError:
            raise GraphError(400, "BadRequest", "Unable to read JSON request payload.") from None

    def _say(self, status: int, content: dict[str, Any] | None, headers: dict[str, str]) -> None:
        encoded = b"" if content is None else json.dumps(content).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        if content is not None:
            self.send_header("Content-Type", "application/json")
        if status != 204:
            self.send_header("Content-Length", str(len(encoded)))
        if self.close_connection:
            self.send_header("Connection", "close")
        self.end_headers()
        with suppress(OSError):
            self.wfile.write(encoded)
