"""Bootstrap clustered by patient: whole patients are drawn, for films of one patient are not independent."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from hilum.release import Interval

Array = npt.NDArray[np.float64]
# Films x draws held at once: 64 MB of float64.
_BLOCK = 8_000_000


def draws(patients: npt.NDArray[np.int64], count: int, seed: int) -> Array:
    """Film weights of `count` draws, (count, N): how often each film's patient was drawn with replacement."""
    rng = np.random.default_rng(seed)
    _, place = np.unique(patients, return_inverse=True)
    size = int(place.max()) + 1 if len(place) else 0
    taken = np.stack([np.bincount(rng.integers(0, size, size), minlength=size) for _ in range(count)])
    return np.asarray(taken[:, place], dtype=np.float64)


def samples(
    figure: Callable[[Array], Array], patients: npt.NDArray[np.int64], count: int, seed: int
) -> tuple[float, Array]:
    """The plain `figure` and its value in `count` draws; `figure` maps weights (D, N) to (D,)."""
    point = float(figure(np.ones((1, len(patients))))[0])
    step = max(1, _BLOCK // max(1, len(patients)))
    blocks = [figure(draws(patients, min(step, count - start), seed + start)) for start in range(0, count, step)]
    return point, np.concatenate(blocks)


def interval(
    figure: Callable[[Array], Array], patients: npt.NDArray[np.int64], count: int, seed: int
) -> Interval | None:
    """`figure` with its 95 % percentile interval, or None where the films cannot give it."""
    if len(patients) == 0:
        return None
    point, drawn = samples(figure, patients, count, seed)
    drawn = drawn[np.isfinite(drawn)]
    if not np.isfinite(point) or len(drawn) == 0:
        return None
    low, high = np.percentile(drawn, (2.5, 97.5))
    return Interval(value=point, low=float(low), high=float(high))
