"""Pages with little behind them: upload, self-test, about, and the static files."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, Depends
from markupsafe import Markup
from starlette.responses import Response

from services.web.context import Web, WebDep
from services.web.identity.access import need
from services.web.pages.assets import assets
from services.web.pages.card import card_html
from services.web.pages.render import page, shell
from services.web.releases import newest_model

router = APIRouter(include_in_schema=False)


@router.get("/upload")
def upload(web: WebDep) -> Response:
    """Where films are dropped."""
    with web.read() as session:
        return page("upload.html", **shell(web, session), place="upload", max_bytes=web.settings.max_body_bytes)


@router.get("/self-test")
def self_test(web: WebDep) -> Response:
    """The page that runs `POST /v1/self-test`."""
    with web.read() as session:
        return page("self_test.html", **shell(web, session), place="self-test")


@router.get("/about", dependencies=[Depends(need("reader", "lead", "admin"))])
async def about(web: WebDep) -> Response:
    """The release, its findings and points, its model card; licences; shortcuts."""
    card = await card_html(web.inference)
    return await asyncio.to_thread(_about, web, card)


def _about(web: Web, card: Markup | None) -> Response:
    with web.read() as session:
        return page("about.html", **shell(web, session), place="about", model=newest_model(session), card=card)


@router.get("/static/{digest}/{name}")
def static(digest: str, name: str) -> Response:
    """A style sheet, a module or a picture."""
    return assets().response(digest, name)


@router.get("/favicon.ico")
def favicon() -> Response:
    """The sign, for browsers that ask here whatever the page says."""
    return assets().response("", "hilum.svg")
