"""The world in which the gates are simulated: what a good candidate and three bad ones do, and how evidence comes in.

Counts are drawn per look, many runs at once; the tests are those of `hilum.gates`, fed with counts instead of rows.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hilum.gates.plan import GatePlan
from hilum.gates.sequential import Array, Bounds, first_crossings, reach
from hilum.gates.shadow import QUESTIONS

FINDINGS, ACUTE = 14, 5
# Hours at which a canary is looked at: close at first, then daily to the deadline.
HOURS = np.array([1.0, 2, 4, 8, 12, 18, *range(24, 28 * 24 + 1, 24)])
BLIND_SHARE, NEW_PATIENTS = 0.2, 0.8
# Share of films with the one finding that gets worse, and with any acute finding.
PREVALENCE, ACUTE_PREVALENCE = 0.02, 0.08
# Spread of the logarithm of a request's time.
SPREAD = 0.5


@dataclass(frozen=True)
class World:
    """A candidate: shares of true alerts it loses and gains against the active one, and its technical figures."""

    name: str
    lost: float = 0.03
    gained: float = 0.03
    error_rate: float = 0.01
    slower: float = 1.0
    disagreement: float = 0.03
    shift: float = 0.0


GOOD = World("good")
BAD = (
    World("one acute finding -5 points", lost=0.08),
    World("errors 1 % -> 5 %", error_rate=0.05),
    World("latency x1.5", slower=1.5),
)


def per_look(rate: float) -> npt.NDArray[np.int64]:
    """Films that come in between two looks, (T,), at `rate` a day."""
    return np.diff(np.round(rate * HOURS / 24), prepend=0).astype(np.int64)


def _drawn(rng: np.random.Generator, films: npt.NDArray[np.int64], shares: list[float], runs: int) -> Array:
    """Cumulated counts (R, T, V) of films that fall on values with these shares."""
    each = rng.multinomial(np.broadcast_to(films, (runs, len(films))), shares)
    return np.cumsum(each, axis=1).astype(np.float64)


def binary(
    rng: np.random.Generator, films: npt.NDArray[np.int64], share: float, bounds: Bounds, runs: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """A share of films, against `bounds`."""
    return first_crossings(_drawn(rng, films, [1 - share, share], runs), np.array([0.0, 1.0]), bounds)


def paired(
    rng: np.random.Generator, films: npt.NDArray[np.int64], lost: float, gained: float, bounds: Bounds, runs: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Paired calls on films that show something: lost, gained, or alike."""
    values = np.array([-1.0, 0.0, 1.0])
    return first_crossings(_drawn(rng, films, [gained, 1 - lost - gained, lost], runs), values, bounds)


def latency(
    rng: np.random.Generator, films: npt.NDArray[np.int64], slower: float, bounds: Bounds, runs: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Mean times of both, lognormal; sums of many are drawn as gamma with the same mean and variance."""
    mean, variance = math.exp(SPREAD**2 / 2), (math.exp(SPREAD**2) - 1) * math.exp(SPREAD**2)
    shape = (runs, len(films))
    sums = [
        np.cumsum(rng.gamma(np.maximum(films * mean**2 / variance, 1e-9), variance / mean, shape), axis=1) for _ in "ab"
    ]
    n = np.maximum(np.cumsum(films), 1)[None, :]
    ratio = np.log(np.maximum(sums[0], 1e-9) * slower / np.maximum(sums[1], 1e-9))
    spread = 2 * variance / mean**2
    enough = n >= 30
    failed = (ratio - reach(spread, n, bounds.alpha) > bounds.tolerance) & enough
    passed = (ratio + reach(spread, n, bounds.beta) < bounds.margin) & enough
    looks = len(films)
    at_fail = np.where(failed.any(axis=1), failed.argmax(axis=1), looks)
    at_pass = np.where(passed.any(axis=1), passed.argmax(axis=1), looks)
    verdict = np.where(at_fail == looks, np.where(at_pass == looks, 0, 1), np.where(at_fail <= at_pass, -1, 1))
    return verdict, np.minimum(at_fail, at_pass)


def canary(
    rng: np.random.Generator, world: World, rate: float, plan: GatePlan, runs: int
) -> dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]:
    """Every question of the canary gate: verdict (R,) and look (R,)."""
    asked, beta = plan.canary, plan.errors.miss
    alpha = asked.false_abort / QUESTIONS
    films = per_look(rate)
    studies = per_look(rate * NEW_PATIENTS)
    reads = per_look(rate * NEW_PATIENTS * BLIND_SHARE * ACUTE_PREVALENCE)
    share = PREVALENCE / ACUTE_PREVALENCE
    pooled_lost = GOOD.lost + (world.lost - GOOD.lost) * share
    slow = logarithmic(asked.latency.tolerance, asked.latency.margin, alpha, beta)
    unlike = asked.disagreement.bounds(alpha, beta, asked.min_patients)
    found = {
        "errors": binary(rng, films, world.error_rate, asked.error_rate.bounds(alpha, beta), runs),
        "latency": latency(rng, films, world.slower, slow, runs),
        "critical lost": binary(rng, studies, 0.005, asked.critical_lost.bounds(alpha, beta, asked.min_patients), runs),
        "not scored": binary(rng, studies, 0.001, asked.not_scored.bounds(alpha, beta, asked.min_patients), runs),
        "disagreement": _disagreement(rng, studies, world, unlike, runs),
        "sensitivity on blind reads": paired(
            rng, reads, pooled_lost, world.gained, asked.sensitivity.bounds(alpha, beta, asked.min_positives), runs
        ),
        "specificity on blind reads": paired(
            rng,
            per_look(rate * NEW_PATIENTS * BLIND_SHARE),
            0.015,
            0.015,
            asked.specificity.bounds(alpha, beta, asked.min_positives),
            runs,
        ),
    }
    alone = asked.sensitivity.bounds(alpha / FINDINGS, beta, asked.min_positives)
    one = per_look(rate * NEW_PATIENTS * BLIND_SHARE * PREVALENCE)
    verdict, look = paired(rng, one, world.lost, world.gained, alone, runs)
    # It can fail, and holds nothing up.
    found["sensitivity of one finding"] = np.where(verdict == -1, -1, 1), np.where(verdict == -1, look, 0)
    shift = asked.shift.bounds(alpha / (2 * FINDINGS), beta, asked.min_patients)
    for k in range(FINDINGS):
        found[f"shift {k}"] = _shift(rng, studies, shift, runs)
    return found


def logarithmic(tolerance: float, margin: float, alpha: float, beta: float) -> Bounds:
    """Bounds of a ratio on the logarithmic scale."""
    return Bounds(math.log(tolerance), math.log(margin), alpha, beta, least=30)


def _disagreement(
    rng: np.random.Generator, studies: npt.NDArray[np.int64], world: World, bounds: Bounds, runs: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Share of 14 findings called differently: independent of each other, 0 to 4 of them, and the end of the range."""
    p = world.disagreement
    shares = [math.comb(FINDINGS, k) * p**k * (1 - p) ** (FINDINGS - k) for k in range(5)]
    shares = [s / sum(shares) for s in shares]
    counts = _drawn(rng, studies, [*shares, 0.0], runs)
    return first_crossings(counts, np.array([*(k / FINDINGS for k in range(5)), 1.0]), bounds)


def _shift(
    rng: np.random.Generator, studies: npt.NDArray[np.int64], bounds: Bounds, runs: int
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """Difference of one finding's probability: symmetric steps of up to 0.2; both ways are asked."""
    values = np.array([-1.0, -0.2, -0.05, 0.0, 0.05, 0.2, 1.0])
    counts = _drawn(rng, studies, [0.0, 0.03, 0.2, 0.54, 0.2, 0.03, 0.0], runs)
    up, down = (first_crossings(c, values, bounds) for c in (counts, counts[..., ::-1]))
    verdict = np.minimum(up[0], down[0])
    return verdict, np.where(verdict == 1, np.maximum(up[1], down[1]), np.minimum(up[1], down[1]))


def together(found: dict[str, tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]]) -> tuple[Array, Array]:
    """The gate's verdict (R,): the first failure, else all passed, else none; and the hour (NaN: undecided)."""
    verdicts = np.stack([v for v, _ in found.values()])
    looks = np.stack([look for _, look in found.values()]).astype(np.float64)
    last = len(HOURS)
    fail_at = np.where(verdicts == -1, looks, last).min(axis=0)
    pass_at = np.where(verdicts == 1, looks, last).max(axis=0)
    passes = (verdicts == 1).all(axis=0)
    # A failure that would come after all others have passed, and after the pass, can't be: the gate is over then.
    failed = fail_at < last
    verdict = np.where(failed, -1, np.where(passes, 1, 0)).astype(np.float64)
    at = np.where(failed, fail_at, np.where(passes, pass_at, last)).astype(np.int64)
    hours = np.append(HOURS, np.nan)[at]
    return verdict, hours
