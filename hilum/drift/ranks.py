"""Each film's place among those before it: numbers that are uniform while films come from one population.

The smoothed conformal p-values of Vovk, Gammerman and Shafer ("Algorithmic Learning in a Random World", 2005): under
exchangeability the ranks of one stream are independent and uniform, whatever the distribution, with no need to know it.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]


def ranks(values: Array, strata: npt.NDArray[np.int64], seed: int, skip: int = 0) -> Array:
    """Place in 0..1 of each of `values` (N,) among the earlier ones of its stratum (N,), (N - skip,); ties by `seed`.

    The first `skip` are only compared with. What is no finite number has no place (NaN) and is nobody's neighbour.
    What is the same as every film before it (the first of a stratum, a device that all films name) has none either: by
    chance alone it would be anywhere, which pays 1 on average, so nobody bets.
    """
    before = {
        int(each): sorted(values[:skip][np.isfinite(values[:skip]) & (strata[:skip] == each)].tolist())
        for each in np.unique(strata[:skip])
    }
    later = values[skip:]
    chance = np.random.default_rng(seed).random(len(later)).tolist()
    out = np.full(len(later), np.nan)
    good = np.isfinite(later).tolist()
    for k, (value, stratum) in enumerate(zip(later.tolist(), strata[skip:].tolist(), strict=True)):
        if not good[k]:
            continue
        known = before.setdefault(stratum, [])
        low = bisect_left(known, value)
        high = bisect_right(known, value)
        if high - low < len(known):
            out[k] = (low + chance[k] * (high - low + 1)) / (len(known) + 1)
        insort(known, value)
    return out
