"""Gates with fixed thresholds, as the examples of Argo Rollouts and Flagger have them, at a hospital's traffic.

Argo: every 5 minutes the share of requests without error is at least 0.95, more than 3 measurements that are not so
abort (AnalysisTemplate `success-rate` of its documentation); a window without a request gives NaN, which is not at
least 0.95. Flagger: every minute at least 99 % and a p99 of at most 500 ms, 10 checks, 5 that fail roll back; a window
without a request counts as one that fails. Argo's example is looked at for an hour, and for a day.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.gates_model import SPREAD, World

# Median time of a request in seconds: a p99 of 0.32 s, under Flagger's 0.5 s.
MEDIAN = 0.1


@dataclass(frozen=True)
class Fixed:
    """One such gate: `windows` of `minutes`; more than `allowed` failed ones abort."""

    name: str
    minutes: float
    windows: int
    allowed: int
    success: float
    p99_seconds: float | None = None


RIVALS = (
    Fixed("Argo's example, 1 h", 5, 12, 3, 0.95),
    Fixed("Argo's example, 24 h", 5, 288, 3, 0.95),
    Fixed("Flagger's example", 1, 10, 4, 0.99, 0.5),
)


def judged(rng: np.random.Generator, gate: Fixed, world: World, rate: float, runs: int) -> npt.NDArray[np.int64]:
    """Verdict (R,): 1 or -1. There is no third."""
    films = rng.poisson(rate * gate.minutes / 1440, size=(runs, gate.windows))
    errors = rng.binomial(films, world.error_rate)
    good = films > 0
    good &= (films - errors) >= gate.success * films
    if gate.p99_seconds is not None:
        # p99 of few requests is their slowest.
        beyond = 1 - _normal_cdf(np.log(gate.p99_seconds / (MEDIAN * world.slower)) / SPREAD)
        slow = rng.binomial(films, beyond)
        good &= slow <= 0.01 * films
    failed = (~good).sum(axis=1)
    return np.where(failed > gate.allowed, -1, 1)


def _normal_cdf(z: float) -> float:
    from statistics import NormalDist  # noqa: PLC0415

    return NormalDist().cdf(float(z))
