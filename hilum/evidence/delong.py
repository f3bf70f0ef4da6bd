"""DeLong's test of two AUROCs on the same films (DeLong et al., Biometrics 1988), by midranks (Sun and Xu 2014).

It takes every film for an independent one. With `patients` the same components are summed per patient instead
(Obuchowski, Biometrics 1997), which allows for films of one patient resembling each other.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class DeLong:
    """AUROCs of both, their variances and covariance, and the two-sided p of equality (NaN where nothing varies)."""

    auroc_a: float
    auroc_b: float
    variance_a: float
    variance_b: float
    covariance: float

    @property
    def difference(self) -> float:
        """B minus A."""
        return self.auroc_b - self.auroc_a

    @property
    def error(self) -> float:
        """Standard error of the difference."""
        return float(np.sqrt(max(0.0, self.variance_a + self.variance_b - 2 * self.covariance)))

    @property
    def interval(self) -> tuple[float, float]:
        """95 % interval of the difference."""
        reach = NormalDist().inv_cdf(0.975) * self.error
        return self.difference - reach, self.difference + reach

    @property
    def p(self) -> float:
        """Two-sided p of "no difference"."""
        return math.erfc(abs(self.difference) / self.error / math.sqrt(2)) if self.error > 0 else float("nan")


def delong(a: Array, b: Array, present: Mask, patients: npt.NDArray[np.int64] | None = None) -> DeLong:
    """Compare scores `a` and `b` (N,) of the same films; raises ValueError without two films on either side."""
    up, down = int(present.sum()), int((~present).sum())
    if min(up, down) < 2:
        raise ValueError(f"DeLong's test needs two present and two absent films; here are {up} and {down}")
    parts = [_components(scores, present) for scores in (a, b)]
    aurocs = [float(ups.mean()) for ups, _ in parts]
    ups, downs = np.stack([p[0] for p in parts]), np.stack([p[1] for p in parts])
    if patients is None:
        covariance = np.cov(ups) / up + np.cov(downs) / down
    else:
        covariance = _clustered(ups, downs, np.array(aurocs), present, patients)
    return DeLong(aurocs[0], aurocs[1], float(covariance[0, 0]), float(covariance[1, 1]), float(covariance[0, 1]))


def _components(scores: Array, present: Mask) -> tuple[Array, Array]:
    """For each present film the share of absent ones below it, for each absent film the share of present ones above."""
    ups, downs = scores[present], scores[~present]
    everywhere = _midranks(scores)
    of_ups = (everywhere[present] - _midranks(ups)) / len(downs)
    of_downs = 1 - (everywhere[~present] - _midranks(downs)) / len(ups)
    return of_ups, of_downs


def _midranks(values: Array) -> Array:
    """Ranks from 1; ties share their mean."""
    _, group, count = np.unique(values, return_inverse=True, return_counts=True)
    last = np.cumsum(count)
    return np.asarray((last - (count - 1) / 2)[group], dtype=np.float64)


def _clustered(
    ups: Array, downs: Array, aurocs: Array, present: Mask, patients: npt.NDArray[np.int64]
) -> npt.NDArray[np.float64]:
    place = np.unique(patients, return_inverse=True)[1]
    count = int(place.max()) + 1

    def sums(values: Array, chosen: Mask) -> Array:
        off = values - aurocs[:, None]
        return np.stack([np.bincount(place[chosen], weights=row, minlength=count) for row in off])

    high, low = sums(ups, present), sums(downs, ~present)
    with_up, with_down = len(np.unique(place[present])), len(np.unique(place[~present]))
    m, n = ups.shape[1], downs.shape[1]
    of_up = high @ high.T * with_up / (max(1, with_up - 1) * m**2)
    of_down = low @ low.T * with_down / (max(1, with_down - 1) * n**2)
    cross = high @ low.T
    of_both = (cross + cross.T) * count / (max(1, count - 1) * m * n)
    return np.asarray(of_up + of_down + of_both)
