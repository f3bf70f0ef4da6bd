"""Run the simulation: the same arrivals and reading times under each order, again with other seeds."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.stats import t as student

from training.simulate import studies
from training.simulate.plan import TriagePlan
from training.simulate.queue import DAY, Roster, serve

Array = npt.NDArray[np.float64]
FIRST_COME, HILUM, UNCAPPED = "first come", "hilum", "hilum without the cap"
ORDERS = (FIRST_COME, HILUM, UNCAPPED)
# Names of the figures, in minutes, in the order in which tables show them. The primary safety figure is the missed p95.
FIGURES = (
    "critical median",
    "critical p95",
    "missed critical p95",
    "missed critical longest",
    "caught critical p95",
    "all median",
    "longest",
    "late",
)


@dataclass(frozen=True)
class Setting:
    """One utilisation: how many studies a week come, and the roster."""

    utilisation: float
    per_week: float
    critical_share: float
    roster: Roster


def setting(plan: TriagePlan, pool: studies.Pool, utilisation: float) -> Setting:
    """How many studies a week keep the plan's readers busy for `utilisation` of their shifts."""
    share = plan.critical_share if plan.critical_share is not None else float(pool.critical.mean())
    roster = Roster.of(plan.shifts)
    per_week = utilisation * roster.minutes / studies.mean_minutes(plan.reading, share)
    return Setting(utilisation, per_week, share, roster)


def replicate(plan: TriagePlan, pool: studies.Pool, at: Setting, seed: int) -> dict[str, Any]:
    """One replication: FIGURES per order (minutes; "late": share of studies read after their due time), and counts."""
    rng = np.random.default_rng([plan.seed, seed])
    days = plan.warm_up_days + plan.days + plan.cool_down_days
    moments = studies.arrivals(plan.arrivals, at.per_week, days, rng)
    day = studies.draw(pool, moments, at.critical_share, plan.orders, plan.reading, rng)
    start = plan.warm_up_days * DAY
    counted = (moments >= start) & (moments < start + plan.days * DAY)
    due = studies.due_keys(day, plan.policy())
    due_waits = np.array([key[0] for key in due]) - moments
    keys: dict[str, Sequence[Sequence[float]]] = {
        FIRST_COME: studies.arrival_keys(day),
        HILUM: due,
        UNCAPPED: studies.rank_keys(day),
    }
    waits = {name: serve(moments, day.minutes, keys[name], at.roster)[counted] for name in ORDERS}
    critical, missed = day.critical[counted], day.missed[counted]
    return {
        "orders": {name: _figures(wait, critical, missed, due_waits[counted]) for name, wait in waits.items()},
        "studies": int(counted.sum()),
        "critical": int(critical.sum()),
        "missed": int(missed.sum()),
    }


def _figures(waits: Array, critical: studies.Mask, missed: studies.Mask, due: Array) -> dict[str, float]:
    def of(values: npt.NDArray[Any], how: Callable[[npt.NDArray[Any]], Any]) -> float:
        return float(how(values)) if len(values) else float("nan")

    caught = critical & ~missed
    values = (
        of(waits[critical], np.median),
        of(waits[critical], lambda v: np.percentile(v, 95)),
        of(waits[missed], lambda v: np.percentile(v, 95)),
        of(waits[missed], np.max),
        of(waits[caught], lambda v: np.percentile(v, 95)),
        of(waits, np.median),
        of(waits, np.max),
        of(waits > due, np.mean),
    )
    return dict(zip(FIGURES, values, strict=True))


def simulate(plan: TriagePlan, pool: studies.Pool, tick: Callable[[int], None] = lambda count: None) -> dict[str, Any]:
    """The whole report: per utilisation and order each figure's mean over replications with its 95 % interval.

    `against first come` is the mean of the paired differences: below nought is sooner.
    """
    results = []
    for utilisation in plan.utilisations:
        at = setting(plan, pool, utilisation)
        runs = []
        for seed in range(plan.replications):
            runs.append(replicate(plan, pool, at, seed))
            tick(1)
        results.append(_result(at, runs))
    return {
        "name": plan.name,
        "plan": plan.model_dump(mode="json"),
        "unit": "minutes, but for late: a share",
        "films_drawn_from": {"films": len(pool.critical), "critical": int(pool.critical.sum())},
        "utilisations": results,
    }


def _result(at: Setting, runs: list[dict[str, Any]]) -> dict[str, Any]:
    table = {name: {f: np.array([run["orders"][name][f] for run in runs]) for f in FIGURES} for name in ORDERS}
    against = {name: {f: table[name][f] - table[FIRST_COME][f] for f in FIGURES} for name in ORDERS[1:]}
    return {
        "utilisation": at.utilisation,
        "studies_a_week": round(at.per_week, 1),
        "critical_share": round(at.critical_share, 4),
        "studies": int(np.mean([run["studies"] for run in runs])),
        "critical": int(np.mean([run["critical"] for run in runs])),
        "missed": int(np.mean([run["missed"] for run in runs])),
        "orders": {name: {f: mean_of(v) for f, v in figures.items()} for name, figures in table.items()},
        "against first come": {name: {f: mean_of(v) for f, v in figures.items()} for name, figures in against.items()},
    }


def mean_of(values: Array) -> dict[str, float] | None:
    """Mean of replications with its 95 % interval by Student's t; None with fewer than two."""
    held = values[np.isfinite(values)]
    if len(held) < 2:
        return None
    reach = float(student.ppf(0.975, len(held) - 1) * held.std(ddof=1) / np.sqrt(len(held)))
    mean = float(held.mean())
    return {"value": round(mean, 3), "low": round(mean - reach, 3), "high": round(mean + reach, 3)}
