"""Counts for the line above the list, at a bounded cost."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, case, func, select
from sqlalchemy.orm import Session

from services.web.blind import withheld
from services.web.tables import Study
from services.web.views import Summary

# Counting stops here: nobody acts on the difference between five thousand unread studies and ten.
COUNT_LIMIT = 5_000


def summarise(session: Session, *, reader: str, now: datetime) -> Summary:
    """Counts over unread studies: of all of them, or of the COUNT_LIMIT that are due first (`more`).

    A study that is blind to `reader` counts under `blind`, not under its band.
    """
    first = (
        select(
            Study.band,
            Study.status,
            (Study.due_at < now).label("overdue"),
            Study.escalated_at.is_not(None).label("escalated"),
            withheld(reader).label("hidden"),
        )
        .where(Study.status != "read")
        .order_by(Study.due_at, Study.uid)
        .limit(COUNT_LIMIT)
        .subquery()
    )

    def count(condition: ColumnElement[bool]) -> ColumnElement[int]:
        return func.coalesce(func.sum(case((condition, 1), else_=0)), 0)

    row = session.execute(
        select(
            *(count(and_(~first.c.hidden, first.c.band == band)) for band in ("critical", "urgent", "routine")),
            count(first.c.hidden),
            count(first.c.overdue),
            func.count(),
            count(first.c.status == "not_scored"),
            count(first.c.escalated),
        ).select_from(first)
    ).one()
    critical, urgent, routine, hidden, overdue, unread, not_scored, escalated = (int(value) for value in row)
    read = select(Study.uid).where(Study.status == "read", Study.last_read_at.is_not(None))
    # In history's order, so that its index finds one however many unread studies stand first in the table.
    any_read = session.scalar(read.order_by(Study.last_read_at.desc(), Study.uid.desc()).limit(1))
    return Summary(
        critical=critical,
        urgent=urgent,
        routine=routine,
        blind=hidden,
        overdue=overdue,
        unread=unread,
        not_scored=not_scored,
        escalated=escalated,
        any_read=any_read is not None,
        more=unread >= COUNT_LIMIT,
    )
