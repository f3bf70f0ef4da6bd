"""Withdrawn films: shown as withdrawn, in no answer, never lost. The answer's next version says what remains."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from hilum.triage import TriagePolicy
from services.web.answers import answer_from_rest
from services.web.dicom.facts import InstanceFacts
from services.web.dicom.notes import Rejection
from services.web.dicom.tables import Withdrawal
from services.web.tables import Film, Study
from services.web.urgency import locked_study, refresh

WITHDRAWN = "withdrawn"


def keep_rejection(
    session: Session, note: InstanceFacts, rejection: Rejection, policy: TriagePolicy, now: datetime
) -> None:
    """Keep what the note says of each film, and withdraw those that are here; the others when they come."""
    for study_uid, film_uid in rejection.films:
        session.add(
            Withdrawal(
                film_uid=film_uid,
                note_uid=note.uid,
                study_uid=study_uid,
                code=rejection.code,
                reason=rejection.reason,
                seen_at=now,
            )
        )
    session.flush()
    for study_uid in sorted({study_uid for study_uid, _ in rejection.films}):
        study = locked_study(session, study_uid)
        if study is not None:
            withdraw_films(session, study, policy, now)


def withdraw_films(session: Session, study: Study, policy: TriagePolicy, now: datetime) -> None:
    """Withdraw every film of the locked `study` that a note names. Never makes the study due later.

    A study that was read is opened again: its read may rest on a film that shows another patient.
    """
    query = (
        select(Film, Withdrawal.reason)
        .join(Withdrawal, (Withdrawal.film_uid == Film.uid) & (Withdrawal.study_uid == Film.study_uid))
        .where(Film.study_uid == study.uid, Film.state != WITHDRAWN)
        .order_by(Withdrawal.seen_at)
    )
    found = session.execute(query).all()
    if not found:
        return
    for film, reason in found:
        film.state, film.reason, film.leased_until = WITHDRAWN, f"withdrawn: {reason}", None
    session.flush()
    answer_from_rest(session, study, now)
    if study.last_read_at is not None:
        study.reopened_at = now
    refresh(session, study, policy)
