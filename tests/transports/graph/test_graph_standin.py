"""The stand-in of Graph, asked as Microsoft's pages say: by plain HTTPS requests.

https://learn.microsoft.com/graph/api/user-sendmail
https://learn.microsoft.com/graph/api/user-post-messages
https://learn.microsoft.com/graph/api/message-post-attachments
https://learn.microsoft.com/graph/outlook-large-attachments
https://learn.microsoft.com/graph/throttling
https://learn.microsoft.com/graph/resolve-auth-errors
"""

from __future__ import annotations

import base64
import http.client
import json
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

import pytest

from standins.graph import REQUEST_LIMIT, VANISHING, Fault, Graph
from standins.graph_mailbox import Mailbox
from support.house import wait_for

USER = "/v1.0/users/scanner@contoso.com"
MIME = b"From: scanner@contoso.com\r\nTo: user@contoso.com\r\nMessage-ID: <1@scanner>\r\nSubject: Scan\r\n\r\nHello\r\n"
CHUNK = 320 << 10


@dataclass
class Answer:
    status: int
    json: Any
    headers: http.client.HTTPMessage

    @property
    def code(self) -> str:
        return self.json["error"]["code"]


Ask = Callable[..., Answer]


@pytest.fixture
def ask(graph: Graph, mailbox: Mailbox, context: ssl.SSLContext) -> Ask:
    """One request, with a valid token unless another one (or none) is given."""
    valid = graph.token()

    def ask(method: str, path: str, body: bytes | dict = b"", token: str = valid, **headers: str) -> Answer:
        content = json.dumps(body).encode() if isinstance(body, dict) else body
        kind = "application/json" if isinstance(body, dict) else "text/plain"
        given = {"Content-Type": kind, **{name.replace("_", "-"): value for name, value in headers.items()}}
        if token:
            given["Authorization"] = f"Bearer {token}"
        connection = http.client.HTTPSConnection("127.0.0.1", graph.port, context=context, timeout=20)
        try:
            connection.request(method, path, content, given)
            with connection.getresponse() as response:
                return Answer(response.status, json.loads(response.read() or b"null"), response.headers)
        finally:
            connection.close()

    return ask


def put(ask: Ask, url: str, data: bytes, start: int, size: int, token: str = "") -> Answer:
    parts = urlsplit(url)
    given = f"bytes {start}-{start + len(data) - 1}/{size}"
    return ask("PUT", f"{parts.path}?{parts.query}", data, token, Content_Range=given)


def draft(ask: Ask, mime: bytes = MIME) -> str:
    answer = ask("POST", f"{USER}/messages", base64.b64encode(mime))
    assert (answer.status, answer.json["isDraft"]) == (201, True)
    return f"{USER}/messages/{quote(answer.json['id'], safe='')}"


def upload_url(ask: Ask, path: str, size: int, **described: Any) -> str:
    item = {"attachmentType": "file", "name": "scan.pdf", "size": size, **described}
    answer = ask("POST", f"{path}/attachments/createUploadSession", {"AttachmentItem": item})
    assert (answer.status, answer.json["nextExpectedRanges"]) == (201, ["0-"])
    return answer.json["uploadUrl"]


def test_mime_is_sent_and_kept_in_sent_items(ask: Ask, mailbox: Mailbox) -> None:
    answer = ask("POST", f"{USER}/sendMail", base64.b64encode(MIME))
    assert (answer.status, answer.json) == (202, None)
    (item,) = mailbox.sent
    assert (item.mime, item.folder) == (MIME, "sentitems")


def test_a_draft_gets_a_small_attachment_and_is_sent(ask: Ask, mailbox: Mailbox) -> None:
    path = draft(ask)
    body = {"@odata.type": "#microsoft.graph.fileAttachment", "name": "a.txt", "contentBytes": "SGVsbG8="}
    assert ask("POST", f"{path}/attachments", body).status == 201
    assert ask("POST", f"{path}/send").status == 202
    assert [one.content for one in mailbox.sent[0].attachments] == [b"Hello"]
    assert mailbox.drafts == []


def test_an_upload_goes_range_by_range(ask: Ask, mailbox: Mailbox) -> None:
    path, size = draft(ask), CHUNK + 10
    url = upload_url(ask, path, size, contentId="logo", isInline=True, contentType="image/png")
    first = put(ask, url, b"a" * CHUNK, 0, size)
    assert (first.status, first.json["NextExpectedRanges"]) == (200, [str(CHUNK)])
    last = put(ask, url, b"b" * 10, CHUNK, size)
    assert (last.status, "Attachments" in last.headers["Location"]) == (201, True)
    (attachment,) = mailbox.drafts[0].attachments
    assert attachment.content == b"a" * CHUNK + b"b" * 10
    assert (attachment.content_id, attachment.is_inline, attachment.content_type) == ("logo", True, "image/png")


def test_ranges_come_in_order_and_in_the_right_size(ask: Ask) -> None:
    url = upload_url(ask, draft(ask), 3 * CHUNK)
    assert put(ask, url, b"a" * CHUNK, CHUNK, 3 * CHUNK).status == 416
    assert put(ask, url, b"a" * (CHUNK + 1), 0, 3 * CHUNK).status == 400


def test_an_upload_url_takes_no_token_and_expires(ask: Ask, graph: Graph) -> None:
    path = draft(ask)
    assert put(ask, upload_url(ask, path, 10), b"a" * 10, 0, 10, token=graph.token()).status == 401
    graph.session_seconds = 0
    assert put(ask, upload_url(ask, path, 10), b"a" * 10, 0, 10).status == 404


def test_an_attachment_of_more_than_150_mb(ask: Ask) -> None:
    item = {"attachmentType": "file", "name": "scan.pdf", "size": (150 << 20) + 1}
    answer = ask("POST", f"{draft(ask)}/attachments/createUploadSession", {"AttachmentItem": item})
    assert (answer.status, answer.code) == (400, "ErrorAttachmentSizeLimitExceeded")


def test_a_draft_can_be_deleted_once(ask: Ask) -> None:
    path = draft(ask)
    assert [ask("DELETE", path).status for _ in range(2)] == [204, 404]


def test_a_message_is_found_by_its_message_id(ask: Ask) -> None:
    ask("POST", f"{USER}/sendMail", base64.b64encode(b"Bcc: boss@contoso.com\r\n" + MIME))
    wanted = quote("internetMessageId eq '<1@scanner>'", safe="")
    (found,) = ask("GET", f"{USER}/messages?$filter={wanted}").json["value"]
    assert found["isDraft"] is False
    assert found["bccRecipients"] == [{"emailAddress": {"address": "boss@contoso.com"}}]
    other = quote("internetMessageId eq '<it''s@scanner>'", safe="")
    assert ask("GET", f"{USER}/messages?$filter={other}").json["value"] == []


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"not base64!", 400, "ErrorMimeContentInvalidBase64String"),
        (base64.b64encode(b"nothing"), 400, "ErrorMimeContentInvalid"),
        (base64.b64encode(MIME.replace(b"To: user", b"X: user")), 400, "ErrorInvalidRecipients"),
        (base64.b64encode(MIME.replace(b"scanner@", b"boss@", 1)), 403, "ErrorSendAsDenied"),
        (b"a" * (REQUEST_LIMIT + 1), 413, "BadRequest"),
    ],
)
def test_what_is_refused(ask: Ask, mailbox: Mailbox, body: bytes, status: int, code: str) -> None:
    answer = ask("POST", f"{USER}/sendMail", body)
    assert (answer.status, answer.code) == (status, code)
    assert mailbox.sent == []


@pytest.mark.parametrize("path", ["/sendMail", "/messages"])
def test_mime_above_the_unwritten_limit_vanishes_with_a_200(ask: Ask, mailbox: Mailbox, path: str) -> None:
    answer = ask("POST", f"{USER}{path}", base64.b64encode(MIME + b"x" * VANISHING))
    assert (answer.status, mailbox.items) == (200, {})


def test_an_alias_may_be_sent_as(ask: Ask, mailbox: Mailbox) -> None:
    mailbox.send_as.add("boss@contoso.com")
    assert ask("POST", f"{USER}/sendMail", base64.b64encode(MIME.replace(b"scanner@", b"boss@", 1))).status == 202


def test_more_than_500_recipients(ask: Ask) -> None:
    everyone = ", ".join(f"user{number}@contoso.com" for number in range(501)).encode()
    answer = ask("POST", f"{USER}/sendMail", base64.b64encode(MIME.replace(b"user@contoso.com", everyone)))
    assert (answer.status, answer.code) == (400, "ErrorExceededMaxRecipientLimit")


@pytest.mark.parametrize(
    ("claims", "status", "code"),
    [
        ({"expires_at": 1.0}, 401, "InvalidAuthenticationToken"),
        ({"audience": "https://outlook.office365.com"}, 401, "InvalidAuthenticationToken"),
        ({"roles": frozenset({"Mail.Send"})}, 403, "ErrorAccessDenied"),
    ],
)
def test_what_a_token_must_say(ask: Ask, graph: Graph, claims: dict[str, Any], status: int, code: str) -> None:
    answer = ask("POST", f"{USER}/messages", base64.b64encode(MIME), graph.token(**claims))
    assert (answer.status, answer.code) == (status, code)


def test_no_token(ask: Ask) -> None:
    assert ask("POST", f"{USER}/sendMail", base64.b64encode(MIME), "").status == 401


def test_mailboxes_that_are_none(ask: Ask, graph: Graph) -> None:
    graph.mailbox("onpremises@contoso.com", is_enabled=False)
    codes = [ask("GET", f"/v1.0/users/{user}@contoso.com/mailFolders/inbox").code for user in ("nobody", "onpremises")]
    assert codes == ["ErrorInvalidUser", "MailboxNotEnabledForRESTAPI"]


def test_four_requests_at_once_and_no_more(ask: Ask, graph: Graph) -> None:
    go_on = threading.Event()
    graph.faults["getFolder"].extend(Fault(503, until=go_on) for _ in range(4))
    threads = [threading.Thread(target=ask, args=("GET", f"{USER}/mailFolders/inbox")) for _ in range(4)]
    for thread in threads:
        thread.start()
    wait_for(lambda: len(graph.operations) == 4)
    answer = ask("GET", f"{USER}/mailFolders/inbox")
    go_on.set()
    for thread in threads:
        thread.join()
    assert (answer.status, answer.code, answer.headers["Retry-After"]) == (429, "ApplicationThrottled", "1")


def test_so_many_requests_in_ten_minutes(ask: Ask, graph: Graph) -> None:
    graph.requests_in_ten_minutes = 2
    assert [ask("GET", f"{USER}/mailFolders/inbox").status for _ in range(3)] == [200, 200, 429]


def test_a_504_may_have_done_it(ask: Ask, graph: Graph, mailbox: Mailbox) -> None:
    graph.faults["sendMail"].append(Fault(504, "UnknownError", done=True))
    assert ask("POST", f"{USER}/sendMail", base64.b64encode(MIME)).status == 504
    assert len(mailbox.sent) == 1


def test_a_connection_may_be_cut(ask: Ask, graph: Graph) -> None:
    graph.faults["sendMail"].append(Fault())
    with pytest.raises((http.client.RemoteDisconnected, ConnectionError)):
        ask("POST", f"{USER}/sendMail", base64.b64encode(MIME))


def test_a_session_says_until_when_it_is_good(ask: Ask) -> None:
    item = {"attachmentType": "file", "name": "scan.pdf", "size": 10}
    answer = ask("POST", f"{draft(ask)}/attachments/createUploadSession", {"AttachmentItem": item})
    assert answer.json["expirationDateTime"] > time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
