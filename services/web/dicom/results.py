"""The outbox of results: each version of a study's answer leaves once, in order, when it may be known outside."""

from __future__ import annotations

import random
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import and_, exists, func, not_, or_, select, update
from sqlalchemy.orm import Session, aliased

from services.web.dicom.tables import Delivery, Instance
from services.web.names import derived_uid
from services.web.settings import WebSettings
from services.web.tables import Answer, Film, Read, Study

REPORT, HEAT = "report", "heat"
# How long a row stays with the process that sends it.
SENDING_SECONDS = 180.0
# A result that waits longer is worth a word in /readyz.
LATE = timedelta(minutes=10)


@dataclass(frozen=True)
class Outgoing:
    """A result that this process makes and sends now."""

    uid: str
    study_uid: str
    answer_version: int
    kind: str
    made_at: datetime
    attempts: int


def result_uid(kind: str, study_uid: str, version: int) -> str:
    """The SOPInstanceUID of a result: the same for each try."""
    return derived_uid("result", kind, study_uid, str(version))


def queue_results(session: Session, settings: WebSettings, study_uid: str, now: datetime) -> bool:
    """Put the study's newest answer into the outbox, in the transaction that made it; whether there is something new.

    Only live answers are rows of `answers`: a shadow answer never leaves. A synthetic study has no results, nor has a
    study without a DICOM film, whose patient and study an archive could not know.
    """
    study = session.get(Study, study_uid)
    if not settings.results_to or study is None or study.synthetic or not study.answer_version:
        return False
    answer = session.get(Answer, (study_uid, study.answer_version))
    filmed = exists().where(Instance.study_uid == study_uid, Instance.uid == Film.uid, Film.study_uid == study_uid)
    if answer is None or not session.scalar(select(filmed)):
        return False
    kinds = [REPORT]
    if settings.results_heat and any(item["present"] for item in answer.payload["findings"]):
        kinds.append(HEAT)
    new = False
    for kind in kinds:
        uid = result_uid(kind, study_uid, answer.version)
        if session.get(Delivery, uid) is None:
            session.add(
                Delivery(
                    uid=uid,
                    study_uid=study_uid,
                    answer_version=answer.version,
                    kind=kind,
                    made_at=now,
                    attempts=0,
                    next_try=now,
                )
            )
            new = True
    session.flush()
    return new


def take_result(session: Session, now: datetime) -> Outgoing | None:
    """The result that was tried least, the oldest among equals, of those that may leave now.

    A blind study's answer leaves once a read of it is kept: an archive's screen would tell the reader otherwise. A
    version waits for the one before, which its report refers to.
    """
    earlier = aliased(Delivery)
    open_ = and_(Delivery.sent_at.is_(None), Delivery.refused.is_(None))
    waits_for_another = exists().where(
        earlier.study_uid == Delivery.study_uid,
        earlier.kind == Delivery.kind,
        earlier.answer_version < Delivery.answer_version,
        earlier.sent_at.is_(None),
        earlier.refused.is_(None),
    )
    has_read = exists().where(Read.study_uid == Study.uid)
    query = (
        select(Delivery)
        .join(Study, Study.uid == Delivery.study_uid)
        .where(open_, Delivery.next_try <= now, or_(not_(Study.blind), has_read), not_(waits_for_another))
        .order_by(Delivery.attempts, Delivery.made_at, Delivery.uid)
        .limit(1)
        .with_for_update(skip_locked=True, of=Delivery)
    )
    row = session.scalars(query).first()
    if row is None:
        return None
    row.attempts += 1
    row.next_try = now + timedelta(seconds=SENDING_SECONDS)
    session.flush()
    return Outgoing(row.uid, row.study_uid, row.answer_version, row.kind, row.made_at, row.attempts)


def mark_sent(session: Session, uid: str, now: datetime) -> None:
    """The destination has it."""
    session.execute(update(Delivery).where(Delivery.uid == uid).values(sent_at=now))


def mark_refused(session: Session, uid: str, reason: str) -> None:
    """The destination will not take it; the row stays, for a person to see."""
    session.execute(update(Delivery).where(Delivery.uid == uid).values(refused=reason[:400]))


def put_back(session: Session, uid: str, now: datetime, attempts: int, longest_seconds: float) -> None:
    """Try again in 2, 4, 8 ... seconds, at most `longest_seconds`, with some chance in it; for ever if need be."""
    pause = min(2.0 ** min(attempts, 16), longest_seconds) * random.uniform(0.75, 1.0)  # noqa: S311
    session.execute(update(Delivery).where(Delivery.uid == uid).values(next_try=now + timedelta(seconds=pause)))


@dataclass(frozen=True)
class ResultView:
    """Where one result stands."""

    kind: str
    answer_version: int
    sent_at: datetime | None
    refused: str | None
    attempts: int


def results_of(session: Session, study_uid: str) -> tuple[ResultView, ...]:
    """The study's results, newest version first. Whether there is a heat map tells a blind reader of a finding."""
    query = (
        select(Delivery)
        .where(Delivery.study_uid == study_uid)
        .order_by(Delivery.answer_version.desc(), Delivery.kind.desc())
    )
    return tuple(
        ResultView(row.kind, row.answer_version, row.sent_at, row.refused, row.attempts)
        for row in session.scalars(query)
    )


def results_in_words(session: Session, now: datetime) -> list[str]:
    """What is wrong with the outbox, for whoever looks after the service."""
    found = []
    refused = session.scalar(select(func.count()).where(Delivery.refused.is_not(None))) or 0
    if refused:
        found.append(f"results: {refused} could not be made or were refused; a person must look")
    blind = exists().where(Study.uid == Delivery.study_uid, Study.blind)
    late = (Delivery.sent_at.is_(None), Delivery.refused.is_(None), Delivery.made_at < now - LATE, ~blind)
    waiting, oldest = session.execute(select(func.count(), func.min(Delivery.made_at)).where(*late)).one()
    if waiting:
        minutes = (now - oldest).total_seconds() / 60
        found.append(f"results: {waiting} wait for the destination, the oldest for {minutes:.0f} minutes; none is lost")
    return found


def hurry_results(session: Session, now: datetime) -> None:
    """The destination is back, or this process has just started: every waiting result may be tried now."""
    waiting = update(Delivery).where(Delivery.sent_at.is_(None), Delivery.refused.is_(None))
    session.execute(waiting.values(next_try=now))
