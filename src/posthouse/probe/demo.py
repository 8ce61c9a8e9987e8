"""`posthouse demo`: the seed's whole chain rehearsed on one machine, each claim proved by mail that arrived."""

from __future__ import annotations

import email
import email.policy
import hashlib
import random
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from email.message import EmailMessage
from pathlib import Path

from posthouse.analysis import HeaderReport, analyze
from posthouse.mail import Notify
from posthouse.net.certificates import load_pfx
from posthouse.probe.rehearsal import APPLICATION, PFX_PASSWORD, SCANNER, STRANGER, House, Rehearsal, rehearsal
from posthouse.probe.send import Attachment, SendOptions, SendResult, send

INTERNAL, EXTERNAL = "user@contoso.com", "friend@example.net"
_ARRIVAL_SECONDS = 20.0
_SUCCESS = Notify.SUCCESS | Notify.FAILURE


@dataclass(frozen=True, slots=True)
class Proof:
    """A claim, whether it holds, and what showed it."""

    claim: str
    holds: bool
    evidence: str


@dataclass(frozen=True, slots=True)
class DemoResult:
    """`report` is the header analysis of the scan that arrived at example.net."""

    proofs: tuple[Proof, ...]
    report: HeaderReport | None

    @property
    def holds(self) -> bool:
        return self.report is not None and all(proof.holds for proof in self.proofs)


def run(tell: Callable[[str], None], proved: Callable[[Proof], None]) -> DemoResult:
    """Rehearse the chain in a temporary folder. `tell` hears what is going on, `proved` each proof as it is there.

    Raises `RehearsalError` when the three houses can't be started.
    """
    proofs: list[Proof] = []
    tell("Starting the on-premises relay, the tenant's side and the recipient's server ...")
    with tempfile.TemporaryDirectory(prefix="posthouse-demo-") as folder, rehearsal(Path(folder)) as chain:
        for proof in _proofs(chain, tell):
            proofs.append(proof)
            proved(proof)
        arrived = chain.internet.mailbox(EXTERNAL)
        report = analyze(arrived[0]) if arrived else None
    return DemoResult(tuple(proofs), report)


def _proofs(chain: Rehearsal, tell: Callable[[str], None]) -> Iterator[Proof]:
    tell("A scanner without TLS sends a scan to a colleague and to a customer ...")
    yield from _scan(chain)
    tell("An application sends over TLS with a certificate from a PFX file ...")
    yield from _over_tls(chain)
    tell("A stranger, and a certificate of another name, try to relay ...")
    yield from _refusals(chain)


def _scan(chain: Rehearsal) -> Iterator[Proof]:
    scan = _pdf()
    result = _send(chain.site, SCANNER, "scanner@contoso.com", "Scan", attachments=(Attachment("scan.pdf", scan),))
    yield Proof("the on-premises relay takes the scan without TLS", result.accepted, _last_reply(result))
    internal = _await_mail(chain.contoso, INTERNAL, 1)
    yield _intact("the scan arrives at the internal recipient", internal, scan)
    external = _await_mail(chain.internet, EXTERNAL, 1)
    yield _intact("the scan arrives at the external recipient", external, scan)
    reports = _await_mail(chain.contoso, "scanner@contoso.com", 2)
    reported = sorted(text for report in reports for text in _dsn_actions(report))
    expected = {EXTERNAL, INTERNAL}
    yield Proof(
        "a delivery status notification comes back for each",
        {text.split(":")[0] for text in reported} == expected,
        ", ".join(reported) or "none came",
    )


def _over_tls(chain: Rehearsal) -> Iterator[Proof]:
    result = _send(chain.contoso, APPLICATION, "app@contoso.com", "Over TLS", pfx=chain.application)
    yield Proof(
        "the TLS connector takes the application's mail",
        result.accepted and result.client_certificate_sent,
        f"{result.tls}; certificate asked for and sent" if result.client_certificate_sent else _last_reply(result),
    )
    for place, house, recipient in (("internal", chain.contoso, INTERNAL), ("external", chain.internet, EXTERNAL)):
        arrived = _await_mail(house, recipient, 2)
        by_tls = any(b"(connector SMTP Relay (TLS))" in mail for mail in arrived)
        yield Proof(
            f"it arrives at the {place} recipient, over the connector SMTP Relay (TLS)",
            by_tls,
            f"{len(arrived)} messages in the mailbox of {recipient}",
        )


def _refusals(chain: Rehearsal) -> Iterator[Proof]:
    sender = "someone@fabrikam.example"
    stranger = _send(chain.contoso, STRANGER, sender, "Relay me", recipients=(EXTERNAL,))
    yield _refused("a stranger may not relay", stranger, "5.7.64")
    outsider = _send(chain.contoso, STRANGER, sender, "Relay me", recipients=(EXTERNAL,), pfx=chain.outsider)
    yield _refused("a certificate of another name does not help", outsider, "5.7.64")
    liar = _send(chain.contoso, STRANGER, "scanner@contoso.com", "Relay me", recipients=(EXTERNAL,))
    yield _refused("nobody else may send as contoso.com", liar, "5.7.51")


def _send(
    house: House,
    source: str,
    sender: str,
    subject: str,
    *,
    recipients: tuple[str, ...] = (INTERNAL, EXTERNAL),
    attachments: tuple[Attachment, ...] = (),
    pfx: Path | None = None,
) -> SendResult:
    return send(
        SendOptions(
            server=house.address,
            port=house.port,
            sender=sender,
            recipients=recipients,
            subject=subject,
            body="This is a test email using SMTP Relay",
            attachments=attachments,
            tls="starttls" if pfx else "none",
            identity=load_pfx(pfx.read_bytes(), PFX_PASSWORD) if pfx else None,
            notify=_SUCCESS,
            source=source,
        )
    )


def _await_mail(house: House, address: str, count: int) -> list[bytes]:
    """The mailbox once it holds so many messages, or what it holds when waiting is over."""
    deadline = time.monotonic() + _ARRIVAL_SECONDS
    while len(mail := house.mailbox(address)) < count and time.monotonic() < deadline:
        time.sleep(0.02)
    return mail


def _intact(claim: str, arrived: list[bytes], scan: bytes) -> Proof:
    for mail in arrived:
        for part in _parsed(mail).iter_attachments():
            content = part.get_content()
            if content == scan:
                digest = hashlib.sha256(scan).hexdigest()[:16]
                return Proof(claim, True, f"{part.get_filename()}, {len(scan) >> 10} KiB, SHA-256 {digest}...")
    return Proof(claim, False, "no such attachment arrived" if arrived else "no mail arrived")


def _dsn_actions(report: bytes) -> Iterator[str]:
    """`user@contoso.com: delivered` for each recipient of a delivery status notification (RFC 3464)."""
    for part in _parsed(report).walk():
        if part.get_content_type() == "message/delivery-status":
            for fields in part.get_payload():
                if not isinstance(fields, str) and fields["Final-Recipient"]:
                    yield f"{fields['Final-Recipient'].partition(';')[2].strip()}: {fields['Action']}"


def _refused(claim: str, result: SendResult, code: str) -> Proof:
    reply = _last_reply(result)
    return Proof(claim, not result.accepted and code in reply, reply)


def _last_reply(result: SendResult) -> str:
    return result.error or str(result.replies[-1].reply)


def _parsed(mail: bytes) -> EmailMessage:
    return email.message_from_bytes(mail, policy=email.policy.default)


def _pdf() -> bytes:
    """One page with a noisy grey picture, as a scanner makes it: about 300 KiB that hardly compress."""
    width, height = 620, 480
    pixels = zlib.compress(random.Random(1).randbytes(width * height), level=1)  # noqa: S311 - a picture
    objects = [
        b"<</Type/Catalog/Pages 2 0 R>>",
        b"<</Type/Pages/Kids[3 0 R]/Count 1>>",
        b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 620 480]/Contents 4 0 R/Resources<</XObject<</Scan 5 0 R>>>>>>",
        b"<</Length 29>>stream\n620 0 0 480 0 0 cm /Scan Do \n\nendstream",
        b"<</Type/XObject/Subtype/Image/Width %d/Height %d/ColorSpace/DeviceGray/BitsPerComponent 8"
        b"/Filter/FlateDecode/Length %d>>stream\n%b\nendstream" % (width, height, len(pixels), pixels),
    ]
    file = bytearray(b"%PDF-1.4\n")
    offsets: list[int] = []
    for number, body in enumerate(objects, start=1):
        offsets.append(len(file))
        file += b"%d 0 obj%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % offset for offset in offsets)
    start = len(file)
    file += b"xref\n0 %d\n0000000000 65535 f \n%b" % (len(objects) + 1, table)
    file += b"trailer<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, start)
    return bytes(file)
