"""Metrics of DICOM in and out. Counters start at 0; gauges are set from the rows when the page is asked for."""

from __future__ import annotations

import math
from datetime import datetime

from prometheus_client import Counter, Gauge
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from hilum.imaging.errors import film_problems
from services.web.dicom.tables import Delivery

ASSOCIATIONS = Counter("hilum_dicom_associations_total", "DICOM associations, by outcome.", ["outcome"])
OPEN = Gauge("hilum_dicom_associations_open", "DICOM associations that are open now.")
STORED = Counter("hilum_dicom_objects_total", "DICOM objects taken, by way and outcome.", ["way", "outcome"])
REFUSED = Counter("hilum_dicom_refused_total", "DICOM objects refused, by way and kind of problem.", ["way", "kind"])
SENT = Counter("hilum_results_sent_total", "Results that the destination took.", ["kind"])
WAITING = Gauge("hilum_results_waiting", "Results that the destination has not taken yet.")
OLDEST = Gauge("hilum_results_oldest_seconds", "How long the oldest waiting result waits; 0: none does.")
RESULTS_REFUSED = Gauge("hilum_results_refused", "Results that the destination refused: each needs a person.")

for _outcome in ("accepted", "rejected", "aborted"):
    ASSOCIATIONS.labels(_outcome)
for _way in ("c-store", "stow"):
    for _outcome in ("stored", "duplicate"):
        STORED.labels(_way, _outcome)
    for _kind in (*film_problems(), "bad-uid", "conflicting-film", "failed", "not-dicom", "out-of-resources"):
        REFUSED.labels(_way, _kind)
for _kind in ("report", "heat"):
    SENT.labels(_kind)


def forget() -> None:
    """The rows can't be read: an old number would be a lie."""
    for gauge in (WAITING, OLDEST, RESULTS_REFUSED):
        gauge.set(math.nan)


def refresh(session: Session, now: datetime) -> None:
    """Set the gauges from the rows."""
    open_ = (Delivery.sent_at.is_(None), Delivery.refused.is_(None))
    count, oldest = session.execute(select(func.count(), func.min(Delivery.made_at)).where(*open_)).one()
    WAITING.set(count)
    OLDEST.set(0.0 if oldest is None else max((now - oldest).total_seconds(), 0.0))
    RESULTS_REFUSED.set(session.scalar(select(func.count()).where(Delivery.refused.is_not(None))) or 0)
