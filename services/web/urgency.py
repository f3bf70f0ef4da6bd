"""A study's status, band and due time from its films. `hilum.triage` decides; this keeps rows in step with it."""

from __future__ import annotations

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from hilum.storage import writer_lock
from hilum.triage import Band, TriagePolicy, Urgency, due_time, never_later, urgency
from hilum.wire import Prediction as PredictionOut
from services.web.list_tables import Skip
from services.web.present import keep_present
from services.web.tables import Answer, Film, Prediction, Study


def locked_study(session: Session, uid: str) -> Study | None:
    """The study, with every other writer of it kept out until the transaction ends; None where there is none."""
    writer_lock(session, f"study:{uid}")
    return session.get(Study, uid, populate_existing=True)


def answering_predictions(session: Session, study: Study) -> list[PredictionOut]:
    """The films' predictions by the release that gave the current answer; empty before the first answer."""
    answer = session.get(Answer, (study.uid, study.answer_version))
    if answer is None:
        return []
    query = (
        select(Prediction.payload)
        .join(Film, Film.uid == Prediction.film_uid)
        .where(
            Film.study_uid == study.uid,
            Film.state != "withdrawn",
            Prediction.release_digest == answer.release_digest,
            Prediction.precision == answer.precision,
        )
        .order_by(Film.number)
    )
    return [PredictionOut.model_validate(payload) for payload in session.scalars(query)]


def refresh(session: Session, study: Study, policy: TriagePolicy) -> None:
    """Set status, band, reason and due time from the rows; `study` must be locked.

    While a film waits the study counts as urgent at least. Once none waits its urgency is settled: from then on a
    late film makes the study due sooner or leaves it, never later.
    """
    states = set(session.scalars(select(Film.state).where(Film.study_uid == study.uid)))
    waiting = "waiting" in states
    is_read = study.last_read_at is not None and not (study.reopened_at and study.reopened_at >= study.last_read_at)
    if is_read or is_closed(study):
        study.status = "read"
        study.escalated_at = None
        if study.skipped_by:
            study.skipped_by = 0
            session.execute(delete(Skip).where(Skip.study_uid == study.uid))
    elif waiting:
        study.status = "waiting"
    else:
        study.status = "scored" if "scored" in states else "not_scored"

    found = urgency(answering_predictions(session, study), waiting, study.priority, study.location)
    if waiting and found.band.rank > Band.URGENT.rank:
        found = Urgency(Band.URGENT, 0.0, "a film waits for its score")
    if study.status == "not_scored":
        found = Urgency(found.band, found.score, _why_not_scored(session, study))
    due = due_time(study.arrived_at, found, policy)
    settled = _settled(study)
    if settled is not None and settled.band.rank < found.band.rank:
        found = settled
    if study.settled_due_at is not None:
        due = never_later(study.settled_due_at, due)
    if study.escalated_at is not None:
        due = never_later(study.escalated_at + policy.wait_critical, due)
    study.band, study.score, study.reason, study.due_at = str(found.band), found.score, found.reason, due
    if not waiting:
        study.settled_band, study.settled_score, study.settled_reason = str(found.band), found.score, found.reason
        study.settled_due_at = due
    session.flush()
    keep_present(session, study)
    session.flush()


def is_closed(study: Study) -> bool:
    """Whether it was reported elsewhere, and not opened again since."""
    return study.closed_at is not None and not (study.reopened_at and study.reopened_at >= study.closed_at)


def _settled(study: Study) -> Urgency | None:
    if study.settled_band is None:
        return None
    return Urgency(Band(study.settled_band), study.settled_score or 0.0, study.settled_reason or "")


def _why_not_scored(session: Session, study: Study) -> str:
    reasons = session.scalars(select(Film.reason).where(Film.study_uid == study.uid).order_by(Film.number))
    first = next((reason for reason in reasons if reason), None)
    return f"not scored: {first}" if first else "not scored"
