"""Bets against uniform ranks: each is a density on 0..1, so that its mean is 1 while nothing has changed."""

from __future__ import annotations

from statistics import NormalDist

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
# In standard deviations of the ranks' normal scores: films move up or down by so much, or spread less or more.
SHIFTS = (-2.0, -1.0, -0.5, -0.25, 0.25, 0.5, 1.0, 2.0)
SPREADS = (0.5, 0.75, 1.4, 2.0)
CELLS = 4096


def _table() -> Array:
    """(len(SHIFTS) + len(SPREADS), CELLS): each bet's density in equal cells of 0..1, with mean 1."""
    normal = NormalDist()
    scores = np.array([normal.inv_cdf((k + 0.5) / CELLS) for k in range(CELLS)])
    rows = [np.exp(shift * scores - shift**2 / 2) for shift in SHIFTS]
    rows += [np.exp(-(scores**2) / 2 * (1 / spread**2 - 1)) / spread for spread in SPREADS]
    table = np.array(rows)
    # The cells' sum is not quite the integral: made exact, for the promise rests on a mean of 1.
    return np.asarray(table / table.mean(axis=1, keepdims=True))


TABLE = _table()
COUNT = len(TABLE)


def outcomes(places: Array) -> Array:
    """What each bet pays at `places` (N, S), (N, S, COUNT); NaN where there is no place: nobody bets."""
    cells = np.clip(np.nan_to_num(places) * CELLS, 0, CELLS - 1).astype(np.intp)
    paid = TABLE.T[cells]
    paid[np.isnan(places)] = np.nan
    return np.asarray(paid)
