"""Metrics of the ledger's own work; agreement has its own module."""

from __future__ import annotations

from prometheus_client import Counter, Gauge

# Of the 10 s after which Prometheus gives a page up; three parts of the page look at rows.
METRICS_SECONDS = 2.0
LATE = "the database does not answer in time"

ARCHIVED = Counter("hilum_ledger_objects_total", "Reads written as objects by this process.")
CONTRADICTIONS = Counter("hilum_ledger_contradictions_total", "Objects found that are not what the ledger holds.")
COMPACTED_FILMS = Gauge("hilum_newdata_films", "Films in new_data.csv after the last compaction by this process.")
