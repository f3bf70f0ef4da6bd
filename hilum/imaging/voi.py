"""From stored values to display values: modality LUT, VOI LUT or window, inversion (DICOM PS3.3 C.11, PS3.4 N.2).

A stored value has at most 16 bits, so the whole chain is worked out once per possible value, in a table, and the film
is looked up in it: exact, and no copy of the film in double precision.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from hilum.imaging.film import FilmWarning, Pixels

Values = npt.NDArray[np.float64]
Counts = npt.NDArray[np.int64]
# Share of pixels cut off at either end where a film carries no window: markers, dead pixels, edges of the collimator.
TAIL = 0.0005
# A window that leaves less contrast than this (standard deviation, 0..1) shows a blank film.
MIN_CONTRAST = 0.01


@dataclass(frozen=True)
class Window:
    """Window centre and width, in values after the modality LUT."""

    centre: float
    width: float
    function: Literal["LINEAR", "LINEAR_EXACT", "SIGMOID"] = "LINEAR"


@dataclass(frozen=True, eq=False)
class Lut:
    """A lookup table: `entries` (N,) with values 0..`largest`, the first for the input value `first`."""

    first: int
    entries: Values
    largest: float


@dataclass(frozen=True, eq=False)
class Display:
    """How a header says that stored values are to be shown.

    `padding` is the inclusive range of padding values. `full_range` shows all values from black to white, however
    many bits there are; without it and without a window that is done for up to eight bits only.
    """

    slope: float = 1.0
    intercept: float = 0.0
    modality_lut: Lut | None = None
    voi_lut: Lut | None = None
    window: Window | None = None
    inverted: bool = False
    padding: tuple[int, int] | None = None
    full_range: bool = False


def _look_up(values: Values, lut: Lut) -> Values:
    index = np.clip(np.rint(values) - lut.first, 0, len(lut.entries) - 1).astype(np.int64)
    return np.asarray(lut.entries[index], dtype=np.float64)


def modality_values(display: Display, lowest: int, count: int) -> Values:
    """The value after the modality transform of each of `count` stored values from `lowest` on."""
    stored = np.arange(lowest, lowest + count, dtype=np.float64)
    if display.modality_lut is not None:
        return _look_up(stored, display.modality_lut)
    return np.asarray(stored * display.slope + display.intercept)


def windowed(values: Values, window: Window) -> Values:
    """PS3.3 C.11.2.1.2.1 and C.11.2.1.3, with an output range of 0..1."""
    if window.function == "SIGMOID":
        exponent = np.clip(-4.0 * (values - window.centre) / window.width, -700.0, 700.0)
        return np.asarray(1.0 / (1.0 + np.exp(exponent)))
    if window.function == "LINEAR_EXACT":
        return np.clip((values - window.centre) / window.width + 0.5, 0.0, 1.0)
    if window.width == 1.0:
        return np.asarray(values > window.centre - 0.5, dtype=np.float64)
    return np.clip((values - (window.centre - 0.5)) / (window.width - 1.0) + 0.5, 0.0, 1.0)


def _own_range(values: Values, counts: Counts) -> Values:
    """Stretch `values` between the film's own tails."""
    order = np.argsort(values, kind="stable")
    share = np.cumsum(counts[order]) / max(int(counts.sum()), 1)
    low = values[order][min(int(np.searchsorted(share, TAIL)), len(values) - 1)]
    high = values[order][min(int(np.searchsorted(share, 1.0 - TAIL)), len(values) - 1)]
    if high <= low:
        seen = values[counts > 0]
        low, high = (float(seen.min()), float(seen.max())) if len(seen) else (0.0, 0.0)
    if high <= low:
        return np.zeros_like(values)
    return np.asarray(np.clip((values - low) / (high - low), 0.0, 1.0))


def _contrast(shown: Values, counts: Counts) -> float:
    total = max(int(counts.sum()), 1)
    mean = float((shown * counts).sum() / total)
    return float(np.sqrt(((shown - mean) ** 2 * counts).sum() / total))


def display_table(display: Display, lowest: int, counts: Counts) -> tuple[Pixels, tuple[FilmWarning, ...]]:
    """The display value 0..1 of every stored value from `lowest` on; `counts` (N,) says how often each occurs.

    Without a window, up to eight bits are shown in their full range (so that a film is the same as PNG and as DICOM),
    more bits between the film's own tails.
    """
    stored = np.arange(lowest, lowest + len(counts), dtype=np.int64)
    seen = counts.copy()
    padding = np.zeros(len(stored), dtype=np.bool_)
    if display.padding is not None:
        padding = (stored >= display.padding[0]) & (stored <= display.padding[1])
        seen[padding] = 0
    values = modality_values(display, lowest, len(counts))

    warnings: tuple[FilmWarning, ...] = ()
    plain = display.voi_lut is None and display.window is None
    if display.voi_lut is not None:
        shown = _look_up(values, display.voi_lut) / display.voi_lut.largest
    elif display.window is not None:
        shown = windowed(values, display.window)
    elif display.full_range or len(counts) <= 256:
        ends = np.sort(values[[0, -1]])
        shown = (values - ends[0]) / max(float(ends[1] - ends[0]), 1e-12)
    else:
        shown = _own_range(values, seen)
    shown = np.clip(shown, 0.0, 1.0)
    if not plain and _contrast(shown, seen) < MIN_CONTRAST:
        own = _own_range(values, seen)
        if _contrast(own, seen) >= MIN_CONTRAST:
            shown = own
            warnings = (FilmWarning("window", "The header's window shows a blank film; the film's own range is used."),)
    if display.inverted:
        shown = 1.0 - shown
    shown[padding] = 0.0
    return shown.astype(np.float32), warnings
