"""Keeps the numbers' rows up with the reads: in batches, each read once, whatever was missed before."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.orm import Session, aliased

from hilum.storage import DatabaseUnavailable, writer_lock
from services.web.context import Web
from services.web.numbers.tables import AgreementHour, ReadFact
from services.web.standing import WITHDRAWAL
from services.web.tables import Answer, Read, Study

log = structlog.get_logger("hilum.web.numbers")
# So few that nobody who saves a read waits long for the one writer of SQLite.
BATCH = 100
PAUSE_SECONDS = 5.0
# A read may be committed a little after one with a later time.
OVERLAP = timedelta(minutes=10)
# A read of a study that no release had scored: there is nothing to agree with.
NO_RELEASE = ""


@dataclass
class Mark:
    """How far the reads were followed; None: from the beginning. `newest`: the last read when this pass began."""

    at: datetime | None = None
    id: str = ""
    newest: datetime | None = None


@dataclass
class _Tally:
    agree: int = 0
    disagree: int = 0
    missed: int = 0
    uncertain: int = 0


@dataclass
class _Batch:
    hours: dict[tuple[datetime, str, str, bool], _Tally] = field(default_factory=lambda: defaultdict(_Tally))


def not_followed(session: Session, mark: Mark) -> list[tuple[datetime, str]]:
    """Time and id of at most BATCH reads after `mark` that are not yet counted, or taken back, the earliest first."""
    taken_back = aliased(ReadFact)
    query = (
        select(Read.read_at, Read.id)
        .outerjoin(ReadFact, ReadFact.read_id == Read.id)
        .outerjoin(taken_back, taken_back.read_id == Read.replaces)
        # A withdrawal is no read: it is followed as long as the read that it takes back still counts.
        .where(
            ReadFact.read_id.is_(None),
            or_(
                (Read.kind != WITHDRAWAL) & Read.withdrawn.is_(False),
                (Read.kind == WITHDRAWAL) & taken_back.read_id.is_not(None),
            ),
        )
        .order_by(Read.read_at, Read.id)
        .limit(BATCH)
    )
    if mark.at is not None:
        query = query.where(tuple_(Read.read_at, Read.id) > tuple_(mark.at, mark.id))
    return [(at, id_) for at, id_ in session.execute(query)]


def follow(session: Session, ids: Sequence[str]) -> None:
    """Make the rows of these reads, unless another replica was faster; synthetic studies have none."""
    writer_lock(session, "numbers")
    rows = session.execute(
        select(Read, Study, Answer.payload, ReadFact.read_id)
        .join(Study, Study.uid == Read.study_uid)
        .outerjoin(Answer, (Answer.study_uid == Read.study_uid) & (Answer.version == Read.answer_version))
        .outerjoin(ReadFact, ReadFact.read_id == Read.id)
        .where(Read.id.in_(ids))
        .order_by(Read.read_at, Read.id)
    ).all()
    batch = _Batch()
    for read, study, payload, known in rows:
        if read.kind == WITHDRAWAL:
            _forget(session, read.replaces, batch)
        elif known is None and not study.synthetic and not read.withdrawn:
            session.add(_fact(session, read, study, payload, batch))
            session.flush()
    for (hour, finding, release, blind), tally in sorted(batch.hours.items()):
        row = session.get(AgreementHour, (hour, finding, release, blind))
        if row is None:
            row = AgreementHour(
                hour=hour,
                finding=finding,
                release_digest=release,
                blind=blind,
                agree=0,
                disagree=0,
                missed=0,
                uncertain=0,
            )
            session.add(row)
        row.agree += tally.agree
        row.disagree += tally.disagree
        row.missed += tally.missed
        row.uncertain += tally.uncertain
    session.flush()


def _forget(session: Session, read_id: str | None, batch: _Batch) -> None:
    """A read that was taken back counts no longer, nor do its labels."""
    fact = None if read_id is None else session.get(ReadFact, read_id)
    read = None if fact is None else session.get(Read, fact.read_id)
    if fact is None or read is None:
        return
    answer = session.get(Answer, (read.study_uid, read.answer_version))
    _count(read, None if answer is None else answer.payload, batch, -1)
    session.delete(fact)
    session.flush()


def _count(read: Read, payload: dict[str, Any] | None, batch: _Batch, sign: int) -> _Tally:
    """The read's labels against its answer, added to the hours' tallies `sign` times."""
    found = payload.get("findings") if payload else None
    present = {f["name"] for f in found if f["present"]} if isinstance(found, list) else set()
    release = read.release_digest or NO_RELEASE
    hour = read.read_at.replace(minute=0, second=0, microsecond=0)
    whole = _Tally()
    for name, label in read.labels.items():
        if label is None or not read.release_digest:
            continue
        tally = batch.hours[(hour, name, release, read.blind)]
        for each, count in ((whole, 1), (tally, sign)):
            if label == -1:
                each.uncertain += count
            elif (label == 1) == (name in present):
                each.agree += count
            else:
                each.disagree += count
                each.missed += count * (label == 1)
    return whole


def _fact(session: Session, read: Read, study: Study, payload: dict[str, Any] | None, batch: _Batch) -> ReadFact:
    whole = _count(read, payload, batch, 1)
    before = select(Read.reader).where(
        Read.study_uid == read.study_uid,
        Read.version < read.version,
        Read.withdrawn.is_(False),
        Read.kind != WITHDRAWAL,
    )
    readers = set(session.scalars(before)) if read.version > 1 else set()
    return ReadFact(
        read_id=read.id,
        study_uid=read.study_uid,
        read_at=read.read_at,
        due_at=study.due_at,
        reader=read.reader,
        site=study.site,
        band=study.band,
        release_digest=read.release_digest or NO_RELEASE,
        blind=read.blind,
        first=not readers,
        second=bool(readers - {read.reader}),
        wait_seconds=max((read.read_at - study.arrived_at).total_seconds(), 0.0),
        seconds_spent=read.seconds_spent,
        agree=whole.agree,
        disagree=whole.disagree,
        uncertain=whole.uncertain,
    )


def step(web: Web, mark: Mark) -> bool:
    """Follow the next BATCH reads; whether there may be more. Raises DatabaseUnavailable."""
    with web.read() as session:
        mark.newest = mark.newest or session.scalar(select(func.max(Read.read_at)))
        found = not_followed(session, mark)
    if found:
        with web.write() as session:
            follow(session, [id_ for _, id_ in found])
        mark.at, mark.id = found[-1]
    if len(found) == BATCH:
        return True
    if mark.newest is not None:
        mark.at, mark.id, mark.newest = mark.newest - OVERLAP, "", None
    return False


def catch_up(web: Web, mark: Mark) -> None:
    """Follow the reads to their end; writes nothing where there is nothing new. Raises DatabaseUnavailable."""
    while step(web, mark):
        pass


async def run_numbers(web: Web) -> None:
    """Until cancelled: keep the numbers' rows up. Years of reads, after an update, take a quarter of the time only."""
    mark = Mark()
    while True:
        began = time.monotonic()
        try:
            if await asyncio.to_thread(step, web, mark):
                await asyncio.sleep(3 * (time.monotonic() - began))
                continue
        except DatabaseUnavailable as error:
            log.warning("the numbers wait for the database", reason=str(error))
        except Exception:
            log.exception("the numbers can't be kept up")
        await asyncio.sleep(min(PAUSE_SECONDS, web.settings.poll_seconds * 5))
