"""Tests that may be looked at as often as one likes, and stop early either way, with the errors that were promised.

Each question is about a mean loss: what is fine lies at or below `tolerance`, what may not pass at or above `margin`.
Two players bet against these two claims, one film after the other, with money that grows only where a claim is wrong.
A fortune of 1/alpha against "the loss is at most the tolerance" fails the candidate: if the claim holds, that happens
in at most a share alpha of all candidates, however often anybody looks (Ville's inequality). A fortune of 1/beta
against "the loss is at least the margin" passes it. Until then nothing is known.

The bets are a mixture of fixed ones, Robbins' mixture SPRT for bounded values: I. Waudby-Smith and A. Ramdas,
"Estimating means of bounded random variables by betting", JRSS B 86 (2024), 1-27 (there: diversified Kelly betting).
`normal` is the asymptotic confidence sequence of I. Waudby-Smith et al., "Time-uniform central limit theory and
asymptotic confidence sequences", Annals of Statistics 52 (2024), 2613-2640, theorem 2.2, for figures of which only mean
and variance are known. The idea of both: S. Howard, A. Ramdas, J. McAuliffe, J. Sekhon, Annals of Statistics 49 (2021).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Said = Literal["pass", "fail", "inconclusive"]
# Shares of the largest bet that can't lose all: from bold to timid, so that one of them suits the effect.
SHARES = 0.95 * 1.6 ** -np.arange(12.0)
# How the money is spread over them: bold bets decide soonest where a release is as good, or as bad, as it should be.
WEIGHTS = 0.7 ** np.arange(12.0) / (0.7 ** np.arange(12.0)).sum()


@dataclass(frozen=True)
class Bounds:
    """What a test promises. `tolerance` < `margin`, both in the unit of the loss; `alpha`: a good candidate fails;
    `beta`: one at the margin passes. `least`: below so many observations nothing is said."""

    tolerance: float
    margin: float
    alpha: float
    beta: float
    least: int = 1

    def __post_init__(self) -> None:
        """Raises ValueError where the numbers make no test."""
        if not self.tolerance < self.margin:
            raise ValueError(f"the tolerance {self.tolerance:g} must lie below the margin {self.margin:g}")
        if not (0 < self.alpha < 1 and 0 < self.beta < 1):
            raise ValueError("alpha and beta lie between 0 and 1")


@dataclass(frozen=True)
class Answer:
    """`mean` with the sequence's bounds now; `n` observations; `decided_after`: how many were enough, None: not yet."""

    verdict: Said
    mean: float | None
    low: float | None
    high: float | None
    n: int
    decided_after: int | None


def log_fortune(counts: Array, values: Array, claim: float, side: Literal["above", "below"]) -> Array:
    """Log of the fortune that bets on a mean `side` the `claim`, (...,), from `counts` (..., V) of `values` (V,).

    `values` must hold the least and the greatest that may ever come: they bound the bets. A claim at or beyond the
    end to which one would bet can't be wrong: the fortune stays 1.
    """
    low, high = float(values.min()), float(values.max())
    if (side == "above" and claim >= high) or (side == "below" and claim <= low):
        return np.zeros(counts.shape[:-1])
    room = claim - low if side == "above" else high - claim
    # Where nothing can be lost any bet will do: the claim lies at the very end.
    largest = 1 / room if room > 1e-9 else 1e9
    bets = SHARES * largest * (1 if side == "above" else -1)
    gains = np.log1p(bets[:, None] * (values - claim)[None, :])
    each = counts @ gains.T
    top = each.max(axis=-1)
    return np.asarray(top + np.log(np.exp(each - top[..., None]) @ WEIGHTS))


def first_crossings(counts: Array, values: Array, bounds: Bounds) -> tuple[npt.NDArray[np.int64], Array]:
    """Verdicts of many runs at their looks: `counts` (R, T, V) cumulated -> verdict (R,) 1, -1 or 0, look (R,).

    The first fortune that is large enough decides; both at one look: the failure. 0 and look T: undecided.
    """
    enough = counts.sum(axis=-1) >= bounds.least
    failed = (log_fortune(counts, values, bounds.tolerance, "above") >= -math.log(bounds.alpha)) & enough
    passed = (log_fortune(counts, values, bounds.margin, "below") >= -math.log(bounds.beta)) & enough
    looks = counts.shape[1]
    at_fail = np.where(failed.any(axis=1), failed.argmax(axis=1), looks)
    at_pass = np.where(passed.any(axis=1), passed.argmax(axis=1), looks)
    verdict = np.where(at_fail == looks, np.where(at_pass == looks, 0, 1), np.where(at_fail <= at_pass, -1, 1))
    return verdict.astype(np.int64), np.minimum(at_fail, at_pass)


def decide(losses: Array, bounds: Bounds, low: float, high: float) -> Answer:
    """The verdict over `losses` (n,) in the order in which they came, each within `low` to `high`.

    Raises ValueError where one lies outside, or is not a number: whoever measured must say what that means.
    """
    n = len(losses)
    if n == 0:
        return Answer("inconclusive", None, None, None, 0, None)
    if not np.isfinite(losses).all() or losses.min() < low - 1e-9 or losses.max() > high + 1e-9:
        raise ValueError(f"a loss lies outside {low:g} to {high:g} or is not a number")
    failing = _path(losses, bounds.tolerance, "above", low, high) >= -math.log(bounds.alpha)
    passing = _path(losses, bounds.margin, "below", low, high) >= -math.log(bounds.beta)
    failing[: bounds.least - 1] = passing[: bounds.least - 1] = False
    at_fail = int(failing.argmax()) if failing.any() else n
    at_pass = int(passing.argmax()) if passing.any() else n
    verdict: Said = "inconclusive" if at_fail == at_pass == n else "fail" if at_fail <= at_pass else "pass"
    after = None if verdict == "inconclusive" else min(at_fail, at_pass) + 1
    lower, upper = interval(losses, bounds.beta, low, high)
    return Answer(verdict, float(losses.mean()), lower, upper, n, after)


def _path(losses: Array, claim: float, side: Literal["above", "below"], low: float, high: float) -> Array:
    """Log of the fortune after each of `losses`, (n,)."""
    if (side == "above" and claim >= high) or (side == "below" and claim <= low):
        return np.zeros(len(losses))
    room = claim - low if side == "above" else high - claim
    bets = SHARES / max(room, 1e-9) * (1 if side == "above" else -1)
    each = np.cumsum(np.log1p(np.outer(losses - claim, bets)), axis=0)
    top = each.max(axis=1)
    return np.asarray(top + np.log(np.exp(each - top[:, None]) @ WEIGHTS))


def interval(losses: Array, alpha: float, low: float, high: float) -> tuple[float, float]:
    """Bounds of the mean that hold at every look, each side with error `alpha`, to a thousandth of the range."""
    values, found = np.unique(np.r_[losses, low, high], return_counts=True)
    counts = np.asarray(found, dtype=np.float64)
    counts[0] -= 1
    counts[-1] -= 1
    mean, wanted = float(losses.mean()), -math.log(alpha)

    def edge(inside: float, outside: float, side: Literal["above", "below"]) -> float:
        """The claim nearest to the mean that is still refuted; a fortune only grows with the claim's distance."""
        if float(log_fortune(counts, values, outside, side)) < wanted:
            return outside
        for _ in range(12):
            middle = (inside + outside) / 2
            if float(log_fortune(counts, values, middle, side)) >= wanted:
                outside = middle
            else:
                inside = middle
        return outside

    return edge(mean, low, "above"), edge(mean, high, "below")


def normal(mean: float, variance: float, n: float, bounds: Bounds, aim: int = 200) -> Answer:
    """The verdict from `n` observations of which mean and variance are known; tightest at about `aim` of them."""
    if n < max(2, bounds.least) or not (math.isfinite(mean) and math.isfinite(variance)):
        return Answer("inconclusive", mean if math.isfinite(mean) and n > 0 else None, None, None, int(n), None)
    above = float(reach(variance, n, bounds.beta, aim))
    fails = mean - float(reach(variance, n, bounds.alpha, aim)) > bounds.tolerance
    verdict: Said = "fail" if fails else "pass" if mean + above < bounds.margin else "inconclusive"
    return Answer(verdict, mean, mean - above, mean + above, int(n), None if verdict == "inconclusive" else int(n))


def reach(variance: Array | float, n: Array | float, alpha: float, aim: int = 200) -> Array:
    """Half width of the one-sided asymptotic sequence: for both sides at once it would be that of 2 alpha."""
    # The tuning that is best at `aim` observations: equation 13 of the article, at twice alpha for one side.
    rho2 = (-2 * math.log(2 * alpha) + math.log(-2 * math.log(2 * alpha) + 1)) / aim if alpha < 0.2 else 1 / aim
    count = np.asarray(n, dtype=np.float64)
    grown = count * rho2 + 1
    return np.asarray(np.sqrt(2 * variance * grown / (count**2 * rho2) * np.log(1 + np.sqrt(grown) / (2 * alpha))))
