"""When films come: a Poisson process whose rate follows a hospital's day."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

# Share of a day's chest films by hour, from midnight: portable rounds before dawn, clinics from eight to four. A plain
# assumption of ours, in the shape that radiology departments report; give --flat where it does not matter.
BY_HOUR = (2, 2, 2, 2, 3, 5, 5, 5, 7, 8, 8, 7, 6, 7, 7, 6, 5, 4, 3, 3, 3, 2, 2, 2)
DAY_SECONDS = 86_400.0


def arrivals(films_a_day: float, seed: int, start_hour: float = 0.0, flat: bool = False) -> Iterator[float]:
    """Seconds since the start at which films come, for ever; thinning of a Poisson process (Lewis & Shedler 1979)."""
    rng = np.random.default_rng(seed)
    shares = np.ones(24) if flat else np.array(BY_HOUR, dtype=float)
    rates = films_a_day * shares / shares.sum() / 3600.0
    peak = float(rates.max())
    now = 0.0
    while True:
        now += float(rng.exponential(1.0 / peak))
        hour = int((start_hour + now / 3600.0) % 24)
        if rng.random() * peak < rates[hour]:
            yield now
