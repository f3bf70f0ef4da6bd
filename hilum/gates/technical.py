"""Errors and latency from counts, as Prometheus or a run of requests gives them. No count is never a pass."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from hilum.gates.plan import Margin
from hilum.gates.record import Check
from hilum.gates.sequential import Said, interval, log_fortune, normal


@dataclass(frozen=True)
class Times:
    """Requests of one release in a window: how many, their mean in seconds and the mean of their squares."""

    count: float
    mean: float
    square: float

    @property
    def spread(self) -> float:
        """Squared coefficient of variation; never below that of a figure known to a hundredth."""
        return max(1e-4, self.square / self.mean**2 - 1) if self.mean > 0 else math.nan


def times_of_buckets(buckets: Mapping[float, float], total: float) -> Times | None:
    """From cumulated counts per upper bound (inf included) and the sum of seconds; None where they can't be used.

    Within a bucket the middle stands for all, in the open one its lower bound: the spread is coarse, the mean exact.
    """
    bounds = sorted(buckets)
    if not bounds or bounds[-1] != math.inf or len(bounds) < 2:
        return None
    cumulated = np.array([buckets[b] for b in bounds], dtype=np.float64)
    count = float(cumulated[-1])
    if not np.isfinite(cumulated).all() or not math.isfinite(total) or count <= 0 or total <= 0:
        return None
    each = np.clip(np.diff(cumulated, prepend=0.0), 0.0, None)
    lower = np.array([0.0, *bounds[:-1]])
    upper = np.array([*bounds[:-1], bounds[-2]])
    square = float((each * (lower**2 + lower * upper + upper**2) / 3).sum() / count)
    mean = total / count
    return Times(count, mean, max(square, mean**2))


def error_check(requests: float | None, errors: float | None, asked: Margin, alpha: float, beta: float) -> Check:
    """Share of requests that failed on the candidate's side."""
    name, metric = "errors", "share of requests that failed"
    bounds = asked.bounds(alpha, beta)
    if requests is None or errors is None or not (math.isfinite(requests) and math.isfinite(errors)):
        return Check(name, metric, "inconclusive", "there is no figure", bound=bounds.margin)
    # Prometheus extrapolates: a share of a request is none.
    n, failed = math.floor(requests), min(math.ceil(errors - 1e-6), math.floor(requests))
    if n <= 0:
        return Check(name, metric, "inconclusive", "there were no requests", bound=bounds.margin)
    values, counts = np.array([0.0, 1.0]), np.array([float(n - failed), float(failed)])
    fails = log_fortune(counts, values, bounds.tolerance, "above") >= -math.log(alpha)
    passes = log_fortune(counts, values, bounds.margin, "below") >= -math.log(beta)
    verdict: Said = "fail" if fails else "pass" if passes else "inconclusive"
    low, high = interval(np.repeat(values, counts.astype(int)), beta, 0.0, 1.0) if n <= 10_000 else (None, None)
    bound = bounds.tolerance if verdict == "fail" else bounds.margin
    reason = {"pass": "surely below the margin", "fail": "surely beyond the tolerance"}.get(verdict, "too few requests")
    return Check(name, metric, verdict, reason, failed / n, bound, n, low=low, high=high)


def latency_check(candidate: Times | None, active: Times | None, asked: Margin, alpha: float, beta: float) -> Check:
    """Ratio of the mean times in the same window, on a logarithmic scale."""
    name, metric = "latency", "mean time, candidate to active"
    if candidate is None or active is None:
        lacking = "candidate" if candidate is None else "active release"
        return Check(name, metric, "inconclusive", f"there are no times of the {lacking}", bound=asked.margin)
    n = min(candidate.count, active.count)
    ratio = candidate.mean / active.mean
    variance = candidate.spread * n / candidate.count + active.spread * n / active.count
    margin = Margin(tolerance=math.log(asked.tolerance), margin=math.log(asked.margin))
    answer = normal(math.log(ratio), variance, n, margin.bounds(alpha, beta, least=30))
    bound = asked.tolerance if answer.verdict == "fail" else asked.margin
    reason = {"pass": "surely below the margin", "fail": "surely beyond the tolerance"}.get(
        answer.verdict, "too few requests to say"
    )
    low, high = (None if x is None else math.exp(x) for x in (answer.low, answer.high))
    return Check(name, metric, answer.verdict, reason, ratio, bound, int(n), low=low, high=high)
