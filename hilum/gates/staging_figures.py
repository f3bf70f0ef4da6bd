"""What the plots of a staging record are drawn from: ROC of both, score histograms, agreement, request times."""

from __future__ import annotations

from typing import Any

import numpy as np

from hilum.gates.replay import Side
from hilum.gates.sequential import Array

EDGES = np.linspace(0.0, 1.0, 21)
POINTS = 60


def figures_of(active: Side, candidate: Side, labels: Array) -> dict[str, Any]:
    """Plain JSON: `roc`, `scores` and `agreement` per finding, `latency` in seconds of both."""
    both = np.isfinite(active.scores).all(axis=1) & np.isfinite(candidate.scores).all(axis=1)
    roc, scores, agreement = {}, {}, {}
    for k, name in enumerate(active.findings):
        sides = {"live": active.scores[both, k], "shadow": candidate.scores[both, k]}
        scores[name] = {side: np.histogram(s, EDGES)[0].tolist() for side, s in sides.items()}
        known = np.isfinite(labels[both, k])
        present = labels[both, k][known] == 1
        if present.any() and not present.all():
            roc[name] = {side: _roc(s[known], present) for side, s in sides.items()}
        same = (sides["live"] >= active.alert[k]) == (sides["shadow"] >= candidate.alert[k])
        agreement[name] = {"value": round(float(same.mean()), 4) if len(same) else None}
    latency = {s: np.round(side.seconds, 5).tolist()[:2000] for s, side in (("live", active), ("shadow", candidate))}
    return {"roc": roc, "scores": scores, "agreement": agreement, "latency": latency}


def _roc(scores: Array, present: Array) -> list[list[float]]:
    """At most POINTS + 1 points (1 - specificity, sensitivity) from 0, 0 to 1, 1."""
    order = np.argsort(-scores, kind="stable")
    ups = np.r_[0, np.cumsum(present[order])] / present.sum()
    downs = np.r_[0, np.cumsum(~present.astype(bool)[order])] / (~present.astype(bool)).sum()
    last = np.r_[True, scores[order][1:] != scores[order][:-1], True]
    x, y = downs[last], ups[last]
    pick = np.unique(np.linspace(0, len(x) - 1, min(len(x), POINTS + 1)).astype(int))
    return [[round(float(x[i]), 4), round(float(y[i]), 4)] for i in pick]
