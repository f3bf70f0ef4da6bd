"""Metrics of the promoter, set after every turn from what it saw."""

from __future__ import annotations

from datetime import datetime, timedelta

from prometheus_client import Counter, Gauge

from hilum.gauges import Labels, replace_series
from services.promoter.promoter import View
from services.promoter.states import State

PARTS = ("git", "cluster", "registry", "records")
# A failure ends its promotion in the same turn, and a turn is shorter than a scrape: it is shown for so long after.
FAILURE_SHOWN = timedelta(hours=1)
VERDICTS = {"pass": 1.0, "inconclusive": 0.0, "error": -1.0, "fail": -2.0}
GATE = Gauge(
    "hilum_gate_verdict",
    "The last verdict of the gate that decides now: 1 pass, 0 inconclusive, -1 error, -2 fail (shown for an hour).",
    ["environment", "release"],
)
STATE = Gauge("hilum_promotion_state", "1 for the state that the promoter stands in.", ["state"])
AGE = Gauge("hilum_promotion_age_seconds", "How long it has stood in it; 0 while no promotion is under way.")
DEADLINE = Gauge("hilum_promotion_deadline_seconds", "Seconds to its deadline; 0: it has none.")
AWAY = Gauge("hilum_promoter_away", "1 while a part does not answer.", ["part"])
TURNS = Counter("hilum_promoter_turns_total", "Turns that ended.", ["outcome"])
for outcome in ("done", "away", "broken"):
    TURNS.labels(outcome)
for part in PARTS:
    AWAY.labels(part).set(0)


def show(view: View, now: datetime) -> None:
    """Set every gauge."""
    current = view.ledger.current
    for state in State:
        STATE.labels(state.value).set(view.ledger.state is state)
    AGE.set((now - current.since).total_seconds() if current else 0)
    left = (current.deadline - now).total_seconds() if current and current.deadline else 0
    DEADLINE.set(left)
    for name in PARTS:
        AWAY.labels(name).set(name in view.away)
    verdicts: dict[Labels, float] = {}
    last = view.ledger.ended[0] if view.ledger.ended else None
    if (
        last is not None
        and last.failed is not None
        and last.state is State.REJECTED
        and now - last.since < FAILURE_SHOWN
    ):
        verdicts[str(last.failed["environment"]), last.candidate.digest] = VERDICTS["fail"]
    if view.record is not None:
        verdicts[view.record.environment, view.record.release] = VERDICTS[view.record.verdict]
    replace_series(GATE, verdicts)
