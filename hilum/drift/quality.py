"""What a film's frame looks like, apart from what it shows: light, contrast, sharpness, edges."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Pixels = npt.NDArray[np.float32]
# A row or column of less spread than this is border: a collimator's edge, a printed frame, padding.
FLAT_SPREAD = 0.02
BLACK, WHITE = 0.02, 0.98
NAMES = ("brightness", "contrast", "sharpness", "black", "white", "border")


def quality(frame: Pixels) -> dict[str, float]:
    """Figures of a squashed frame (H, W), 0..1, by NAMES.

    Mean and standard deviation; the mean step between neighbours against the standard deviation; the shares of black
    and of white pixels; the share of the four sides' rows and columns that are flat.
    """
    values = np.asarray(frame, dtype=np.float64)
    spread = float(values.std())
    steps = float(np.abs(np.diff(values, axis=0)).mean() + np.abs(np.diff(values, axis=1)).mean())
    flat_rows, flat_columns = values.std(axis=1) < FLAT_SPREAD, values.std(axis=0) < FLAT_SPREAD
    edges = [_run(flat_rows), _run(flat_rows[::-1]), _run(flat_columns), _run(flat_columns[::-1])]
    return {
        "brightness": float(values.mean()),
        "contrast": spread,
        "sharpness": steps / max(spread, 1e-6),
        "black": float((values <= BLACK).mean()),
        "white": float((values >= WHITE).mean()),
        "border": float(sum(edges)),
    }


def _run(flat: npt.NDArray[np.bool_]) -> float:
    """The share of `flat` (N,) that is flat without a break from its beginning."""
    return float((np.argmin(flat) if not flat.all() else len(flat)) / len(flat))
