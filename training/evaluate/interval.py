"""A figure with its interval as the report says it, and what may be said of it."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Figure = dict[str, float]
WITHIN, OUTSIDE, NOT_KNOWN = "within", "outside", "not known"


def bounds(drawn: Array, share: float = 0.95) -> tuple[float, float] | None:
    """Percentile interval of the draws that gave a figure; None where none did."""
    finite = drawn[np.isfinite(drawn)]
    if len(finite) == 0:
        return None
    low, high = np.percentile(finite, (50 * (1 - share), 50 * (1 + share)))
    return float(low), float(high)


def plain(point: float | None, drawn: Array | None) -> Figure | None:
    """`point` with its 95 % interval, rounded to 4 places; None where either cannot be had."""
    held = None if point is None or drawn is None else bounds(drawn)
    if point is None or held is None:
        return None
    return {"value": round(point, 4), "low": round(held[0], 4), "high": round(held[1], 4)}


def verdict(figure: Figure | None, wanted: tuple[float, float]) -> str:
    """Whether the whole interval lies within `wanted`, wholly outside, or neither: then it is not known."""
    if figure is None:
        return NOT_KNOWN
    low, high = wanted
    if low <= figure["low"] and figure["high"] <= high:
        return WITHIN
    return OUTSIDE if figure["high"] < low or figure["low"] > high else NOT_KNOWN
