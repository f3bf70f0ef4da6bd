"""A request and its row in the audit log: no answer leaves before its row is on disk."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hilum.problems import Problem
from hilum.security import SAFE_METHODS
from hilum.storage import DatabaseUnavailable
from services.web.identity.audit import Trail, entry_of, shows_patients
from services.web.identity.person import Person

# How a problem is shown to who asked: a person gets a page of it.
Shown = Callable[[Scope, Response], Response]
# Nothing was shown: not changed since, no such thing, or a failure of our own.
_SHOWS_NOTHING = frozenset({304, 404})


def database_away(error: DatabaseUnavailable) -> Problem:
    """The answer while nothing can be written, so nothing is shown either."""
    return Problem(503, "database-unavailable", f"Nothing was kept: {error}.", headers={"Retry-After": "5"})


@dataclass(frozen=True)
class Recorded:
    """One request of `person`."""

    trail: Trail
    person: Person
    address: str
    shown: Shown

    async def run(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        """Run `app`; a log that can't be written refuses the change before it begins, and the view."""
        method, path = scope["method"], scope["path"]
        changes = method not in SAFE_METHODS
        refused: DatabaseUnavailable | None = None

        async def written(message: Message) -> None:
            nonlocal refused
            if message["type"] == "http.response.start":
                status = message["status"]
                entry = entry_of(self.person, self.address, method, path, status)
                try:
                    if changes:
                        if status >= 400:
                            await self.trail.record(entry)
                    elif status not in _SHOWS_NOTHING and status < 500 and shows_patients(path):
                        await self.trail.record_view(self.person, entry)
                except DatabaseUnavailable as error:
                    refused = error
                    raise
            await send(message)

        if changes:
            try:
                await self.trail.record(entry_of(self.person, self.address, method, path, 0))
            except DatabaseUnavailable as error:
                await self.shown(scope, database_away(error).response())(scope, receive, send)
                return
        try:
            await app(scope, receive, written)
        except Exception:
            # A streamed answer wraps what its sending raises.
            if refused is None:
                raise
            await self.shown(scope, database_away(refused).response())(scope, receive, send)
