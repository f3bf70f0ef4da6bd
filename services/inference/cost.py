"""What a call of the model costs: `per_film` seconds for each film and `per_call` seconds whatever it holds."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

# Bigger calls than reach this share of the best possible throughput only add waiting.
_ENOUGH = 0.95
# A fixed part below this share of a film's is not told from noise.
_NOISE = 0.1
SIZES = (1, 2, 4, 8)


@dataclass(frozen=True)
class Cost:
    """seconds(n) = per_film * n + per_call."""

    per_film: float
    per_call: float

    def seconds(self, films: int) -> float:
        """Expected seconds of a call with `films`."""
        return self.per_film * films + self.per_call

    def useful_batch(self, largest: int) -> int:
        """The fewest films in a call that reach 95 % of the best throughput, 1 to `largest`; 1: batching does not pay.

        films / seconds(films) >= 0.95 / per_film, solved for films.
        """
        if self.per_call <= _NOISE * self.per_film:
            return 1
        needed = _ENOUGH / (1 - _ENOUGH) * self.per_call / max(self.per_film, 1e-9)
        return max(1, min(largest, math.ceil(needed)))

    def worth_waiting(self, films: int) -> float:
        """How many seconds a call with `films` in hand may wait for the next film; 0: not at all.

        Alone, the next film would wait for this call and then pay `per_call` itself. Together, everyone waits t and
        pays for one film more. Over all films the second is shorter where t < (per_call - films * per_film) /
        (films + 1).
        """
        return max(0.0, (self.per_call - films * self.per_film) / (films + 1))


def fit(sizes: Sequence[int], seconds: Sequence[float]) -> Cost:
    """Least squares of the relative errors, both parts not below zero."""
    n, t = np.asarray(sizes, dtype=np.float64), np.asarray(seconds, dtype=np.float64)
    rows = np.stack([n / t, 1.0 / t], axis=1)
    (film, call), *_ = np.linalg.lstsq(rows, np.ones(len(t)), rcond=None)
    if call < 0 or len(set(sizes)) == 1:
        film, call = float(np.linalg.lstsq(rows[:, :1], np.ones(len(t)), rcond=None)[0][0]), 0.0
    elif film < 0:
        film, call = 0.0, float(np.linalg.lstsq(rows[:, 1:], np.ones(len(t)), rcond=None)[0][0])
    return Cost(float(film), float(call))


def measure(run: Callable[[int], object], *, largest: int, budget_seconds: float = 0.4) -> Cost:
    """Fit the cost of `run(films)`, the least of several timings each, within about `budget_seconds`."""
    sizes = [size for size in SIZES if size <= largest]
    best: dict[int, float] = {}
    started = time.perf_counter()
    run(1)
    for repeat in range(5):
        for size in sizes:
            spent = time.perf_counter() - started
            if spent > budget_seconds and (repeat or size > 2):
                return fit(list(best), list(best.values()))
            began = time.perf_counter()
            run(size)
            best[size] = min(best.get(size, math.inf), time.perf_counter() - began)
    return fit(list(best), list(best.values()))
