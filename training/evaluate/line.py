"""The calibration line: logistic regression of truth on the calibrated logit (Cox 1958; Van Calster et al. 2019).

Slope 1 and intercept 0 are perfect; a slope below 1 is overconfident. "In the large" is the intercept with the slope
held at 1: above 0 the finding is commoner than the probabilities say.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import sparse

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
EDGE = 1e-6
# A film's logit is replaced by its bin's mean in the draws (never in the figure itself).
BINS = 128
STEPS = 12
FARTHEST = 30.0


@dataclass(frozen=True)
class Line:
    """Slope and intercept of the calibration line, and the intercept in the large."""

    slope: float
    intercept: float
    in_the_large: float


@dataclass(frozen=True, eq=False)
class Bins:
    """Films in at most 2 * BINS bins of their logit: `centres` (B,), present and absent films per bin and patient.

    `exact` is the line of the films themselves, `binned` that of the bins: draws are moved by their difference.
    """

    centres: Array
    up: sparse.csr_array
    down: sparse.csr_array
    exact: Line
    binned: Line


def logit(probabilities: Array) -> Array:
    """Log odds, with probabilities held within 1e-6 of nought and one."""
    held = np.clip(probabilities, EDGE, 1 - EDGE)
    return np.asarray(np.log(held / (1 - held)))


def fit(logits: Array, present: Mask) -> Line | None:
    """The line of N films, by maximum likelihood; None without a present and an absent film, or where they part."""
    if not 0 < present.sum() < len(present):
        return None
    up, down = present.astype(np.float64)[:, None], (~present).astype(np.float64)[:, None]
    slope, intercept, large = (float(v[0]) for v in _solve(logits, up, down, steps=60))
    return Line(slope, intercept, large) if np.isfinite(slope) else None


def _solve(centres: Array, up: Array, down: Array, steps: int = STEPS) -> tuple[Array, Array, Array]:
    """Newton's method for every column of `up` and `down` (B, D) at once; NaN where it does not settle."""
    count, draws = up + down, up.shape[1]
    x = centres[:, None]
    slope, intercept = np.ones(draws), np.zeros(draws)
    large = np.zeros(draws)
    step = np.full(draws, np.inf)
    with np.errstate(all="ignore"):
        for _ in range(steps):
            p = 0.5 * (1 + np.tanh(0.5 * (slope * x + intercept)))
            miss, curve = up - count * p, count * p * (1 - p)
            g1, g0 = (miss * x).sum(axis=0), miss.sum(axis=0)
            h11, h01, h00 = (curve * x * x).sum(axis=0), (curve * x).sum(axis=0), curve.sum(axis=0)
            determinant = h11 * h00 - h01**2
            by = np.array([(h00 * g1 - h01 * g0), (h11 * g0 - h01 * g1)]) / determinant
            step = np.abs(by).max(axis=0)
            by *= np.minimum(1, 2 / step)
            slope, intercept = slope + by[0], intercept + by[1]
            q = 0.5 * (1 + np.tanh(0.5 * (x + large)))
            large = large + np.clip((up - count * q).sum(axis=0) / (count * q * (1 - q)).sum(axis=0), -2, 2)
            if np.all((step < 1e-9) | ~np.isfinite(step)):
                break
    settled = (step < 1e-4) & (np.abs(slope) < FARTHEST)
    return tuple(np.where(settled, value, np.nan) for value in (slope, intercept, large))  # type: ignore[return-value]


def bins(logits: Array, present: Mask, places: npt.NDArray[np.int64], patients: int) -> Bins | None:
    """Bins of equal mass of all films and of the present ones together; None where there is no line."""
    exact = fit(logits, present)
    if exact is None:
        return None
    shares = np.linspace(0, 1, BINS + 1)[1:-1]
    edges = np.unique(np.concatenate([np.quantile(logits, shares), np.quantile(logits[present], shares)]))
    _, number = np.unique(np.searchsorted(edges, logits, side="right"), return_inverse=True)
    films = np.bincount(number)
    centres = np.bincount(number, weights=logits) / films
    shape = (len(films), patients)
    up, down = (
        sparse.csr_array(
            sparse.coo_array((np.ones(int(m.sum()), dtype=np.float32), (number[m], places[m])), shape=shape)
        )
        for m in (present, ~present)
    )
    one = np.ones((patients, 1), dtype=np.float32)
    binned = _solve(centres, np.asarray(up @ one, dtype=np.float64), np.asarray(down @ one, dtype=np.float64), steps=60)
    return Bins(centres, up, down, exact, Line(*(float(v[0]) for v in binned)))


def in_draws(films: Bins, weights: npt.NDArray[np.float32], given: Mask) -> dict[str, Array]:
    """Slope, intercept and intercept in the large in each draw of patients; `weights` (P, D), `given` (D,)."""
    up, down = (films.up @ weights).astype(np.float64), (films.down @ weights).astype(np.float64)
    values = _solve(films.centres, up, down)
    shift = (
        films.exact.slope - films.binned.slope,
        films.exact.intercept - films.binned.intercept,
        films.exact.in_the_large - films.binned.in_the_large,
    )
    names = ("slope", "intercept", "in_the_large")
    return {n: np.where(given, v + s, np.nan) for n, v, s in zip(names, values, shift, strict=True)}
