"""Student's t: what a standard error estimated from few films is worth."""

from __future__ import annotations

import math
from statistics import NormalDist

# From here on the normal distribution is as good.
MANY = 300


def beyond(t: float, freedom: int) -> float:
    """P(T > t) with `freedom` degrees of freedom, whole, from 1 (sums of Abramowitz and Stegun 26.7.3 f)."""
    if freedom < 1:
        raise ValueError(f"no such degrees of freedom: {freedom}")
    if freedom > MANY:
        return 1 - NormalDist().cdf(t)
    angle = math.atan(t / math.sqrt(freedom))
    sine, square = math.sin(angle), math.cos(angle) ** 2
    odd = freedom % 2
    term = math.cos(angle) if odd else 1.0
    total = term if freedom > 1 else 0.0
    for k in range(3 if odd else 2, freedom - 1, 2):
        term *= square * (k - 1) / k
        total += term
    inside = 2 / math.pi * (angle + sine * total) if odd else sine * total
    return (1 - inside) / 2
