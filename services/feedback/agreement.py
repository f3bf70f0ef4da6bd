"""`hilum_reads_total`: what readers said of each finding, against what the release had called present.

The numbers come from the ledger, not from this process: they are the same on every replica and after a restart
(so take `max` over replicas, never `sum`).
"""

from __future__ import annotations

import itertools
import threading
from collections import Counter
from collections.abc import Iterable

import structlog
from prometheus_client import REGISTRY
from prometheus_client.core import CounterMetricFamily
from prometheus_client.registry import Collector

from hilum.gauges import Patience
from hilum.storage import DatabaseUnavailable
from hilum.wire import ReadIn
from services.feedback.canonical import BrokenBody, parsed
from services.feedback.ledger import Ledger
from services.feedback.metrics import LATE, METRICS_SECONDS

LABELS = ("finding", "agreement", "release", "blind")
AGREEMENTS = ("agree", "disagree", "uncertain")
# A study that no release had scored: there is no answer to agree with.
UNSCORED = "unscored"
Series = tuple[str, str, str, str]
log = structlog.get_logger("hilum.feedback.agreement")


def judgements(read: ReadIn) -> list[Series]:
    """One series per finding that was judged: agree where 1 meets present or 0 meets not present."""
    release, blind = read.release_digest or "none", str(read.blind).lower()
    found = []
    for finding, label in read.labels.items():
        if label is None:
            continue
        if read.release_digest is None:
            agreement = UNSCORED
        elif label == -1:
            agreement = "uncertain"
        else:
            agreement = "agree" if (label == 1) == (finding in read.present) else "disagree"
        found.append((finding, agreement, release, blind))
    return found


def series_of(read: ReadIn) -> list[Series]:
    """Every series that reads of this release can count in: they start at 0 together."""
    agreements = AGREEMENTS if read.release_digest else (UNSCORED,)
    return list(itertools.product(read.findings, agreements, (read.release_digest or "none",), ("false", "true")))


class AgreementCollector(Collector):
    """Counts the ledger's reads at each scrape, going on from where the last one ended."""

    def __init__(self) -> None:
        # Two locks: a scrape that reads a long ledger must not keep a reader's answer waiting.
        self._scan = threading.Lock()
        self._lock = threading.Lock()
        self._patience: Patience[None] = Patience(METRICS_SECONDS)
        self._ledger: Ledger | None = None
        self._sequence = 0
        self._counts: Counter[Series] = Counter()
        # Whether the ledger was read to its end once. A part of it, shown after a start, would look like reads that
        # come now, for a counter that falls is taken for one that begins anew.
        self._whole = False

    def follow(self, ledger: Ledger | None) -> None:
        """Count `ledger` from its beginning; None counts nothing."""
        with self._scan, self._lock:
            self._ledger, self._sequence, self._counts, self._whole = ledger, 0, Counter(), False

    def leave(self, ledger: Ledger) -> None:
        """Stop, unless another ledger is followed by now."""
        if self._ledger is ledger:
            self.follow(None)

    def know(self, read: ReadIn) -> None:
        """Start the series of this read's release at 0 before its first read: `increase` misses a first value."""
        self._add(series_of(read), 0)

    def catch_up(self) -> None:
        """Count what came since. Raises DatabaseUnavailable."""
        with self._scan:
            if self._ledger is None:
                return
            for row in self._ledger.rows(self._sequence):
                try:
                    read = parsed(row.body)
                except BrokenBody:
                    log.error("a read can't be counted", sequence=row.sequence)
                else:
                    self._add(series_of(read), 0)
                    self._add(judgements(read), 1)
                self._sequence = row.sequence
            self._whole = True

    def describe(self) -> Iterable[CounterMetricFamily]:
        """The name alone, so that registering asks no database."""
        yield _family()

    def collect(self) -> Iterable[CounterMetricFamily]:
        """The family; with the last known numbers while the database is away, without any until all was counted."""
        try:
            self._patience.wait(self.catch_up)
        except (DatabaseUnavailable, TimeoutError) as error:
            log.warning("counted no new reads", reason=str(error) or LATE)
        family = _family()
        with self._lock:
            for series, count in sorted(self._counts.items()) if self._whole else ():
                family.add_metric(series, count)
        yield family

    def _add(self, series: Iterable[Series], count: int) -> None:
        with self._lock:
            for each in series:
                self._counts[each] += count


def _family() -> CounterMetricFamily:
    return CounterMetricFamily("hilum_reads", "Findings judged by readers, in the whole ledger.", labels=LABELS)


COLLECTOR = AgreementCollector()
REGISTRY.register(COLLECTOR)
