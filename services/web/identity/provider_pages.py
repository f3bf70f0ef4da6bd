"""`/auth/start` and `/auth/callback`: to the OpenID provider and back."""

from __future__ import annotations

import asyncio
import time
from typing import Annotated

import structlog
from fastapi import APIRouter, Query, Request
from starlette.responses import RedirectResponse, Response

from services.web.context import utc_now
from services.web.identity import flows
from services.web.identity.audit import Entry
from services.web.identity.limits import network
from services.web.identity.login import form, identity_of, local, set_cookie
from services.web.identity.oidc import Flow, NotSignedIn
from services.web.identity.person import Person
from services.web.identity.service import Identity

router = APIRouter(prefix="/auth", include_in_schema=False)
log = structlog.get_logger("hilum.web.identity")
Text = Annotated[str, Query(max_length=4000)]
NOT_FINISHED = "This sign-in was not finished here, or too late. Begin again."


def our_address(identity: Identity, request: Request) -> str:
    """Ours as the browser knows it, without a slash at the end."""
    return (identity.settings.public_url or str(request.base_url)).rstrip("/")


def _cookie_name(identity: Identity) -> str:
    return f"{identity.cookie}_sign_in"


@router.get("/start")
async def start(request: Request, wanted: Annotated[str, Query(alias="next", max_length=2000)] = "/") -> Response:
    """To the provider, with a state that this browser alone can bring back."""
    identity = identity_of(request)
    if identity.provider is None:
        return RedirectResponse("/login", status_code=303)
    address = request.client.host if request.client else ""
    if wait := identity.limits.by_network.take(network(address), time.monotonic()):
        return form(identity, wanted, f"Too many tries. Wait {int(wait) + 1} seconds.", 429, wait)
    try:
        url, flow = await identity.provider.start(f"{our_address(identity, request)}/auth/callback")
    except NotSignedIn as error:
        return form(identity, wanted, str(error), 503)

    def keep() -> str:
        with identity.web.write() as rows:
            return flows.keep(rows, flow, local(wanted), utc_now())

    cookie = await asyncio.to_thread(keep)
    response = RedirectResponse(url, status_code=303)
    secure = identity.settings.behind_tls
    response.set_cookie(
        _cookie_name(identity), cookie, max_age=600, path="/", httponly=True, samesite="lax", secure=secure
    )
    return response


@router.get("/callback")
async def callback(request: Request, code: Text = "", state: Text = "", iss: Text = "") -> Response:
    """Back from the provider: a session for whom it names."""
    identity = identity_of(request)
    cookie = request.cookies.get(_cookie_name(identity), "")

    def take() -> tuple[Flow, str] | None:
        with identity.web.write() as rows:
            return flows.take(rows, cookie, state, utc_now())

    known = await asyncio.to_thread(take) if cookie and state else None
    if identity.provider is None or known is None:
        return form(identity, "/", NOT_FINISHED, 400)
    flow, wanted = known
    address = (request.client.host if request.client else "")[:64]
    try:
        if not code or (iss and iss != identity.settings.oidc_issuer):
            raise NotSignedIn("The provider signed nobody in.")
        claimed = await identity.provider.finish(code, flow)
        if identity.user(claimed.name) is not None:
            raise NotSignedIn("Somebody of this name is in the users file; one name is one person.")
    except NotSignedIn as error:
        log.warning("a sign-in by the provider failed", reason=str(error))
        await identity.trail.record(Entry("unknown user", "oidc", address, "sign-in", "GET /auth/callback", 401))
        return form(identity, wanted, str(error), 401)
    await identity.trail.record(Entry(claimed.name, "oidc", address, "sign-in", "GET /auth/callback", 200))
    before = request.cookies.get(identity.cookie)
    fresh = await asyncio.to_thread(
        identity.begin, claimed.name, "oidc", claimed.roles, replaces=before, hint=claimed.hint
    )
    person = Person(claimed.name, claimed.roles)
    response = RedirectResponse(person.home if wanted == "/" else wanted, status_code=303)
    response.delete_cookie(
        _cookie_name(identity), path="/", httponly=True, samesite="lax", secure=identity.settings.behind_tls
    )
    set_cookie(identity, response, fresh)
    return response
