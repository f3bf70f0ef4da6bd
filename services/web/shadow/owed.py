"""Which pairs are owed: every study with an answer that arrived since canary first showed its release."""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, and_, exists, select
from sqlalchemy.orm import Session

from hilum.storage import writer_lock
from hilum.wire import ModelInfo
from services.web.shadow.pairs import Key, key_of
from services.web.shadow.tables import Pair, ShadowDebt, ShadowRelease
from services.web.tables import Study

# A study that canary fails on time and again while it answers others is left missing: evidence says so.
MOST_ATTEMPTS = 8
# Fresh studies are in some process's queue; only older ones are looked for among the rows.
FRESH_SECONDS = 20.0


def keep_shadow_release(session: Session, info: ModelInfo, now: datetime) -> ShadowRelease:
    """Remember that canary shows `info`."""
    writer_lock(session, "shadow-releases")
    key = key_of(info.release)
    row = session.get(ShadowRelease, (key.digest, key.precision))
    if row is None:
        row = ShadowRelease(digest=key.digest, precision=key.precision, first_seen_at=now)
        session.add(row)
    row.payload, row.seen_at = info.model_dump(mode="json"), now
    session.flush()
    return row


def expected() -> ColumnElement[bool]:
    """SQL: whether a study can have a pair. Synthetic ones, and those without answer, can't."""
    return and_(Study.synthetic.is_(False), Study.answer_version > 0)


def has_pair(shadow: Key) -> ColumnElement[bool]:
    """SQL: whether the study's newest answer has its pair with release `shadow`."""
    return exists().where(
        Pair.study_uid == Study.uid,
        Pair.shadow_digest == shadow.digest,
        Pair.shadow_precision == shadow.precision,
        Pair.answer_version == Study.answer_version,
    )


def missing_studies(
    session: Session, shadow: Key, *, now: datetime, longest_hours: float, limit: int, fresh_seconds: float
) -> list[str]:
    """At most `limit` studies that are owed a pair and may be tried now, the newest first."""
    release = session.get(ShadowRelease, (shadow.digest, shadow.precision))
    if release is None:
        return []
    since = max(release.first_seen_at, now - timedelta(hours=longest_hours))
    put_off = exists().where(
        ShadowDebt.study_uid == Study.uid,
        ShadowDebt.shadow_digest == shadow.digest,
        (ShadowDebt.next_try > now) | (ShadowDebt.attempts >= MOST_ATTEMPTS),
    )
    query = (
        select(Study.uid)
        .where(
            Study.arrived_at >= since,
            Study.arrived_at <= now - timedelta(seconds=fresh_seconds),
            expected(),
            Study.status != "waiting",
            ~has_pair(shadow),
            ~put_off,
        )
        .order_by(Study.arrived_at.desc())
        .limit(limit)
    )
    return list(session.scalars(query))


def put_off(
    session: Session, study_uid: str, shadow: str, reason: str, *, now: datetime, counts: bool, longest_seconds: float
) -> None:
    """Let the study wait before canary is asked again; `counts`: the failure may be the study's own."""
    row = session.get(ShadowDebt, (study_uid, shadow))
    if row is None:
        row = ShadowDebt(study_uid=study_uid, shadow_digest=shadow, attempts=0)
        session.add(row)
    row.attempts += int(counts)
    row.next_try = now + timedelta(seconds=min(2.0 ** (row.attempts + 2), longest_seconds))
    row.reason = reason[:400]
    session.flush()


def paid(session: Session, study_uid: str, shadow: str) -> None:
    """The pair is there."""
    row = session.get(ShadowDebt, (study_uid, shadow))
    if row is not None:
        session.delete(row)
