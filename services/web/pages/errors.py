"""A browser that asks for a page gets errors as a page; programs get the problem document that they had before."""

from __future__ import annotations

import json
from collections.abc import Awaitable, Callable
from typing import Any, cast

from fastapi import FastAPI, Request
from starlette.responses import Response
from starlette.types import Scope

from services.web.identity.person import Person, current
from services.web.pages.render import page

Handler = Callable[[Request, Exception], Awaitable[Response]]
HEADINGS = {
    400: "This address is not complete",
    401: "Nobody is signed in",
    403: "This is not allowed",
    404: "There is no such page",
    405: "This is not a page",
    422: "This address is not complete",
    429: "One moment, please",
    503: "Hilum is not ready",
}
# Addresses that programs use; a browser that opens one wants what a program gets.
_FOR_PROGRAMS = ("/v1/", "/healthz", "/readyz", "/metrics", "/openapi.json", "/static/")


def wants_page(request: Request) -> bool:
    """Whether a person sits at the other end."""
    return "text/html" in request.headers.get("accept", "") and not request.url.path.startswith(_FOR_PROGRAMS)


def _as_page(response: Response, person: Person | None) -> Response:
    problem: dict[str, Any] = json.loads(bytes(response.body))
    headers = {"retry-after": response.headers["retry-after"]} if "retry-after" in response.headers else {}
    return page(
        "error.html",
        status_code=response.status_code,
        status=response.status_code,
        headers=headers,
        heading=HEADINGS.get(response.status_code, "Something went wrong"),
        detail=problem.get("detail", ""),
        place="error",
        reader=person.name if person else "nobody",
        release=None,
        binary="",
    )


def shown(scope: Scope, response: Response) -> Response:
    """What stands before the application says a problem: a page of it where a person sits at the other end."""
    is_problem = response.headers.get("content-type") == "application/problem+json"
    return _as_page(response, current()) if is_problem and wants_page(Request(scope)) else response


def _for_people(handler: Handler) -> Handler:
    async def handle(request: Request, error: Exception) -> Response:
        response = await handler(request, error)
        if not wants_page(request):
            return response
        # The frame is drawn without the database: it may be what failed.
        return _as_page(response, current())

    return handle


def install(app: FastAPI) -> None:
    """Wrap every error handler that `app` has by now."""
    for kind, handler in list(app.exception_handlers.items()):
        app.add_exception_handler(kind, _for_people(cast(Handler, handler)))
