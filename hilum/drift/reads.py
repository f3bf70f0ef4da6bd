"""Whether probabilities still mean what they say: by blind reads alone, for who saw the answer leans to it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
# Fewer reads or expected positives than this say nothing of calibration.
FEWEST, FEWEST_EXPECTED = 50, 5.0


@dataclass(frozen=True)
class Calibration:
    """One finding on `reads` blind reads: positives that were `seen` and `expected` (the sum of probabilities).

    `ratio` is seen over expected, with its 95 % interval; `z` compares the later half's difference with the earlier
    half's (a change). None where the reads are too few.
    """

    finding: str
    reads: int
    seen: int
    expected: float
    ratio: float | None
    low: float | None
    high: float | None
    z: float | None


def calibration(finding: str, chances: Array, labels: npt.NDArray[np.int64]) -> Calibration:
    """`chances` (N,) and `labels` (N,) 1 or 0, in the order of the reads."""
    good = np.isfinite(chances) & np.isin(labels, (0, 1))
    p, y = chances[good], labels[good].astype(np.float64)
    expected, seen, spread = float(p.sum()), int(y.sum()), float(np.sqrt((p * (1 - p)).sum()))
    if len(p) < FEWEST or expected < FEWEST_EXPECTED or spread == 0:
        return Calibration(finding, len(p), seen, expected, None, None, None, None)
    half = len(p) // 2
    differences = [(y[part] - p[part]).mean() for part in (slice(None, half), slice(half, None))]
    errors = [(p[part] * (1 - p[part])).sum() / len(p[part]) ** 2 for part in (slice(None, half), slice(half, None))]
    z = float((differences[1] - differences[0]) / np.sqrt(max(sum(errors), 1e-12)))
    wide = 1.96 * max(spread, 1.0)
    low, high = max(seen - wide, 0.0) / expected, (seen + wide) / expected
    return Calibration(finding, len(p), seen, expected, seen / expected, low, high, z)
