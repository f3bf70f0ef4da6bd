"""Exposure: the share of patients whose live answer is canary's.

A salted hash gives each patient one number in 0..1 for ever; those below the share are exposed. A patient's studies go
together, and raising the share adds patients and moves none. What was decided for a study is kept before its first
answer; from then on the study goes back to production's release at most once, with the reason, and never forth.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from hilum.triage import TriagePolicy
from services.web.blind import in_blind_share
from services.web.settings import WebSettings
from services.web.shadow.canary import Canary
from services.web.shadow.metrics import EXPOSURES
from services.web.shadow.pairs import Key, key_of
from services.web.shadow.tables import Exposure
from services.web.tables import Answer, Film, Prediction, Study
from services.web.urgency import locked_study, refresh

_AT_ONCE = 500


def in_exposed_share(study: Study, settings: WebSettings) -> bool:
    """Whether the study's patient is exposed. Apart from the blind share: who is in one says nothing of the other."""
    return in_blind_share(study.patient_id or study.uid, f"exposure\0{settings.exposure_salt}", settings.exposure_share)


def release_for(session: Session, uid: str, canary: Canary, settings: WebSettings, now: datetime) -> Key | None:
    """The release of canary's that answers the study live; None: production's does. Decides where it is open."""
    study = locked_study(session, uid)
    if study is None:
        return None
    row = session.get(Exposure, uid)
    if row is None:
        if canary.model is None or canary.same or study.synthetic or study.answer_version > 0:
            return None
        key = key_of(canary.model.release)
        row = Exposure(
            study_uid=uid,
            exposed=in_exposed_share(study, settings),
            share=settings.exposure_share,
            release_digest=key.digest,
            precision=key.precision,
            decided_at=now,
        )
        session.add(row)
        session.flush()
        EXPOSURES.labels("exposed" if row.exposed else "not_exposed").inc()
    if not row.exposed or row.ended_at is not None:
        return None
    if reason := why_end(study, row, canary, settings, now, waits=False):
        end(session, study, row, reason, settings.policy, now)
        return None
    return Key(row.release_digest, row.precision)


def why_end(
    study: Study, row: Exposure, canary: Canary | None, settings: WebSettings, now: datetime, *, waits: bool
) -> str | None:
    """Why canary can't answer this study any more, in words; None: it can.

    `waits`: a study that has its answer stays with it through a short outage; one that has none does not wait.
    """
    if canary is None:
        return "canary is not configured any more"
    if not in_exposed_share(study, settings):
        return "exposure was turned down"
    if canary.model is not None and key_of(canary.model.release) != Key(row.release_digest, row.precision):
        return "canary serves another release now"
    if not waits:
        return "canary did not answer" if canary.is_away else None
    gone = timedelta(minutes=settings.canary_gone_minutes)
    if canary.is_away and canary.away_since is not None and now - canary.away_since >= gone:
        return "canary has not answered for some time"
    return None


def end(session: Session, study: Study, row: Exposure, reason: str, policy: TriagePolicy, now: datetime) -> None:
    """Give the study back to production's release, which scores its films anew: the next version of the answer."""
    row.ended_at, row.ended_reason = now, reason
    EXPOSURES.labels("ended").inc()
    answer = session.get(Answer, (study.uid, study.answer_version)) if study.answer_version else None
    if answer is not None and answer.release_digest == row.release_digest:
        judged = select(Prediction.film_uid).where(
            Prediction.release_digest == row.release_digest, Prediction.precision == row.precision
        )
        session.execute(
            update(Film)
            .where(Film.study_uid == study.uid, Film.uid.in_(judged), Film.state.in_(("scored", "not_scored")))
            .values(state="waiting", attempts=0, next_try=now, leased_until=None, reason=None)
            .execution_options(synchronize_session="fetch")
        )
        session.flush()
        refresh(session, study, policy)
    session.flush()


def must_end(session: Session, canary: Canary | None, settings: WebSettings, now: datetime) -> list[tuple[str, str]]:
    """Unread studies that canary can't answer any more, each with the reason.

    A study that was read stays with the answer that its reader saw.
    """
    # From the exposures to the studies: joined, a database might begin with all unread studies where there is no open
    # exposure at all.
    status = select(Study.status).where(Study.uid == Exposure.study_uid).scalar_subquery()
    open_ = select(Exposure).where(Exposure.exposed, Exposure.ended_at.is_(None), status != "read")
    rows = session.scalars(open_.order_by(Exposure.study_uid)).all()
    reasons = []
    for start in range(0, len(rows), _AT_ONCE):
        some = {row.study_uid: row for row in rows[start : start + _AT_ONCE]}
        for study in session.scalars(select(Study).where(Study.uid.in_(some)).order_by(Study.uid)):
            reasons.append((study.uid, why_end(study, some[study.uid], canary, settings, now, waits=True)))
    return [(uid, reason) for uid, reason in reasons if reason]


def end_one(session: Session, uid: str, reason: str, policy: TriagePolicy, now: datetime, *, unread_only: bool) -> None:
    """End the study's exposure unless it is ended, or, with `unread_only`, was read meanwhile."""
    study = locked_study(session, uid)
    row = session.get(Exposure, uid)
    if study is not None and row is not None and row.ended_at is None and not (unread_only and study.status == "read"):
        end(session, study, row, reason, policy, now)
