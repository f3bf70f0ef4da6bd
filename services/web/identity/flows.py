"""Sign-ins under way at the provider: rows that one browser can take up, once, within ten minutes."""

from __future__ import annotations

import secrets
from datetime import datetime, timedelta

from sqlalchemy import delete
from sqlalchemy.orm import Session as Rows

from services.web.identity.oidc import Flow
from services.web.identity.sessions import key_of
from services.web.identity.tables import SignIn

LASTS = timedelta(minutes=10)


def keep(rows: Rows, flow: Flow, wanted: str, now: datetime) -> str:
    """Remember `flow`; returns the value of the browser's cookie."""
    cookie = secrets.token_urlsafe(32)
    rows.execute(delete(SignIn).where(SignIn.ends_at < now))
    rows.add(
        SignIn(
            key=key_of(cookie),
            state=flow.state,
            nonce=flow.nonce,
            verifier=flow.verifier,
            back=flow.back,
            wanted=wanted,
            ends_at=now + LASTS,
        )
    )
    return cookie


def take(rows: Rows, cookie: str, state: str, now: datetime) -> tuple[Flow, str] | None:
    """The flow and where the person wanted to go; None where this browser did not begin it, or it is used or over."""
    row = rows.get(SignIn, key_of(cookie))
    if row is None:
        return None
    rows.delete(row)
    if now >= row.ends_at or not secrets.compare_digest(row.state.encode(), state.encode()):
        return None
    return Flow(row.state, row.nonce, row.verifier, row.back), row.wanted
