"""Urgency and due time: which study is read next (DESIGN: "urgency -> due time").

due = arrival + wait of the band, made earlier within the band by the score. The list is "earliest due first", so
no study is overtaken by one that arrives after its due time. Order priority and location can only make a study
more urgent than the model says, and the model can only raise a study, never lower it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from hilum.findings import UnknownFinding, finding
from hilum.wire import Prediction


class Band(StrEnum):
    """Bands of urgency, most urgent first."""

    CRITICAL = "critical"
    URGENT = "urgent"
    ROUTINE = "routine"

    @property
    def rank(self) -> int:
        """0 is the most urgent."""
        return list(Band).index(self)


@dataclass(frozen=True)
class TriagePolicy:
    """A site's waits. `within_band_share`: the highest score in a band is due by this share of the wait sooner.

    Raises ValueError unless every study of a more urgent band is due before every study of a less urgent one that
    arrived with it; else an order's priority could make a study due later than the model alone would.
    """

    wait_critical: timedelta = timedelta(minutes=15)
    wait_urgent: timedelta = timedelta(hours=4)
    wait_routine: timedelta = timedelta(hours=24)
    within_band_share: float = 0.25

    def __post_init__(self) -> None:
        """Check the waits against one another."""
        if not 0.0 <= self.within_band_share < 1.0:
            raise ValueError("within_band_share lies in 0..1, below 1")
        if self.wait_critical <= timedelta(0):
            raise ValueError("the critical wait is longer than nothing")
        earliest = 1 - self.within_band_share
        if self.wait_critical > self.wait_urgent * earliest or self.wait_urgent > self.wait_routine * earliest:
            raise ValueError("a more urgent band's wait ends before the next band's earliest due time")

    def wait(self, band: Band) -> timedelta:
        """Target wait of `band`."""
        return {
            Band.CRITICAL: self.wait_critical,
            Band.URGENT: self.wait_urgent,
            Band.ROUTINE: self.wait_routine,
        }[band]


@dataclass(frozen=True)
class Urgency:
    """`score` in 0..1 orders studies within a band; `reason` is one plain sentence for the reader."""

    band: Band
    score: float
    reason: str


# DICOM (0040,1003) Requested Procedure Priority: STAT, HIGH, ROUTINE, MEDIUM, LOW.
# HL7 v2.5.1 table 0485 (TQ1-9): S stat, A as soon as possible, R routine, P preoperative, T timing critical.
_ORDER_BANDS = {
    "STAT": Band.CRITICAL,
    "S": Band.CRITICAL,
    "HIGH": Band.URGENT,
    "A": Band.URGENT,
    "ASAP": Band.URGENT,
    "T": Band.URGENT,
    "P": Band.URGENT,
}
_URGENT_LOCATIONS = frozenset({"ED", "ER", "ICU"})


def _from_order(priority: str, location: str) -> Urgency | None:
    band = _ORDER_BANDS.get(priority.strip().upper())
    urgencies = []
    if band is not None:
        urgencies.append(Urgency(band, 0.0, f"ordered as {priority.strip().upper()}"))
    if location.strip().upper() in _URGENT_LOCATIONS:
        urgencies.append(Urgency(Band.URGENT, 0.0, f"comes from {location.strip().upper()}"))
    return min(urgencies, key=lambda u: u.band.rank, default=None)


def logit(probability: float) -> float:
    """Log odds of `probability`, which is clipped to 1e-6 from either end so that the result is finite."""
    clipped = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(clipped / (1 - clipped))


def margin(probability: float, alert: float, weight: float = 1.0) -> float:
    """By how many logits `probability` exceeds the `alert` threshold; a `weight` below 1 takes ln(weight) off.

    `weight` (above 0, at most 1) is the finding's say in urgency.
    """
    return logit(probability) - logit(alert) + math.log(weight)


def is_acute(name: str) -> bool:
    """Whether the finding may make a study critical; a name that the dictionary lacks may not."""
    try:
        return finding(name).acute
    except UnknownFinding:
        return False


def _percent(probability: float) -> str:
    # Probabilities of rare findings are small; whole per cent would make most of them equal.
    return f"{100 * probability:.0f} %" if probability >= 0.0995 else f"{100 * probability:.1f} %"


def from_prediction(prediction: Prediction) -> Urgency | None:
    """The model's urgency of one film, or None where the film is out of domain and has no findings.

    critical: the acute margin reaches the release's critical margin (its alarm budget); urgent: an established
    finding is present; routine: none is. A finding that is not established says nothing.
    """
    if not prediction.domain.in_domain:
        return None
    margins = {f.name: margin(f.probability, f.alert) for f in prediction.findings if f.established}
    percents = {f.name: f"{f.name} {_percent(f.probability)}" for f in prediction.findings}
    if prediction.acute_margin is not None and prediction.acute_margin >= prediction.critical_margin:
        score = 1 - math.exp(-(prediction.acute_margin - prediction.critical_margin))
        top = max((name for name in margins if is_acute(name)), key=lambda name: margins[name], default=None)
        return Urgency(Band.CRITICAL, score, percents[top] if top else "acute finding")
    present = [f.name for f in prediction.findings if f.present and f.name in margins]
    if present:
        top = max(present, key=lambda name: margins[name])
        return Urgency(Band.URGENT, 1 - math.exp(-max(margins[top], 0.0)), percents[top])
    if not margins:
        return Urgency(Band.ROUTINE, 0.0, "no established finding")
    # Below the alert threshold the margin is negative: 0..1 grows towards it.
    return Urgency(Band.ROUTINE, math.exp(min(max(margins.values()), 0.0)), "no finding at its alert point")


def urgency(predictions: list[Prediction], scorable_pending: bool, priority: str = "", location: str = "") -> Urgency:
    """Urgency of a study from its films' predictions (maximum over films) and from its order.

    An unscored study, waiting or not scorable, counts as urgent, or as its order says where that is higher. So does
    a study of which a film still waits (`scorable_pending`), unless its other films make it more urgent.
    """
    named = [u for u in map(from_prediction, predictions) if u is not None]
    if scorable_pending:
        named.append(Urgency(Band.URGENT, 0.0, "waiting for its score"))
    not_scored = Urgency(Band.URGENT, 0.0, "not scored")
    model = min(named, key=lambda u: (u.band.rank, -u.score), default=not_scored)
    order = _from_order(priority, location)
    if order is None or model.band.rank <= order.band.rank:
        return model
    return order


def due_time(arrived_at: datetime, urgency_: Urgency, policy: TriagePolicy) -> datetime:
    """When a study that arrived at `arrived_at` (with time zone) must be read at the latest."""
    if arrived_at.tzinfo is None:
        raise ValueError("arrival needs a time zone")
    share = 1 - policy.within_band_share * min(max(urgency_.score, 0.0), 1.0)
    return arrived_at + policy.wait(urgency_.band) * share


def never_later(previous: datetime | None, proposed: datetime) -> datetime:
    """A late film may make a study due sooner, never later."""
    return proposed if previous is None else min(previous, proposed)
