"""Who asks: a person with roles, or a machine with scopes."""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass
from typing import Literal, get_args

Role = Literal["reader", "lead", "admin"]
Scope = Literal["films:write", "studies:read", "studies:close", "evidence:read"]
How = Literal["automatic", "users-file", "oidc", "token"]
ROLES: tuple[Role, ...] = get_args(Role)
SCOPES: tuple[Scope, ...] = get_args(Scope)


@dataclass(frozen=True)
class Person:
    """Who is signed in. `how` says by what; `session` is the key of the session's row, "" where there is none.

    A machine's token has scopes and no role. `masked`: patients' identity is withheld from this session's pages.
    """

    name: str
    roles: frozenset[str]
    scopes: frozenset[str] = frozenset()
    how: How = "automatic"
    session: str = ""
    masked: bool = False

    def may(self, role: Role) -> bool:
        """Whether the person acts as `role`. A lead may do what a reader may; an admin reads nothing by being one."""
        return role in self.roles or (role == "reader" and "lead" in self.roles)

    @property
    def home(self) -> str:
        """The page that this person begins with."""
        return "/" if self.may("reader") else "/numbers"


_CURRENT: ContextVar[Person | None] = ContextVar("hilum_person", default=None)


def current() -> Person | None:
    """Who asks in this request; None outside of requests, and where nobody is signed in."""
    return _CURRENT.get()


def set_current(person: Person | None) -> None:
    """For the gate alone: each request is a task of its own, so the value ends with it."""
    _CURRENT.set(person)
