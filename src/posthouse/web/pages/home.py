"""The start page."""

from __future__ import annotations

from fastapi import APIRouter, Request
from fastapi.responses import Response

from posthouse.web.pages.rendering import render
from posthouse.web.pages.visitor import Visiting

router = APIRouter()


@router.get("/")
def home(request: Request, _: Visiting) -> Response:
    return render(request, "home.html")
