"""Metrics of shadow answers. The series of a pair of releases start at 0 once both are known."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client import Counter, Gauge

PAIRS = Counter("hilum_shadow_pairs_total", "Studies that both releases scored.", ["live", "shadow"])
DISAGREEMENTS = Counter(
    "hilum_shadow_disagreements_total",
    "Pairs in which one release calls the finding present and the other does not.",
    ["finding", "live", "shadow"],
)
ASKED = Counter("hilum_shadow_asked_total", "Studies offered to shadow scoring, by outcome.", ["outcome"])
QUEUE = Gauge("hilum_shadow_queue", "Studies that wait in this process to be asked of canary.")
CANARY_AWAY = Gauge("hilum_canary_away", "1 while canary is configured and does not answer.")

EXPOSURES = Counter("hilum_exposures_total", "Studies decided upon while exposure is above 0, and ends.", ["outcome"])

for _outcome in ("exposed", "not_exposed", "ended"):
    EXPOSURES.labels(_outcome)
# paired; shed: the queue was full; unavailable: canary did not answer in its time; skipped: nothing to compare.
for _outcome in ("paired", "shed", "unavailable", "skipped"):
    ASKED.labels(_outcome)


def start_series(findings: Iterable[str], live: str, shadow: str) -> None:
    """Let the series of these two releases begin at 0: `increase` misses a counter's first value."""
    PAIRS.labels(live, shadow)
    for name in findings:
        DISAGREEMENTS.labels(name, live, shadow)
