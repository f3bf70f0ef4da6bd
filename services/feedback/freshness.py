"""`hilum_newdata_lag_seconds`: how old the oldest read is that the bucket `newdata` does not hold yet.

From the rows, so it is the same on every replica and after a restart (take `max`, never `sum`).
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from datetime import UTC, datetime

import structlog
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector
from sqlalchemy import select
from sqlalchemy.orm import Session

from hilum.gauges import Patience
from hilum.storage import DatabaseUnavailable, plain_errors
from services.feedback.ledger import Ledger
from services.feedback.metrics import LATE, METRICS_SECONDS
from services.feedback.tables import Mark, ReadRow

log = structlog.get_logger("hilum.feedback.freshness")


def lag_seconds(session: Session, now: datetime) -> float:
    """Age of the oldest read after the compaction's mark; 0 where the bucket holds every read."""
    mark = session.get(Mark, "compaction")
    newer = select(ReadRow.received_at).where(ReadRow.sequence > (mark.sequence if mark else 0))
    oldest = session.scalar(newer.order_by(ReadRow.sequence).limit(1))
    return 0.0 if oldest is None else max((now - oldest).total_seconds(), 0.0)


class Freshness(Collector):
    """Follows one ledger. While the database is away there is no series: an old number would be a lie."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._patience: Patience[float] = Patience(METRICS_SECONDS)
        self._ledger: Ledger | None = None

    def follow(self, ledger: Ledger | None) -> None:
        """Look at `ledger` from now on; None: at nothing."""
        with self._lock:
            self._ledger = ledger

    def leave(self, ledger: Ledger) -> None:
        """Stop, unless another ledger is followed by now."""
        if self._ledger is ledger:
            self.follow(None)

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The name alone, so that registering asks no database."""
        yield _family()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """The lag now."""
        family, ledger = _family(), self._ledger

        def look(ledger: Ledger) -> float:
            with plain_errors(), ledger.snapshot() as session:
                return lag_seconds(session, datetime.now(UTC))

        if ledger is not None:
            try:
                family.add_metric((), self._patience.wait(lambda: look(ledger)))
            except (DatabaseUnavailable, TimeoutError) as error:
                log.warning("the lag of newdata is not known", reason=str(error) or LATE)
        yield family


def _family() -> GaugeMetricFamily:
    return GaugeMetricFamily(
        "hilum_newdata_lag_seconds", "Age of the oldest read that the bucket newdata does not hold; 0: it holds all."
    )


FRESHNESS = Freshness()
REGISTRY.register(FRESHNESS)
