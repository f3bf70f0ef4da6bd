"""The database is the queue of films that wait for a score: it survives `kill -9`, and replicas share it."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, or_, select, update
from sqlalchemy.orm import Session

from services.web.tables import Film, Prediction, Study


@dataclass(frozen=True)
class Claimed:
    """A film that this process scores now."""

    uid: str
    study_uid: str
    blob_key: str
    file_name: str
    attempts: int
    # When it arrived; None where it was scored before (a late film, a new release): then nobody waits for a rank.
    arrived_at: datetime | None
    trace: str = ""


def claim_film(session: Session, now: datetime, lease_seconds: float) -> Claimed | None:
    """Take the waiting film that was tried least, the one due first among equals, for `lease_seconds`.

    However many wait: the fewest tries are the first of one index, the first due study with such a film is near the
    beginning of another.
    """
    free = and_(
        Film.state == "waiting", Film.next_try <= now, or_(Film.leased_until.is_(None), Film.leased_until <= now)
    )
    # A film that inference fails on must not keep it from the others.
    least = session.scalar(select(Film.attempts).where(free).order_by(Film.attempts, Film.next_try).limit(1))
    if least is None:
        return None
    first = select(Film).join(Study, Study.uid == Film.study_uid).where(free, Film.attempts == least)
    first = first.order_by(Study.due_at, Study.uid).limit(1).with_for_update(skip_locked=True, of=Film)
    # What was read already, and waits for a score all the same, comes when nobody waits for the others.
    film = session.scalars(first.where(Study.status == "waiting")).first() or session.scalars(first).first()
    if film is None:
        return None
    film.leased_until = now + timedelta(seconds=lease_seconds)
    film.attempts += 1
    session.flush()
    scored = session.scalar(select(Prediction.film_uid).where(Prediction.film_uid == film.uid).limit(1))
    arrived_at = film.arrived_at if scored is None else None
    return Claimed(film.uid, film.study_uid, film.blob_key, film.file_name, film.attempts, arrived_at, film.trace)


def put_back(session: Session, uid: str, now: datetime, attempts: int, longest_seconds: float) -> None:
    """Let a film wait again: 1, 2, 4 ... seconds, at most `longest_seconds`, with some chance in it."""
    pause = min(2.0 ** min(attempts - 1, 16), longest_seconds) * random.uniform(0.75, 1.0)  # noqa: S311
    mine = update(Film).where(Film.uid == uid, Film.state == "waiting")
    session.execute(mine.values(next_try=now + timedelta(seconds=pause), leased_until=None))


def hurry_all(session: Session, now: datetime) -> None:
    """Inference is back: no film that nobody scores at the moment needs to wait longer."""
    late = update(Film).where(Film.state == "waiting", Film.next_try > now, Film.leased_until.is_(None))
    session.execute(late.values(next_try=now))


def end_leases(session: Session, now: datetime) -> None:
    """Take every film back from a process that is gone. Only for rows that one process alone uses (SQLite)."""
    session.execute(update(Film).where(Film.state == "waiting").values(leased_until=None, next_try=now))
