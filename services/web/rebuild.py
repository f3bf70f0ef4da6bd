"""`hilum web rebuild`: web's rows of reads are a projection; this makes them again from feedback's ledger.

What web has and the ledger lacks is not removed: it is set to be sent again. So it may run at any time, also twice.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from hilum.wire import ReadOut
from services.web.context import Web
from services.web.reads import next_version
from services.web.settings import WebSettings
from services.web.standing import WITHDRAWAL, in_second_share, rereview, restudy
from services.web.tables import Outbox, Read, Study
from services.web.urgency import locked_study


@dataclass
class Rebuilt:
    """What was done. `elsewhere`: reads of studies that are not here; `sent_again`: reads that the ledger lacked."""

    reads: int = 0
    made: int = 0
    mended: int = 0
    elsewhere: int = 0
    sent_again: int = 0
    studies: set[str] = field(default_factory=set)
    known: set[str] = field(default_factory=set)


def take(web: Web, page: Sequence[ReadOut], done: Rebuilt) -> None:
    """Bring web's rows in step with one page of the ledger. Raises DatabaseUnavailable."""
    with web.write() as session:
        for read in page:
            done.reads += 1
            done.known.add(read.id)
            study = locked_study(session, read.study_uid)
            if study is None:
                done.elsewhere += 1
                continue
            done.studies.add(study.uid)
            _keep(session, read, done)


def finish(web: Web, done: Rebuilt, now: datetime) -> None:
    """After the last page: studies and reviews from their reads, and what the ledger lacks back into the outbox."""
    with web.write() as session:
        for sent in session.scalars(select(Outbox.id).where(Outbox.delivered_at.is_not(None))).all():
            if sent not in done.known:
                again = update(Outbox).where(Outbox.id == sent)
                session.execute(again.values(delivered_at=None, next_try=now, attempts=0))
                done.sent_again += 1
    for uid in sorted(done.studies):
        with web.write() as session:
            study = locked_study(session, uid)
            if study is not None:
                settle(session, study, web.settings, now)


def settle(session: Session, study: Study, settings: WebSettings, now: datetime) -> None:
    """Withdrawals, status and review of a locked study from its reads."""
    reads = session.scalars(select(Read).where(Read.study_uid == study.uid)).all()
    taken_back = {read.replaces for read in reads if read.kind == WITHDRAWAL}
    for read in reads:
        read.withdrawn = read.id in taken_back
    session.flush()
    restudy(session, study, settings.policy)
    wanted = in_second_share(study.uid, settings.blind_salt, settings.second_read_share)
    rereview(session, study, wanted=wanted, now=now)


def _keep(session: Session, read: ReadOut, done: Rebuilt) -> None:
    values = _values(read)
    row = session.get(Read, read.id)
    if row is None:
        if not values["version"]:
            values["version"] = next_version(session, read.study_uid)
        session.add(Read(id=read.id, withdrawn=False, **values))
        session.flush()
        done.made += 1
    else:
        values["version"] = values["version"] or row.version
        wrong = {name: value for name, value in values.items() if getattr(row, name) != value}
        for name, value in wrong.items():
            setattr(row, name, value)
        done.mended += bool(wrong)
    outgoing = session.get(Outbox, read.id)
    body = read.model_dump(mode="json", exclude={"id", "sequence", "received_at", "hash"})
    if outgoing is None:
        session.add(
            Outbox(
                id=read.id,
                payload=body,
                attempts=1,
                next_try=read.received_at,
                delivered_at=read.received_at,
                refused=None,
            )
        )
    elif outgoing.delivered_at is None:
        outgoing.delivered_at, outgoing.refused = read.received_at, None
    session.flush()


def _values(read: ReadOut) -> dict[str, object]:
    return {
        "study_uid": read.study_uid,
        "version": read.version,
        "reader": read.reader,
        "labels": {name: label for name, label in read.labels.items() if label is not None},
        "answer_version": read.answer_version,
        "release_digest": read.release_digest,
        "blind": read.blind,
        "read_at": read.read_at,
        "seconds_spent": read.seconds_spent,
        "comment": read.comment,
        "request_digest": read.request_digest,
        "kind": read.kind,
        "replaces": read.replaces,
    }
