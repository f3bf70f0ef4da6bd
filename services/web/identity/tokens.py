"""Keys of machines: a name, scopes, an end. What the machine sends is shown once; its sha256 is kept."""

from __future__ import annotations

import hashlib
import secrets
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session as Rows

from services.web.identity.person import Person
from services.web.identity.tables import Token

PREFIX = "hilum_"


def _key(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


def make(rows: Rows, name: str, scopes: frozenset[str], now: datetime, ends_at: datetime) -> str:
    """A new token; returns what the machine sends. Raises ValueError where the name was used."""
    if rows.get(Token, name) is not None:
        raise ValueError(
            f"a token called {name} is or was there; take another name, so that the audit tells them apart"
        )
    secret = PREFIX + secrets.token_urlsafe(32)
    rows.add(Token(name=name, key=_key(secret), scopes=sorted(scopes), made_at=now, ends_at=ends_at, revoked_at=None))
    return secret


def holder(rows: Rows, secret: str, now: datetime) -> Person | None:
    """The machine that sends `secret`; None where the token is unknown, revoked or over."""
    token = rows.scalar(select(Token).where(Token.key == _key(secret)))
    if token is None or token.revoked_at is not None or token.ends_at <= now:
        return None
    return Person(f"token:{token.name}", frozenset(), frozenset(token.scopes), how="token")


def revoke(rows: Rows, name: str, now: datetime) -> bool:
    """End a token; whether there was one."""
    token = rows.get(Token, name)
    if token is not None and token.revoked_at is None:
        token.revoked_at = now
    return token is not None
