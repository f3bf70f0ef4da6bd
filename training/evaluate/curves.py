"""Curves for the eye: ROC, precision and recall, reliability; few enough points to stand in the report."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluate.resample import ECE_BINS, Question

Array = npt.NDArray[np.float64]
POINTS = 60


def curves(asked: Question) -> dict[str, Any] | None:
    """`roc` [[false alarms, sensitivity]], `pr` [[sensitivity, precision]], `reliability` [[probability, share, n]].

    None without a present and an absent film.
    """
    present = asked.present
    up, down = int(present.sum()), int((~present).sum())
    if min(up, down) == 0:
        return None
    order = np.argsort(-asked.scores, kind="stable")
    ends = np.flatnonzero(np.r_[np.diff(asked.scores[order]) != 0, True])
    hits = np.cumsum(present[order])[ends]
    called = ends + 1
    roc = np.stack([np.r_[0, (called - hits) / down], np.r_[0, hits / up]], axis=1)
    pr = np.stack([hits / up, hits / called], axis=1)
    answer: dict[str, Any] = {"roc": _thinned(roc, roc.sum(axis=1)), "pr": _thinned(pr, pr[:, 0])}
    if asked.probabilities is not None:
        parts = np.array_split(np.argsort(asked.probabilities, kind="stable"), ECE_BINS)
        answer["reliability"] = [
            [round(float(asked.probabilities[p].mean()), 4), round(float(present[p].mean()), 4), len(p)]
            for p in parts
            if len(p)
        ]
    return answer


def _thinned(points: Array, along: Array) -> list[list[float]]:
    """At most POINTS + 1 of `points`, spread evenly `along` the curve, both ends kept."""
    wanted = np.linspace(along[0], along[-1], POINTS + 1)
    chosen = np.unique(np.r_[0, np.clip(np.searchsorted(along, wanted), 0, len(points) - 1), len(points) - 1])
    return [[round(float(x), 4), round(float(y), 4)] for x, y in points[chosen]]
