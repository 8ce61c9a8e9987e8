"""All pages, put into the application beside the API."""

from __future__ import annotations

from fastapi import FastAPI

from posthouse.web.pages import assets, credentials, entrance, errors, provider, setup
from posthouse.web.pages.connectors import inbound, listing, outbound
from posthouse.web.pages.connectors.certificates import Drawer
from posthouse.web.pages.home import page
from posthouse.web.pages.live import Live
from posthouse.web.pages.mailflow import domains, message, queue, trace
from posthouse.web.pages.organization import account, administrators, applying, audit, invitation, settings, tokens
from posthouse.web.pages.tools import doctor, explain, headers, test_mail

_ROUTERS = (
    assets.router,
    entrance.router,
    setup.router,
    page.router,
    inbound.router,
    outbound.router,
    listing.router,
    domains.router,
    trace.router,
    message.router,
    queue.router,
    test_mail.router,
    headers.router,
    explain.router,
    doctor.router,
    credentials.router,
    administrators.router,
    invitation.router,
    account.router,
    tokens.router,
    audit.router,
    applying.router,
    settings.router,
    provider.router,
)


def add_pages(app: FastAPI) -> None:
    """After the API's routes and error handlers. `app.state.page_paths` are the pages that there are."""
    for router in _ROUTERS:
        app.include_router(router, include_in_schema=False)
    app.state.page_paths = frozenset(str(getattr(route, "path", "")) for each in _ROUTERS for route in each.routes)
    app.state.live = Live()
    app.state.drawer = Drawer()
    errors.add_handlers(app)
