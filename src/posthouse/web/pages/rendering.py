"""From a template and its values to the answer, with everything that all pages have."""

from __future__ import annotations

from functools import cache, partial
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from fastapi import Request
from fastapi.responses import HTMLResponse, RedirectResponse
from mako.lookup import TemplateLookup

from posthouse import __version__
from posthouse.admin import Permission
from posthouse.web.pages import shown
from posthouse.web.pages.assets import asset_url
from posthouse.web.pages.navigation import navigation_for
from posthouse.web.pages.texts import Texts, texts_for
from posthouse.web.pages.visitor import CSRF_FIELD, Visitor

THEME_COOKIE = "posthouse_theme"
THEMES = ("system", "light", "dark")
_NOTICE_COOKIE = "posthouse_notice"
_NOTICE_SECONDS = 60
_LONGEST_NOTICE = 500

HEADERS = {
    "Content-Security-Policy": "; ".join(
        (
            "default-src 'none'",
            "script-src 'self'",
            "style-src 'self'",
            "img-src 'self'",
            "connect-src 'self'",
            "form-action 'self'",
            "base-uri 'none'",
            "frame-ancestors 'none'",
        )
    ),
    "Cross-Origin-Opener-Policy": "same-origin",
    "Vary": "Accept-Language, Cookie",
}


@cache
def lookup() -> TemplateLookup:
    """Every `${...}` is escaped; a name that isn't there is an error."""
    return TemplateLookup(
        directories=[str(Path(__file__).parent / "templates")],
        default_filters=["h"],
        strict_undefined=True,
        filesystem_checks=False,
        input_encoding="utf-8",
    )


def texts_of(request: Request) -> Texts:
    return texts_for(request.headers.get("accept-language", ""))


def render(request: Request, template: str, status: int = HTTPStatus.OK, **values: Any) -> HTMLResponse:
    """A page. Its values are the template's names, beside those that all templates have."""
    response = HTMLResponse(rendered(request, template, **values), status, HEADERS)
    if _NOTICE_COOKIE in request.cookies:
        response.delete_cookie(_NOTICE_COOKIE, httponly=True, samesite="lax")
    return response


def rendered(request: Request, template: str, **values: Any) -> str:
    """The same as text; of a template that inherits nothing, a part of a page."""
    visitor: Visitor | None = getattr(request.state, "visitor", None)
    theme = request.cookies.get(THEME_COOKIE, "")
    return str(
        lookup()
        .get_template(f"/{template}")
        .render(
            _=texts_of(request),
            visitor=visitor,
            Permission=Permission,
            csrf=visitor.csrf if visitor else "",
            csrf_field=CSRF_FIELD,
            navigation=list(navigation_for(visitor, request.app.state.page_paths)) if visitor else [],
            path=request.url.path,
            here=shown.here(request),
            theme=theme if theme in THEMES else THEMES[0],
            themes=THEMES,
            notice=unquote(request.cookies.get(_NOTICE_COOKIE, ""))[:_LONGEST_NOTICE],
            asset=asset_url,
            show=shown,
            has_page=partial(has_page, request),
            version=__version__,
            **values,
        )
    )


def redirect(to: str, notice: str = "") -> RedirectResponse:
    """To a page of ours, which then says the notice once."""
    response = RedirectResponse(to, HTTPStatus.SEE_OTHER)
    if notice:
        response.set_cookie(
            _NOTICE_COOKIE,
            quote(notice[:_LONGEST_NOTICE]),
            max_age=_NOTICE_SECONDS,
            httponly=True,
            samesite="lax",
        )
    return response


def has_page(request: Request, path: str) -> bool:
    return path in request.app.state.page_paths
