"""Studies to come: real scored films drawn with replacement, with the urgency that Hilum's own code gives them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import numpy as np
import numpy.typing as npt

from hilum.findings import finding
from hilum.release import FindingSpec
from hilum.triage import Band, TriagePolicy, Urgency, due_time, urgency
from hilum.wire import CodeOut, DomainCheck, PredictedFinding, Prediction, ReleaseRef, Timings
from training.data.manifest import UNKNOWN
from training.evaluate.film_set import Scored, critical_labels
from training.simulate.plan import DAYS, HOURS, Arrivals, Orders, Reading
from training.simulate.queue import DAY, WEEK

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
MONDAY = datetime(2026, 1, 5, tzinfo=UTC)
_NO_TIME = Timings(decode_seconds=0, preprocess_seconds=0, queue_seconds=0, infer_seconds=0)
_NOBODY = ReleaseRef(name="simulated", version="0", digest="", precision="fp32")
_CHEST = DomainCheck(in_domain=True, score=1.0, threshold=2.0)


@dataclass(frozen=True, eq=False)
class Pool:
    """Films to draw from: whether each shows an acute finding (N,), and its prediction as the service would answer."""

    critical: Mask
    predictions: tuple[Prediction, ...]


@dataclass(frozen=True, eq=False)
class Day:
    """N studies: arrival in minutes since Monday 0:00, minutes to read, truly critical, urgency, order by order."""

    arrivals: Array
    minutes: Array
    critical: Mask
    urgencies: tuple[Urgency, ...]

    @property
    def missed(self) -> Mask:
        """Truly critical studies that are not in the critical band."""
        return np.asarray(self.critical & [u.band is not Band.CRITICAL for u in self.urgencies], dtype=bool)


def pool_of(scored: Scored, critical_margin: float) -> Pool:
    """The films whose truth is known; raises ValueError where none or all of them are critical."""
    truth = critical_labels(scored.specs, scored.labels)
    known = np.flatnonzero(truth != UNKNOWN)
    critical = truth[known] == 1
    if not 0 < critical.sum() < len(known):
        raise ValueError(
            f"of {len(known)} films with known acute findings {int(critical.sum())} are critical: some must be, not all"
        )
    chances, margins = scored.probabilities[known], scored.criticality[known]
    predictions = [
        _prediction(scored.specs, row, float(margin), critical_margin)
        for row, margin in zip(chances, margins, strict=True)
    ]
    return Pool(critical, tuple(predictions))


def _prediction(specs: Sequence[FindingSpec], chances: Array, margin: float, critical_margin: float) -> Prediction:
    code = CodeOut(value="", scheme="", meaning="")
    return Prediction(
        release=_NOBODY,
        findings=[
            PredictedFinding(
                name=spec.name,
                code=code,
                probability=float(chance),
                rule_out=spec.rule_out.threshold,
                alert=spec.alert.threshold,
                present=spec.established and bool(chance >= spec.alert.threshold),
                established=spec.established,
            )
            for spec, chance in zip(specs, chances, strict=True)
        ],
        domain=_CHEST,
        acute_margin=margin if np.isfinite(margin) else None,
        critical_margin=critical_margin,
        warnings=[],
        timings=_NO_TIME,
    )


def established_acute(specs: Sequence[FindingSpec]) -> tuple[str, ...]:
    """The findings that can make a study critical."""
    return tuple(spec.name for spec in specs if spec.established and finding(spec.name).acute)


def arrivals(plan: Arrivals, per_week: float, days: int, rng: np.random.Generator) -> Array:
    """Moments of a Poisson process whose rate follows hours and days, (N,), ascending, minutes since Monday 0:00."""
    week = np.outer(plan.days, plan.hours).ravel()
    rates = np.resize(week / week.sum() * per_week, days * HOURS)
    counts = rng.poisson(rates)
    hours = np.repeat(np.arange(days * HOURS), counts)
    return np.sort((hours + rng.random(len(hours))) * 60.0)


def minutes(reading: Reading, critical: Mask, rng: np.random.Generator) -> Array:
    """Reading minutes of studies, (N,)."""
    if reading.distribution == "exponential":
        drawn = rng.exponential(reading.median_minutes / np.log(2), len(critical))
    else:
        drawn = reading.median_minutes * np.exp(reading.spread * rng.standard_normal(len(critical)))
    return np.where(critical, drawn * reading.critical_factor, drawn)


def mean_minutes(reading: Reading, critical_share: float) -> float:
    """The expectation of `minutes`."""
    if reading.distribution == "exponential":
        plain = reading.median_minutes / np.log(2)
    else:
        plain = reading.median_minutes * np.exp(0.5 * reading.spread**2)
    return float(plain * (1 + critical_share * (reading.critical_factor - 1)))


def draw(
    pool: Pool,
    moments: Array,
    share: float,
    orders: Sequence[Orders],
    reading: Reading,
    rng: np.random.Generator,
) -> Day:
    """A study for each of `moments`; `share` of them truly critical."""
    count = len(moments)
    critical = rng.random(count) < share
    films = np.where(
        critical,
        rng.choice(np.flatnonzero(pool.critical), count),
        rng.choice(np.flatnonzero(~pool.critical), count),
    )
    edges = np.cumsum([order.share for order in orders])
    ordered = np.searchsorted(edges, rng.random(count), side="right")
    # A film's urgency under an order is always the same: it is asked of hilum.triage once.
    known: dict[tuple[int, int], Urgency] = {}
    urgencies = []
    for film, number in zip(films.tolist(), ordered.tolist(), strict=True):
        if (film, number) not in known:
            order = orders[number] if number < len(orders) else Orders(share=0)
            known[film, number] = urgency([pool.predictions[film]], False, order.priority, order.location)
        urgencies.append(known[film, number])
    return Day(moments, minutes(reading, critical, rng), critical, tuple(urgencies))


def due_keys(day: Day, policy: TriagePolicy) -> list[tuple[float]]:
    """Hilum's order: due time in minutes since Monday 0:00, by `hilum.triage.due_time`."""
    spare: dict[Urgency, float] = {}
    for each in set(day.urgencies):
        spare[each] = (due_time(MONDAY, each, policy) - MONDAY) / timedelta(minutes=1)
    return [(moment + spare[each],) for moment, each in zip(day.arrivals.tolist(), day.urgencies, strict=True)]


def rank_keys(day: Day) -> list[tuple[float, float]]:
    """The same bands and scores without the cap: more urgent always first, however long others have waited."""
    return [(float(each.band.rank), -each.score) for each in day.urgencies]


def arrival_keys(day: Day) -> list[tuple[float]]:
    """First come, first served."""
    return [(moment,) for moment in day.arrivals.tolist()]


__all__ = [
    "DAY",
    "DAYS",
    "WEEK",
    "Day",
    "Pool",
    "arrival_keys",
    "arrivals",
    "draw",
    "due_keys",
    "established_acute",
    "mean_minutes",
    "minutes",
    "pool_of",
    "rank_keys",
]
