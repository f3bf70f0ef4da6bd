"""The few expressions that SQLite and PostgreSQL write differently, and nearest-rank percentiles of what they give."""

from __future__ import annotations

import json
import math
from datetime import UTC, datetime
from typing import Any

import numpy as np
from sqlalchemy import ColumnElement, String, cast, func
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


def gathered(session: Session, value: InstrumentedAttribute[float]) -> ColumnElement[Any]:
    """All values of a group in one cell; `numbers_of` reads it. SQL would rank a million in ten times the time."""
    if session.get_bind().dialect.name == "postgresql":
        return func.array_agg(value)
    return func.json_group_array(value)


def numbers_of(cell: Any) -> np.ndarray:
    """What `gathered` put into a cell."""
    return np.asarray(json.loads(cell) if isinstance(cell, str) else cell, dtype=np.float64)


def nearest_rank(ordered: np.ndarray, share: float) -> float:
    """The least value whose rank reaches the share; `ordered` is sorted and not empty."""
    return float(ordered[max(math.ceil(share * len(ordered)), 1) - 1])
