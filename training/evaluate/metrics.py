"""Figures of one finding, vectorised over draws of film weights so that a bootstrap costs a few array operations.

`weights` is (D, N): how often draw d took film n. The plain figure is a draw of ones. A figure that a draw cannot give
(no positive or no negative film) is NaN there.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


def _share(part: Array, whole: Array) -> Array:
    return np.asarray(np.divide(part, whole, out=np.full(part.shape, np.nan), where=whole > 0))


def auroc(scores: Array, present: Mask, weights: Array) -> Array:
    """Area under the ROC curve per draw, (D,), ties counted one half (Mann-Whitney)."""
    order = np.argsort(scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    drawn = weights[:, order]
    up = np.add.reduceat(drawn * present[order], starts, axis=1)
    down = np.add.reduceat(drawn * ~present[order], starts, axis=1)
    below = np.cumsum(down, axis=1) - down
    return _share((up * (below + 0.5 * down)).sum(axis=1), up.sum(axis=1) * down.sum(axis=1))


def auprc(scores: Array, present: Mask, weights: Array) -> Array:
    """Average precision per draw, (D,), by steps as scikit-learn defines it."""
    order = np.argsort(-scores, kind="stable")
    ordered = scores[order]
    starts = np.flatnonzero(np.r_[True, ordered[1:] != ordered[:-1]])
    drawn = weights[:, order]
    up = np.add.reduceat(drawn * present[order], starts, axis=1)
    taken = np.cumsum(np.add.reduceat(drawn, starts, axis=1), axis=1)
    precision = np.nan_to_num(_share(np.cumsum(up, axis=1), taken))
    return _share((up * precision).sum(axis=1), up.sum(axis=1))


def sensitivity(called: Mask, present: Mask, weights: Array) -> Array:
    """Share of present films that are called, per draw, (D,)."""
    return _share(weights @ (called & present), weights @ present.astype(np.float64))


def specificity(called: Mask, present: Mask, weights: Array) -> Array:
    """Share of absent films that are not called, per draw, (D,)."""
    return _share(weights @ (~called & ~present), weights @ (~present).astype(np.float64))


def brier(probabilities: Array, present: Mask, weights: Array) -> Array:
    """Mean squared difference of probability and truth, per draw, (D,)."""
    return _share(weights @ (probabilities - present) ** 2, weights.sum(axis=1))


def calibration_error(probabilities: Array, present: Mask, bins: int = 10) -> float:
    """Expected calibration error over `bins` bins of equal mass; NaN without films."""
    if len(probabilities) == 0:
        return float("nan")
    order = np.argsort(probabilities, kind="stable")
    parts = np.array_split(order, min(bins, len(order)))
    gaps = [len(p) * abs(probabilities[p].mean() - present[p].mean()) for p in parts]
    return float(sum(gaps) / len(order))
