"""How far a site's films are from others: two-sample tests with one correction, and PSI for people.

Against the release's counts: Kolmogorov-Smirnov on binned values (conservative: bins hide differences), Hotelling's
test of the features' means. Against the site's own films: the maximum mean discrepancy (Gretton et al. 2012).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
# Both sides get half a film in every bin: an empty bin is no infinite shift.
SMALL = 0.5
DRAWS = 200
MOST_MMD = 500


@dataclass(frozen=True)
class Shift:
    """One comparison. `psi` is None where there are no bins; `p` before, `holm` after Holm's correction."""

    kind: str
    part: str
    psi: float | None
    p: float
    holm: float


def psi(expected: Array, seen: Array, bins: int = 10) -> float:
    """Population stability index of two rows of counts (B,), in `bins` bins of about equal expected mass.

    Under 0.1 is usually called stable, above 0.25 a clear shift; with few films chance alone gives (bins - 1) / films.
    """
    whole = expected.cumsum() / max(expected.sum(), 1)
    group = np.minimum((whole - expected / max(expected.sum(), 1) / 2) * bins, bins - 1).astype(np.intp)
    a = np.bincount(group, expected, bins) + SMALL
    b = np.bincount(group, seen, bins) + SMALL
    a, b = a / a.sum(), b / b.sum()
    return float(((b - a) * np.log(b / a)).sum())


def ks(a: Array, b: Array) -> float:
    """p of the Kolmogorov-Smirnov test on two rows of counts (B,) in the same bins; 1 where one is empty."""
    n, m = a.sum(), b.sum()
    if n == 0 or m == 0:
        return 1.0
    distance = float(np.abs(a.cumsum() / n - b.cumsum() / m).max())
    root = math.sqrt(n * m / (n + m))
    scaled = (root + 0.12 + 0.11 / root) * distance  # Stephens 1970
    if scaled < 0.2:
        return 1.0
    terms = (2.0 * (-1.0) ** (k - 1) * math.exp(-2 * (k * scaled) ** 2) for k in range(1, 101))
    return min(max(math.fsum(terms), 0.0), 1.0)


def mean_shift(mean: Array, covariance: Array, films: int, places: Array) -> float:
    """p of Hotelling's test that `places` (N, D) have the `mean` (D,) of `films` others; large-sample chi-square."""
    rows = places[np.isfinite(places).all(axis=1)]
    if len(rows) <= 2 * len(mean) or films <= 2 * len(mean):
        return 1.0
    spread = covariance / films + np.cov(rows.T) / len(rows)
    away = rows.mean(axis=0) - mean
    return _chi_square_tail(float(away @ np.linalg.pinv(spread) @ away), len(mean))


def _chi_square_tail(value: float, degrees: int) -> float:
    """P(chi-square > value); for odd degrees that of one degree more, which is larger."""
    half, term, total = value / 2, 1.0, 1.0
    if half > 700:
        return 0.0
    for k in range(1, (degrees + 1) // 2):
        term *= half / k
        total += term
    return min(math.exp(-half) * total, 1.0)


def mmd(a: Array, b: Array, seed: int = 3) -> tuple[float, float]:
    """Squared MMD of two sets of rows (N, D), (M, D) with a Gaussian kernel of median width, and its permutation p.

    At most MOST_MMD rows of each are drawn. (0, 1) where a side has under 20 rows of numbers.
    """
    chance = np.random.default_rng(seed)
    sides = [rows[np.isfinite(rows).all(axis=1)] for rows in (a, b)]
    if min(map(len, sides)) < 20:
        return 0.0, 1.0
    sides = [chance.permutation(rows)[:MOST_MMD] for rows in sides]
    both, n = np.concatenate(sides), len(sides[0])
    squares = (both**2).sum(axis=1)
    distances = np.maximum(squares[:, None] + squares - 2 * both @ both.T, 0)
    kernel = np.exp(-distances / max(float(np.median(distances)), 1e-12))
    weights = np.concatenate([np.full(n, 1 / n), np.full(len(both) - n, -1 / (len(both) - n))])
    drawn = np.stack([weights, *(chance.permutation(weights) for _ in range(DRAWS))])
    found = np.einsum("dn,dn->d", drawn @ kernel, drawn)
    return float(found[0]), float((found >= found[0] - 1e-12).mean())


def holm(found: list[tuple[str, str, float | None, float]]) -> tuple[Shift, ...]:
    """Rows (kind, part, psi, p) with p corrected over all of them (Holm 1979), in their order."""
    order = sorted(range(len(found)), key=lambda k: found[k][3])
    corrected, worst = [0.0] * len(found), 0.0
    for rank, k in enumerate(order):
        worst = max(worst, min(1.0, found[k][3] * (len(found) - rank)))
        corrected[k] = worst
    return tuple(Shift(*row, holm=corrected[k]) for k, row in enumerate(found))
