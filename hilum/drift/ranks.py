"""Each film's place among those before it: numbers that are uniform while films come from one population.

The smoothed conformal p-values of Vovk, Gammerman and Shafer ("Algorithmic Learning in a Random World", 2005): under
exchangeability the ranks of one stream are independent and uniform, whatever the distribution, with no need to know it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def ranks(values: Array, strata: npt.NDArray[np.int64], seed: int) -> Array:
    """Place in 0..1 of each of `values` (N,) among the earlier ones of its stratum (N,), (N,); ties by `seed`.

    What is no finite number has no place (NaN) and is nobody's neighbour. The first of a stratum is random.
    """
    chance = np.random.default_rng(seed).random(len(values)).tolist()
    before: dict[int, list[float]] = {}
    out = np.full(len(values), np.nan)
    good = np.isfinite(values).tolist()
    for k, (value, stratum) in enumerate(zip(values.tolist(), strata.tolist(), strict=True)):
        if not good[k]:
            continue
        known = before.setdefault(stratum, [])
        low = bisect_left(known, value)
        high = bisect_right(known, value)
        out[k] = (low + chance[k] * (high - low + 1)) / (len(known) + 1)
        insort(known, value)
    return out
