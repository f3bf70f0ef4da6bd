"""Skipping: a reader passes an unread study over. A study that everybody passes over is escalated, so that none sinks.

An escalated study is due within the critical wait from then on (sooner, if it was due sooner): behind what is critical
already, before everything that comes later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hilum.triage import TriagePolicy
from services.web.errors import no_such_study
from services.web.list_tables import Claim, Skip
from services.web.skip_policy import SkipPolicy
from services.web.urgency import locked_study, refresh


@dataclass(frozen=True)
class Skipped:
    """A study's skips after one more. `escalates`: this one was one too many."""

    skipped_by: int
    times: int
    escalated: bool
    escalates: bool


def skip_study(
    session: Session, uid: str, *, reader: str, skips: SkipPolicy, policy: TriagePolicy, now: datetime
) -> Skipped:
    """Count that `reader` passes study `uid` over, and end the reader's claim. Raises a 404 problem.

    A study that is read already is not passed over: nothing is counted.
    """
    study = locked_study(session, uid)
    if study is None:
        raise no_such_study()
    claim = session.get(Claim, uid)
    if claim is not None and claim.reader == reader:
        session.delete(claim)
    if study.status != "read":
        skip = session.get(Skip, (uid, reader))
        if skip is None:
            skip = Skip(study_uid=uid, reader=reader, times=0, last_at=now)
            session.add(skip)
        skip.times, skip.last_at = skip.times + 1, now
        session.flush()
    counted = select(func.count(), func.coalesce(func.sum(Skip.times), 0)).where(Skip.study_uid == uid)
    readers, times = (int(value) for value in session.execute(counted).one())
    study.skipped_by = readers
    too_many = study.status != "read" and (readers >= skips.readers or times >= skips.times)
    escalates = too_many and study.escalated_at is None
    if escalates:
        study.escalated_at = now
        session.flush()
        refresh(session, study, policy)
    return Skipped(readers, times, study.escalated_at is not None, escalates)
