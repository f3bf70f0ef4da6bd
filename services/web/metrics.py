"""Metrics of the reading room. Counters start at 0; gauges are set from the rows each time the page is asked for."""

from __future__ import annotations

import math
from datetime import datetime
from typing import get_args

from prometheus_client import Counter, Gauge
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from hilum.imaging.errors import film_problems
from hilum.wire import Band
from services.web.dicom import metrics as dicom
from services.web.drift import gauges as drift
from services.web.reviews import REVIEW_STATES, count_reviews
from services.web.tables import Film, Outbox, Study

FILMS_STORED = Counter("hilum_films_stored_total", "Films kept.")
FILMS_REFUSED = Counter("hilum_films_refused_total", "Files not kept, by the kind of problem.", ["kind"])
FILMS_SCORED = Counter("hilum_films_scored_total", "Scores asked of inference, by outcome.", ["outcome"])
READS_KEPT = Counter("hilum_reads_kept_total", "Reads committed.", ["blind"])
READS_WITHDRAWN = Counter("hilum_reads_withdrawn_total", "Reads that their readers took back.")
REVIEWS = Gauge("hilum_reviews", "Studies that two people read, by state.", ["state"])
UNREAD = Gauge("hilum_studies_unread", "Studies not read yet, by band.", ["band"])
ESCALATED = Gauge("hilum_studies_escalated", "Unread studies that too many readers skipped.")
ESCALATIONS = Counter("hilum_escalations_total", "Studies escalated because too many readers skipped them.")
OVERDUE = Gauge("hilum_worklist_overdue_seconds", "How long the longest overdue unread study is overdue; 0: none is.")
FILMS_WAITING = Gauge("hilum_films_waiting", "Films that wait for their score.")
OUTBOX_WAITING = Gauge("hilum_outbox_waiting", "Reads that feedback has not taken yet.")
OUTBOX_REFUSED = Gauge("hilum_outbox_refused", "Reads that feedback refused: each needs a person.")

for _outcome in ("scored", "not_scored", "unavailable"):
    FILMS_SCORED.labels(_outcome)
for _blind in ("true", "false"):
    READS_KEPT.labels(_blind)
for _kind in (*film_problems(), "bad-uid", "conflicting-film"):
    FILMS_REFUSED.labels(_kind)


def forget_gauges() -> None:
    """The rows can't be read: an old number would be a lie, and an alert must not be fed by it."""
    for gauge in (*(UNREAD.labels(band) for band in get_args(Band)), ESCALATED, OVERDUE, FILMS_WAITING, OUTBOX_WAITING):
        gauge.set(math.nan)
    OUTBOX_REFUSED.set(math.nan)
    dicom.forget()
    drift.forget()
    for state in REVIEW_STATES:
        REVIEWS.labels(state).set(math.nan)


def refresh_gauges(session: Session, now: datetime) -> None:
    """Set the gauges from the rows; synthetic studies are nobody's work and do not count."""
    unread = (Study.status != "read", Study.synthetic.is_(False))
    per_band = dict(session.execute(
        select(Study.band, func.count()).where(*unread).group_by(Study.band)
    ).all())  # fmt: skip
    for band in get_args(Band):
        UNREAD.labels(band).set(per_band.get(band, 0))
    escalated = select(func.count()).where(*unread, Study.escalated_at.is_not(None))
    ESCALATED.set(session.scalar(escalated) or 0)
    # A reopened study is overdue since its late film at the earliest.
    due = case((Study.reopened_at > Study.due_at, Study.reopened_at), else_=Study.due_at)
    earliest = session.scalar(select(func.min(due)).where(*unread))
    OVERDUE.set(0.0 if earliest is None else max((now - earliest).total_seconds(), 0.0))
    FILMS_WAITING.set(session.scalar(select(func.count()).where(Film.state == "waiting")) or 0)
    open_ = (Outbox.delivered_at.is_(None), Outbox.refused.is_(None))
    OUTBOX_WAITING.set(session.scalar(select(func.count()).where(*open_)) or 0)
    OUTBOX_REFUSED.set(session.scalar(select(func.count()).where(Outbox.refused.is_not(None))) or 0)
    dicom.refresh(session, now)
    drift.refresh(session)
    for state, count in count_reviews(session).items():
        REVIEWS.labels(state).set(count)
