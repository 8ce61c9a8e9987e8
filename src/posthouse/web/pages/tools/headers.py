"""Mail flow > Header analyzer: the way that a message went, and what its header tells."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Request
from fastapi.responses import Response

from posthouse.analysis import HeaderReport, Hop, analyze
from posthouse.web.pages.rendering import render, texts_of
from posthouse.web.pages.texts import Texts
from posthouse.web.pages.visitor import Visiting
from posthouse.web.shapes import plain

router = APIRouter()

_OUTLOOK_FILE = "\N{LATIN CAPITAL LETTER ETH}\N{LATIN CAPITAL LETTER I WITH DIAERESIS}"
_SUBJECTS = ("header.d", "header.i", "smtp.mailfrom", "envelope-from", "header.from", "smtp.helo")
_WIDTH = 1000.0
_THINNEST = 4.0


@dataclass(frozen=True, slots=True)
class Bar:
    """A hop in the timeline, from `x` on; in thousandths of the whole transit. `mark`: a time that nobody can trust."""

    hop: Hop
    x: float
    width: float
    is_doubtful: bool


@dataclass(frozen=True, slots=True)
class Row:
    """One result of an authentication, however it is told."""

    method: str
    result: str
    subject: str
    found_by: str
    why: str

    @property
    def kind(self) -> str:
        match self.result.lower():
            case "pass" | "bestguesspass":
                return "good"
            case "fail" | "permerror" | "hardfail":
                return "bad"
            case "softfail" | "temperror":
                return "warn"
            case _:
                return "quiet"


@router.get("/headers")
def ask(request: Request, _: Visiting) -> Response:
    return render(request, "tools/headers.html", header="", report=None, problem="")


@router.post("/headers")
def answer(request: Request, visitor: Visiting) -> Response:
    """Headers tell of people, so they stand in no address, and are not kept."""
    header, text = visitor.form.secret("header"), texts_of(request)
    if not header.strip():
        problem = text("Paste a header, or choose a file.")
        return render(request, "tools/headers.html", 422, header=header, report=None, problem=problem)
    report = analyze(header.encode("utf-8", "surrogateescape"))
    if not report.hops and not report.summary.message_id and not report.summary.sender:
        return render(request, "tools/headers.html", 422, header=header, report=None, problem=_problem(header, text))
    return render(
        request,
        "tools/headers.html",
        header=header,
        report=report,
        problem="",
        bars=bars(report.hops),
        rows=list(_rows(report, text)),
    )


@router.post("/headers/json")
def as_json(visitor: Visiting) -> Response:
    report = analyze(visitor.form.secret("header").encode("utf-8", "surrogateescape"))
    content = json.dumps(plain(report.to_json()), indent=2, ensure_ascii=False)
    headers = {"Content-Disposition": 'attachment; filename="headers.json"'}
    return Response(content, media_type="application/json", headers=headers)


def bars(hops: Sequence[Hop]) -> tuple[Bar, ...]:
    """Each beginning where the one before it ends."""
    made: list[Bar] = []
    x = 0.0
    for hop in hops:
        width = max(hop.share * _WIDTH, _THINNEST)
        made.append(Bar(hop, min(x, _WIDTH - width), width, hop.skewed or hop.wrong_clock))
        x += hop.share * _WIDTH
    return tuple(made)


def _problem(header: str, text: Texts) -> str:
    if header.startswith(_OUTLOOK_FILE) or "\0" in header:
        return text(
            "This is a binary Outlook file. Open it in Outlook, and copy the header from File > Properties > "
            "Internet headers."
        )
    return text("There is no header in this. It has lines like Received: and From:.")


def _rows(report: HeaderReport, text: Texts) -> Iterator[Row]:
    for assessment in report.evidence.assessments:
        server = assessment.server or text("not told")
        found_by = server if assessment.trusted else text("{name}, before it was sent", name=server)
        for verdict in assessment.verdicts:
            subject = next((verdict.properties[name] for name in _SUBJECTS if name in verdict.properties), "")
            yield Row(verdict.method, verdict.result, subject, found_by, verdict.why)
    for signature in report.evidence.signatures:
        why = "" if signature.aligned else text("It is not the domain of From.")
        subject = f"{signature.domain} {signature.selector}"
        yield Row(text("signature"), signature.result or text("not told"), subject, "", why)
    for sealed in report.evidence.arc:
        found = ", ".join(f"{verdict.method}={verdict.result}" for verdict in sealed.verdicts)
        yield Row(f"ARC {sealed.instance}", sealed.cv, sealed.domain, sealed.server, found)
