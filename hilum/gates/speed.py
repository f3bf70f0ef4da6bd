"""Staging's technical questions: errors, latency, throughput, memory and start, of both releases in the same run."""

from __future__ import annotations

import numpy as np

from hilum.gates.plan import GatePlan, Staging
from hilum.gates.record import Check
from hilum.gates.replay import Side
from hilum.gates.sequential import Array
from hilum.gates.technical import error_check, latency_check

# Error of the bound of a percentile, either way.
LEVEL = 0.001
QUESTIONS = 4
# A film's probability under load may differ by what other arithmetic for a full batch rounds (bf16, int8), not by more.
COMPANY = 0.02


def speed_checks(active: Side, candidate: Side, plan: GatePlan, start_seconds: float | None) -> list[Check]:
    """Errors and mean latency with controlled error; p99, throughput, memory and start where clearly beyond."""
    staging, miss = plan.staging, plan.errors.miss
    alpha = staging.false_abort / QUESTIONS
    return [
        error_check(candidate.asked, candidate.failed, staging.error_rate, alpha, miss),
        latency_check(candidate.times, active.times, staging.latency, alpha, miss),
        _p99(active.seconds, candidate.seconds, staging.p99_ratio),
        _throughput(active.blocks, candidate.blocks, staging.throughput_ratio),
        _company(candidate.company),
        *_memory(active.memory, candidate.memory, staging),
        _start(start_seconds, staging.start_seconds),
    ]


def quantile_bounds(values: list[float], share: float, level: float = LEVEL) -> tuple[float, float, float]:
    """The `share` quantile with bounds by its order statistics (binomial, each side with error `level`)."""
    ordered: Array = np.sort(np.array(values, dtype=np.float64))
    n = len(ordered)
    at = np.random.default_rng(5).binomial(n, share, 20_000)
    low, high = np.quantile(at, (level, 1 - level))
    pick = [min(n - 1, max(0, int(k))) for k in (n * share, low - 1, high)]
    return float(ordered[pick[0]]), float(ordered[pick[1]]), float(ordered[pick[2]])


def _p99(active: list[float], candidate: list[float], bound: float) -> Check:
    name, metric = "latency p99", "p99, candidate to active"
    n = min(len(active), len(candidate))
    if n < 100:
        return Check(name, metric, "inconclusive", "a p99 needs at least 100 answered requests", bound=bound, n=n)
    ours, theirs = quantile_bounds(candidate, 0.99), quantile_bounds(active, 0.99)
    surely = ours[1] / theirs[2]
    verdict = "fail" if surely > bound else "pass"
    reason = "surely beyond the bound" if verdict == "fail" else "not shown to be beyond the bound"
    return Check(name, metric, verdict, reason, ours[0] / theirs[0], bound, n, low=surely)  # type: ignore[arg-type]


def _throughput(active: list[float], candidate: list[float], bound: float) -> Check:
    name, metric = "throughput", "films a second, candidate to active"
    n = min(len(active), len(candidate))
    if n < 4:
        return Check(name, metric, "inconclusive", "there were too few blocks of films", bound=bound, n=n)
    # The best blocks: what else the machine did makes a block slower, never faster.
    ratio = min(active) / min(candidate)
    slower = ratio < bound and sum(c > a for c, a in zip(candidate, active, strict=False)) >= n - 1
    reason = "slower in nearly every block" if slower else "not shown to be below the bound"
    return Check(name, metric, "fail" if slower else "pass", reason, ratio, bound, n)


def _company(differences: list[float]) -> Check:
    name, metric = "answers under load", "largest difference of a film's probability, beside others and alone"
    if not differences:
        return Check(name, metric, "inconclusive", "no film was answered both alone and under load", bound=COMPANY, n=0)
    worst = max(differences)
    verdict = "fail" if worst > COMPANY else "pass"
    reason = "a film's answer depends on the films beside it" if verdict == "fail" else "as alone"
    return Check(name, metric, verdict, reason, worst, COMPANY, len(differences))  # type: ignore[arg-type]


def _memory(active: list[float], candidate: list[float], staging: Staging) -> list[Check]:
    if min(len(active), len(candidate)) < 6:
        return [Check("memory", "resident bytes", "inconclusive", "the services did not say how much they hold", n=0)]
    ratio = candidate[-1] / active[-1]
    half = len(candidate) // 2
    growth = candidate[-1] / candidate[half] - 1
    ours = active[-1] / active[half] - 1
    # What the run itself does to the active release's memory is not held against the candidate.
    leaks = growth > staging.memory_growth and growth > 2 * max(ours, 0.0)
    n = len(candidate)
    return [
        Check("memory", "resident bytes, candidate to active", "fail" if ratio > staging.memory_ratio else "pass",
              "at the end of the run", ratio, staging.memory_ratio, n),
        Check("memory growth", "growth over the second half of the run", "fail" if leaks else "pass",
              "it grows without end" if leaks else "it settles", growth, staging.memory_growth, n),
    ]  # fmt: skip


def _start(seconds: float | None, bound: float) -> Check:
    name, metric = "start", "seconds from process to ready"
    if seconds is None:
        return Check(name, metric, "reported", "the service does not say", bound=bound)
    verdict = "pass" if seconds <= bound else "fail"
    return Check(name, metric, verdict, "as the service measured it", seconds, bound, 1)  # type: ignore[arg-type]
