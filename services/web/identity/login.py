"""`/login` and `/logout`."""

from __future__ import annotations

import asyncio
import re
import time
from typing import Annotated
from urllib.parse import urlsplit

from fastapi import APIRouter, Form, Query, Request
from starlette.responses import RedirectResponse, Response

from services.web.identity.access import signed_in
from services.web.identity.audit import Entry
from services.web.identity.person import Person
from services.web.identity.service import Identity
from services.web.pages.render import page

router = APIRouter(include_in_schema=False)
WRONG = "Name or password are not right."
ELSEWHERE = "Another site sent this. Sign in here yourself."
# argon2 takes 64 MiB each: two at a time, however many ask.
_JUDGES = asyncio.Semaphore(2)
_LOCAL = re.compile(r"/(?![/\\])[\x21-\x5b\x5d-\x7e]*")


def local(path: str) -> str:
    """`path` where it is a page of this service, else the list: nobody is led elsewhere by a link to sign in."""
    return path if _LOCAL.fullmatch(path) and not path.startswith(("/login", "/logout", "/auth/")) else "/"


def identity_of(request: Request) -> Identity:
    """The running service's."""
    identity: Identity = request.app.state.identity
    return identity


def set_cookie(identity: Identity, response: Response, cookie: str) -> None:
    """For the browser's own session, unreadable for scripts; Lax, so that a link from the RIS opens a study."""
    response.set_cookie(
        identity.cookie, cookie, path="/", httponly=True, samesite="lax", secure=identity.settings.behind_tls
    )


def form(
    identity: Identity,
    wanted: str,
    error: str = "",
    status: int = 200,
    wait: float = 0.0,
    *,
    over: bool = False,
    name: str = "",
) -> Response:
    """The page to sign in. `over`: the browser's session has ended; `name`: as it was typed before."""
    headers = {"retry-after": str(int(wait) + 1)} if wait else {}
    return page(
        "login.html", status_code=status, headers=headers, wanted=local(wanted), error=error, over=over, typed=name,
        by_password=identity.users is not None, by_provider=identity.settings.oidc_title if identity.provider else "",
    )  # fmt: skip


def _from_elsewhere(request: Request) -> bool:
    """Whether the browser says that another site's page sent this; programs say nothing."""
    origin = request.headers.get("origin")
    if origin not in {None, "null"}:
        return urlsplit(origin).netloc != request.headers.get("host", "")
    return request.headers.get("sec-fetch-site") in {"cross-site", "same-site"}


@router.get("/login")
def show(request: Request, wanted: Annotated[str, Query(alias="next", max_length=2000)] = "/") -> Response:
    """The form; who is signed in by itself has nothing to do here."""
    identity = identity_of(request)
    if identity.automatic is not None:
        return RedirectResponse("/", status_code=303)
    # A cookie that holds no session any more: signing out would have taken it away.
    cookie = request.cookies.get(identity.cookie)
    return form(identity, wanted, over=bool(cookie) and identity.person(cookie, active=False) is None)


@router.post("/login")
async def sign_in(
    request: Request,
    name: Annotated[str, Form(max_length=128)] = "",
    password: Annotated[str, Form(max_length=1024)] = "",
    wanted: Annotated[str, Form(alias="next", max_length=2000)] = "/",
) -> Response:
    """A new session with a new cookie; the same words whatever was wrong."""
    identity = identity_of(request)
    if identity.users is None:
        return RedirectResponse("/", status_code=303)
    if _from_elsewhere(request):
        # Else another site could sign a reader in under its own name, and have the reads.
        return form(identity, wanted, ELSEWHERE, 403)
    address = request.client.host if request.client else ""
    if wait := identity.limits.take(address, name, time.monotonic()):
        return form(identity, wanted, f"Too many tries. Wait {int(wait) + 1} seconds.", 429, wait, name=name)
    async with _JUDGES:
        user = await asyncio.to_thread(identity.check_password, name, password)
    # The name as typed might be a password in the wrong field: only a known one is written down.
    known = name if identity.user(name) else "unknown user"
    await identity.trail.record(
        Entry(known, "users-file", address[:64], "sign-in", "POST /login", 401 if user is None else 200)
    )
    if user is None:
        return form(identity, wanted, WRONG, 401, name=name)
    identity.limits.succeeded(address, name)
    before = request.cookies.get(identity.cookie)
    cookie = await asyncio.to_thread(identity.begin, user.name, "users-file", user.roles, user.stamp, replaces=before)
    person = Person(user.name, user.roles)
    response = RedirectResponse(person.home if local(wanted) == "/" else local(wanted), status_code=303)
    set_cookie(identity, response, cookie)
    return response


@router.post("/logout")
async def sign_out(request: Request) -> Response:
    """The session is over, on the server too; then the provider's own, where one signed the person in."""
    identity = identity_of(request)
    hint = await asyncio.to_thread(identity.end, signed_in(request))
    leave = None
    if hint and identity.provider is not None:
        home = (identity.settings.public_url or str(request.base_url)).rstrip("/")
        leave = await identity.provider.end_address(hint, f"{home}/login")
    response: Response = RedirectResponse("/login", status_code=303)
    if leave:
        # Not a redirect: the policy lets a form of ours lead to our own pages alone.
        response = form(identity, "/")
        response.headers["refresh"] = f"0; url={leave}"
    secure = identity.settings.behind_tls
    # Films that this browser keeps would outlive the session on a shared workstation; reads not yet sent stay.
    response.headers["clear-site-data"] = '"cache"'
    response.delete_cookie(identity.cookie, path="/", httponly=True, samesite="lax", secure=secure)
    return response
