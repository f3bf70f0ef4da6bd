"""Before everything else of the application: who asks? Nobody passes unknown but to the few open paths."""

from __future__ import annotations

import asyncio
import time
from typing import Any
from urllib.parse import quote, urlsplit

from starlette.datastructures import Headers
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from hilum.problems import Problem
from hilum.security import SAFE_METHODS
from hilum.storage import DatabaseUnavailable
from services.web.identity import mask
from services.web.identity.access import signed_out
from services.web.identity.limits import network
from services.web.identity.person import Person, set_current
from services.web.identity.recorded import Recorded, Shown, database_away
from services.web.identity.service import Identity

# No patient's data behind them: probes, the metrics that Prometheus scrapes, signing in, and the pages' own files.
OPEN = frozenset({"/healthz", "/readyz", "/metrics", "/login", "/auth/start", "/auth/callback", "/favicon.ico"})
OPEN_BELOW = "/static/"
# Programs' addresses: they get the problem, never a page to sign in.
FOR_PROGRAMS = ("/v1/", "/dicom-web/", "/openapi.json", "/static/")


def is_open(path: str) -> bool:
    """Whether anybody may ask for `path`."""
    return path in OPEN or path.startswith(OPEN_BELOW)


def _is_act(scope: Scope, headers: Headers) -> bool:
    """Whether a person did something: pages that refresh themselves must not keep a session alive for ever."""
    mode = headers.get("sec-fetch-mode")
    return mode in {None, "navigate"} or scope["method"] not in SAFE_METHODS


def _from_our_page(headers: Headers) -> bool:
    """Whether the browser itself says that one of our pages sent this."""
    origin = headers.get("origin")
    if origin is not None:
        return urlsplit(origin).netloc == headers.get("host", "")
    return headers.get("sec-fetch-site") == "same-origin"


class Gate:
    """Puts the `Person` into `request.state.person`; who is unknown gets a 401 problem or the page to sign in."""

    def __init__(self, app: ASGIApp, shown: Shown) -> None:
        self.app = app
        self.shown = shown

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with its person, or refuse it."""
        if scope["type"] != "http":
            if scope["type"] == "websocket":
                raise RuntimeError("there are no websockets here")
            await self.app(scope, receive, send)
            return
        set_current(None)
        state: dict[str, Any] = scope.setdefault("state", {})
        state["person"] = None
        if is_open(scope["path"]):
            await self.app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        address = scope["client"][0] if scope.get("client") else ""
        identity: Identity = scope["app"].state.identity
        try:
            person = await self._person(identity, Request(scope), active=_is_act(scope, headers))
        except DatabaseUnavailable as error:
            await self.shown(scope, database_away(error).response())(scope, receive, send)
            return
        refusal = _refusal(identity, person, scope, headers, address)
        if refusal is not None or person is None:
            await self.shown(scope, refusal or signed_out().response())(scope, receive, send)
            return
        state["person"] = person
        set_current(person)
        await Recorded(identity.trail, person, address, self.shown).run(self.app, scope, receive, send)

    async def _person(self, identity: Identity, request: Request, *, active: bool) -> Person | None:
        authorization = request.headers.get("authorization")
        if authorization is not None:
            return await asyncio.to_thread(identity.machine, authorization)
        if identity.automatic is not None:
            return identity.person(None, active=active)
        return await asyncio.to_thread(identity.person, request.cookies.get(identity.cookie), active=active)


def _refusal(
    identity: Identity, person: Person | None, scope: Scope, headers: Headers, address: str
) -> Response | None:
    """The answer to who may not go on; None where `person` may."""
    if person is None or person.how != "automatic":
        key = network(address) if person is None else person.session or person.name
        if wait := identity.pace.take(key, time.monotonic()):
            later = {"Retry-After": str(int(wait) + 1)}
            return Problem(429, "too-many-requests", "Too many requests; wait, then go on.", headers=later).response()
    if person is None:
        return _ask_to_sign_in(scope, headers)
    if person.session and scope["method"] not in SAFE_METHODS and not _from_our_page(headers):
        detail = "A change by a signed-in browser has to come from our own page."
        return Problem(403, "cross-site-request", detail).response()
    hidden = mask.refusal(person, scope["path"])
    return hidden.response() if hidden else None


def _ask_to_sign_in(scope: Scope, headers: Headers) -> Response:
    page = "text/html" in headers.get("accept", "") and not scope["path"].startswith(FOR_PROGRAMS)
    if not page or scope["method"] not in SAFE_METHODS:
        return signed_out().response()
    query = scope.get("query_string", b"").decode("latin-1")
    wanted = scope["path"] + (f"?{query}" if query else "")
    return RedirectResponse(f"/login?next={quote(wanted, safe='')}", status_code=303)
