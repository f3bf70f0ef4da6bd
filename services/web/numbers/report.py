"""The numbers of one period, by SQL aggregates: a year of a million reads is gone through once for each table of it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, get_args

import numpy as np
from sqlalchemy import case, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from hilum.wire import Band
from services.web.numbers.period import Period
from services.web.numbers.sql import bucket, bucket_start, gathered, nearest_rank, numbers_of
from services.web.numbers.tables import AgreementHour, ReadFact
from services.web.tables import Study


@dataclass(frozen=True)
class Now:
    """The list at this moment; synthetic studies do not count. Seconds; 0 where nothing waits."""

    unread: int
    overdue: int
    longest_wait_seconds: float
    longest_overdue_seconds: float


@dataclass(frozen=True)
class Wait:
    """Time from arrival to first read of the studies in `part` that were first read in the period, in seconds."""

    part: str
    studies: int
    late: int
    median_seconds: float
    p95_seconds: float
    longest_seconds: float


@dataclass(frozen=True)
class Step:
    """One hour or day: studies that arrived, that were first read, and that were overdue when it ended.

    `longest_wait_seconds`: of those that were first read in it, the longest from arrival to read; 0 where none was.
    """

    start: datetime
    arrived: int
    read: int
    overdue: int
    longest_wait_seconds: float


@dataclass(frozen=True)
class Reader:
    """One reader. `reads_per_hour`: over hours of the clock in which they read at all."""

    reader: str
    reads: int
    blind: int
    second: int
    hours: int
    reads_per_hour: float
    mean_seconds: float | None
    agree: int
    disagree: int
    uncertain: int


@dataclass(frozen=True)
class Agreement:
    """Reads against answers, in labels. `missed` of `disagree`: present to the reader and not to the release."""

    part: str
    blind: bool
    agree: int
    disagree: int
    missed: int
    uncertain: int

    @property
    def share(self) -> float | None:
        """Agreeing share of the labels that were present or absent."""
        judged = self.agree + self.disagree
        return self.agree / judged if judged else None


@dataclass(frozen=True)
class Numbers:
    """Everything of one period; `second_review_share`: second readings per study first read, None where none was."""

    since: datetime
    until: datetime
    now: Now
    arrived: int
    reads: int
    first_reads: int
    second_review_share: float | None
    bands: tuple[Wait, ...]
    sites: tuple[Wait, ...]
    releases: tuple[Wait, ...]
    readers: tuple[Reader, ...]
    findings: tuple[Agreement, ...]
    by_release: tuple[Agreement, ...]
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class _Firsts:
    """First reads of one band, site and release: how many came too late, and what each waited, in seconds."""

    band: str
    site: str
    release: str
    late: int
    waits: np.ndarray


def numbers(session: Session, period: Period, now: datetime) -> Numbers:
    """The numbers of `period`."""
    inside = [ReadFact.read_at >= period.since, ReadFact.read_at < period.until]
    firsts = _firsts(session, inside)
    steps = _steps(session, period, now)
    readers = _readers(session, period, inside)
    first_reads, second = sum(len(part.waits) for part in firsts), sum(reader.second for reader in readers)
    bands = {wait.part: wait for wait in _waits(firsts, lambda part: part.band)}
    return Numbers(
        since=period.since,
        until=period.until,
        now=_now(session, now),
        arrived=sum(step.arrived for step in steps),
        reads=sum(reader.reads for reader in readers),
        first_reads=first_reads,
        second_review_share=second / first_reads if first_reads else None,
        bands=tuple(bands.get(band, Wait(band, 0, 0, 0.0, 0.0, 0.0)) for band in get_args(Band)),
        sites=_waits(firsts, lambda part: part.site),
        releases=_waits(firsts, lambda part: part.release),
        readers=readers,
        findings=_agreement(session, AgreementHour.finding, period),
        by_release=_agreement(session, AgreementHour.release_digest, period),
        steps=steps,
    )


def _count(flag: InstrumentedAttribute[bool]) -> Any:
    return func.coalesce(func.sum(case((flag, 1), else_=0)), 0)


def _now(session: Session, now: datetime) -> Now:
    unread = (Study.status != "read", Study.synthetic.is_(False))
    count, overdue, arrived, due = session.execute(
        select(
            func.count(),
            func.coalesce(func.sum(case((Study.due_at < now, 1), else_=0)), 0),
            func.min(Study.arrived_at),
            func.min(Study.due_at),
        ).where(*unread)
    ).one()
    return Now(
        int(count),
        int(overdue),
        0.0 if arrived is None else max((now - arrived).total_seconds(), 0.0),
        0.0 if due is None else max((now - due).total_seconds(), 0.0),
    )


def _late() -> Any:
    return func.coalesce(func.sum(case((ReadFact.read_at > ReadFact.due_at, 1), else_=0)), 0)


def _firsts(session: Session, inside: list[Any]) -> list[_Firsts]:
    parts = (ReadFact.band, ReadFact.site, ReadFact.release_digest)
    rows = session.execute(
        select(*parts, _late(), gathered(session, ReadFact.wait_seconds))
        .where(ReadFact.first.is_(True), *inside)
        .group_by(*parts)
    )
    return [_Firsts(band, site, release, int(late), numbers_of(waits)) for band, site, release, late, waits in rows]


def _waits(firsts: list[_Firsts], by: Callable[[_Firsts], str]) -> tuple[Wait, ...]:
    found = []
    for name in sorted({by(part) for part in firsts}):
        parts = [part for part in firsts if by(part) == name]
        ordered = np.sort(np.concatenate([part.waits for part in parts]))
        median, p95 = nearest_rank(ordered, 0.5), nearest_rank(ordered, 0.95)
        found.append(Wait(name, len(ordered), sum(part.late for part in parts), median, p95, float(ordered[-1])))
    return tuple(found)


def _readers(session: Session, period: Period, where: list[Any]) -> tuple[Reader, ...]:
    hourly = Period(period.until - timedelta(hours=1), period.until)
    hour = bucket(session, ReadFact.read_at, hourly)
    rows = session.execute(
        select(
            ReadFact.reader,
            func.count(),
            _count(ReadFact.blind),
            _count(ReadFact.second),
            func.count(hour.distinct()),
            func.avg(ReadFact.seconds_spent),
            func.sum(ReadFact.agree),
            func.sum(ReadFact.disagree),
            func.sum(ReadFact.uncertain),
        )
        .where(*where)
        .group_by(ReadFact.reader)
        .order_by(ReadFact.reader)
    )
    return tuple(
        Reader(
            name, int(n), int(blind), int(second), int(hours), int(n) / max(int(hours), 1),
            None if mean is None else float(mean), int(agree), int(disagree), int(uncertain),
        )
        for name, n, blind, second, hours, mean, agree, disagree, uncertain in rows
    )  # fmt: skip


def _agreement(session: Session, by: InstrumentedAttribute[str], period: Period) -> tuple[Agreement, ...]:
    start = period.since.replace(minute=0, second=0, microsecond=0)
    rows = session.execute(
        select(
            by,
            AgreementHour.blind,
            func.sum(AgreementHour.agree),
            func.sum(AgreementHour.disagree),
            func.sum(AgreementHour.missed),
            func.sum(AgreementHour.uncertain),
        )
        .where(AgreementHour.hour >= start, AgreementHour.hour < period.until)
        .group_by(by, AgreementHour.blind)
        .order_by(by, AgreementHour.blind)
    )
    return tuple(Agreement(str(part), bool(blind), *(int(value) for value in counts)) for part, blind, *counts in rows)


def _steps(session: Session, period: Period, now: datetime) -> tuple[Step, ...]:
    starts = period.buckets()
    if not starts:
        return ()
    arrived = _counted(
        session,
        period,
        Study.arrived_at,
        [Study.arrived_at >= period.since, Study.arrived_at < period.until, Study.synthetic.is_(False)],
    )
    day = bucket(session, ReadFact.read_at, period)
    rows = session.execute(
        select(day, func.count(), _late(), func.max(ReadFact.wait_seconds))
        .where(ReadFact.first.is_(True), ReadFact.read_at >= period.since, ReadFact.read_at < period.until)
        .group_by(day)
    )
    read = {bucket_start(text): (int(n), int(late), float(longest)) for text, n, late, longest in rows}
    overdue = _overdue(session, period, now, starts, {start: late for start, (_, late, _) in read.items()})
    found = []
    for start in starts:
        count, _, longest = read.get(start, (0, 0, 0.0))
        found.append(Step(start, arrived.get(start, 0), count, overdue[start], longest))
    return tuple(found)


def _counted(
    session: Session, period: Period, column: InstrumentedAttribute[datetime], where: Iterable[Any]
) -> dict[datetime, int]:
    part = bucket(session, column, period)
    rows = session.execute(select(part, func.count()).where(*where).group_by(part))
    return {bucket_start(text): int(n) for text, n in rows}


def _overdue(
    session: Session, period: Period, now: datetime, starts: list[datetime], ended: dict[datetime, int]
) -> dict[datetime, int]:
    """Studies overdue at each bucket's end: a late one counts from its due time until its first read.

    `ended`: how many late ones were first read in each bucket.
    """
    late = [ReadFact.first.is_(True), ReadFact.read_at > ReadFact.due_at, ReadFact.read_at >= period.since]
    unread = [Study.status != "read", Study.synthetic.is_(False), Study.due_at < min(now, period.until)]
    # Counted, not asked for: as a condition, SQLite would look through all that was ever due before.
    due_before = func.sum(case((ReadFact.due_at < starts[0], 1), else_=0))
    before = session.scalar(select(due_before).where(*late)) or 0
    before += session.scalar(select(func.count()).where(*unread, Study.due_at < starts[0])) or 0
    inside = ReadFact.due_at >= starts[0], ReadFact.due_at < period.until
    began = _counted(session, period, ReadFact.due_at, [*late, *inside])
    still = _counted(session, period, Study.due_at, [*unread, Study.due_at >= starts[0]])
    found, count = {}, int(before)
    for start in starts:
        count += began.get(start, 0) + still.get(start, 0) - ended.get(start, 0)
        found[start] = max(count, 0)
    return found
