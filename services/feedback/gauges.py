"""`hilum_agreement{...}`: the figures of `GET /v1/agreement` for Prometheus, computed at most once a minute."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable

import structlog
from prometheus_client import REGISTRY
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from hilum.gauges import Patience
from hilum.storage import DatabaseUnavailable
from services.feedback.ledger import Ledger
from services.feedback.metrics import LATE, METRICS_SECONDS
from services.feedback.tally import Line, Tally

FRESH_SECONDS = 60.0
LABELS = ("finding", "release", "blind", "measure", "bound")
log = structlog.get_logger("hilum.feedback.gauges")


class AgreementGauges(Collector):
    """Follows one ledger; the same on every replica. A figure that can't be said has no series."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._patience: Patience[None] = Patience(METRICS_SECONDS)
        self._ledger: Ledger | None = None
        self._tally: Tally | None = None
        self._lines: list[Line] = []
        self._at = 0.0

    def follow(self, ledger: Ledger | None) -> None:
        """Show `ledger` from now on; None: nothing."""
        with self._lock:
            self._ledger, self._tally, self._lines, self._at = ledger, Tally(ledger) if ledger else None, [], 0.0

    def leave(self, ledger: Ledger) -> None:
        """Stop, unless another ledger is followed by now."""
        if self._ledger is ledger:
            self.follow(None)

    def _look(self) -> None:
        with self._lock:
            if self._tally is not None and time.monotonic() - self._at > FRESH_SECONDS:
                self._tally.catch_up()
                self._lines = list(self._tally.lines())
                self._at = time.monotonic()

    def describe(self) -> Iterable[GaugeMetricFamily]:
        """The names alone, so that registering asks no database."""
        return _families()

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Values and 95 % bounds (`bound`: value, low, high), and the share of blank labels."""
        try:
            self._patience.wait(self._look)
        except (DatabaseUnavailable, TimeoutError) as error:
            log.warning("agreement is not fresh", reason=str(error) or LATE)
        lines = self._lines
        measures, blanks = _families()
        for line in lines:
            key = (line.finding, line.release, str(line.blind).lower())
            if line.found.blank_share is not None:
                blanks.add_metric(key, line.found.blank_share)
            for measure in ("sensitivity", "specificity", "kappa"):
                estimate = getattr(line.found, measure)
                for bound in ("value", "low", "high"):
                    if getattr(estimate, bound) is not None:
                        measures.add_metric((*key, measure, bound), getattr(estimate, bound))
        return measures, blanks


def _families() -> tuple[GaugeMetricFamily, GaugeMetricFamily]:
    return (
        GaugeMetricFamily("hilum_agreement", "Agreement of readers with a release, by patient.", labels=LABELS),
        GaugeMetricFamily("hilum_reads_blank_share", "Share of labels left blank.", labels=LABELS[:3]),
    )


GAUGES = AgreementGauges()
REGISTRY.register(GAUGES)
