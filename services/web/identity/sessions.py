"""Sessions as rows: the cookie holds 256 random bits, the row their hash. Who reads the database can't sign in."""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session as Rows

from services.web.identity.tables import Session

# An expired row is of use for this long to whoever looks into what happened; the audit log stays.
KEEP = timedelta(days=7)
# `seen_at` is written at most this often, so that a page with fifty pictures is not fifty writes.
TOUCH = timedelta(seconds=60)


@dataclass(frozen=True)
class Lifetime:
    """`idle`: without any act; `longest`: however busy."""

    idle: timedelta
    longest: timedelta


def key_of(cookie: str) -> str:
    """The row's key."""
    return hashlib.sha256(cookie.encode()).hexdigest()


def begin(
    rows: Rows,
    *,
    name: str,
    how: str,
    roles: frozenset[str],
    stamp: str,
    now: datetime,
    lifetime: Lifetime,
    hint: str | None = None,
) -> str:
    """A new session; returns the cookie's value. Rows long over are removed. `hint`: the provider's ID token."""
    cookie = secrets.token_urlsafe(32)
    rows.execute(delete(Session).where(Session.ends_at < now - KEEP))
    rows.add(
        Session(
            key=key_of(cookie),
            name=name,
            how=how,
            roles=sorted(roles),
            stamp=stamp,
            masked=False,
            begun_at=now,
            seen_at=now,
            ends_at=now + lifetime.longest,
            hint=hint,
        )
    )
    return cookie


def find(rows: Rows, cookie: str, now: datetime, lifetime: Lifetime) -> Session | None:
    """The session that is not over: not revoked, not idle for too long, not older than its end."""
    session = rows.get(Session, key_of(cookie))
    if session is None or session.revoked_at is not None:
        return None
    return session if now < min(session.ends_at, session.seen_at + lifetime.idle) else None


def touch(rows: Rows, key: str, now: datetime) -> None:
    """The person did something."""
    rows.execute(update(Session).where(Session.key == key, Session.seen_at < now).values(seen_at=now))


def set_mask(rows: Rows, key: str, *, masked: bool) -> None:
    """Remember whether the session hides patients' identity."""
    rows.execute(update(Session).where(Session.key == key).values(masked=masked))


def revoke(rows: Rows, now: datetime, *, key: str | None = None, name: str | None = None) -> int:
    """End one session, or all of a person; returns how many were open."""
    query = update(Session).where(Session.revoked_at.is_(None), Session.ends_at > now)
    query = query.where(Session.key == key) if name is None else query.where(Session.name == name)
    ended = rows.execute(query.values(revoked_at=now).returning(Session.key)).all()
    return len(ended)


def open_sessions(rows: Rows, now: datetime, lifetime: Lifetime) -> list[Session]:
    """Those that are not over, newest first."""
    query = (
        select(Session)
        .where(Session.revoked_at.is_(None), Session.ends_at > now, Session.seen_at > now - lifetime.idle)
        .order_by(Session.begun_at.desc())
        .limit(1000)
    )
    return list(rows.scalars(query))
