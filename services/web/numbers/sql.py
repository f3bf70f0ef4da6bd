"""The few expressions that SQLite and PostgreSQL write differently, and nearest-rank percentiles for both."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import ColumnElement, Float, String, cast, func, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from services.web.numbers.period import Period


def bucket(session: Session, column: InstrumentedAttribute[datetime], period: Period) -> ColumnElement[str]:
    """The hour ("2026-11-21 14") or day ("2026-11-21") of a time, as text, by UTC's clock."""
    length = 13 if period.hourly else 10
    if session.get_bind().dialect.name == "postgresql":
        return func.to_char(column, "YYYY-MM-DD HH24" if period.hourly else "YYYY-MM-DD", type_=String)
    # SQLite keeps times as text in this very form.
    return func.substr(cast(column, String), 1, length, type_=String)


def bucket_start(text: str) -> datetime:
    """The time at which a bucket begins."""
    return datetime.strptime(text, "%Y-%m-%d %H" if len(text) > 10 else "%Y-%m-%d").replace(tzinfo=UTC)


def percentiles(
    session: Session, by: InstrumentedAttribute[str], value: InstrumentedAttribute[float], where: list[Any]
) -> dict[str, tuple[int, float, float, float]]:
    """Per group: count, median, 95th percentile (nearest rank) and greatest of `value`."""
    ranked = (
        select(
            by.label("part"),
            value.label("value"),
            func.row_number().over(partition_by=by, order_by=value).label("rank"),
            func.count().over(partition_by=by).label("count"),
        )
        .where(*where)
        .subquery()
    )
    columns = ranked.c

    def at(share: float) -> ColumnElement[float]:
        # The least value whose rank reaches the share.
        reached = cast(columns.rank, Float) >= share * cast(columns.count, Float)
        return func.min(columns.value).filter(reached)

    rows = session.execute(
        select(columns.part, func.max(columns.count), at(0.5), at(0.95), func.max(columns.value)).group_by(columns.part)
    )
    return {str(part): (int(n), float(mid), float(high), float(most)) for part, n, mid, high, most in rows}
