"""Roles at the API: `need("lead")` on a route, and a guard that runs before every route.

A route that states nothing is for readers. A machine's token passes only where the route states a scope that it has.
"""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import Depends, Request
from fastapi.dependencies.models import Dependant

from hilum.problems import Problem
from services.web.identity.person import Person, Role, Scope


def signed_out() -> Problem:
    """The answer to a program or a page's script whose session is over; pages keep what was typed."""
    return Problem(401, "signed-out", "Nobody is signed in, or the session is over; sign in again.")


def signed_in(request: Request) -> Person:
    """Who asks; raises a 401 problem where nobody is signed in."""
    person: Person | None = getattr(request.state, "person", None)
    if person is None:
        raise signed_out()
    return person


class Need:
    """What a route asks of who calls it: one of `roles`, or a token with `scope`. No role at all: open to everybody."""

    def __init__(self, roles: tuple[Role, ...], scope: Scope | None = None) -> None:
        self.roles = roles
        self.scope = scope

    def refusal(self, person: Person) -> Problem | None:
        """The 403 problem, None where `person` may pass."""
        if any(person.may(role) for role in self.roles) or (self.scope is not None and self.scope in person.scopes):
            return None
        if person.how == "token":
            return Problem(403, "scope-missing", f"This token lacks the scope {self.scope or 'that this needs'}.")
        return Problem(
            403, "role-missing", f"This needs the role {' or '.join(self.roles)}; yours does not include it."
        )

    async def __call__(self, request: Request) -> Person:
        """The person, who may; raises 401 and 403 problems."""
        person = signed_in(request)
        if refusal := self.refusal(person):
            raise refusal
        return person


def need(*roles: Role, scope: Scope | None = None) -> Need:
    """For `Depends`: one of `roles` is needed, or a token with `scope`."""
    return Need(roles, scope)


DEFAULT = need("reader")
Reader = Annotated[Person, Depends(DEFAULT)]
Lead = Annotated[Person, Depends(need("lead"))]
Admin = Annotated[Person, Depends(need("admin"))]


def stated(route: Any) -> Need:
    """What `route` asks: the first `need` among its dependencies, else a reader."""
    dependant = getattr(route, "dependant", None)
    return (_first(dependant) if isinstance(dependant, Dependant) else None) or DEFAULT


def _first(dependant: Dependant) -> Need | None:
    for below in dependant.dependencies:
        if isinstance(below.call, Need):
            return below.call
        if found := _first(below):
            return found
    return None


async def guard(request: Request) -> None:
    """Runs before every route of the application: raises a 403 problem unless the person may pass."""
    person: Person | None = getattr(request.state, "person", None)
    if person is None:
        return  # The gate lets nobody pass without a person but to the few open paths.
    if refusal := stated(request.scope.get("route")).refusal(person):
        raise refusal
