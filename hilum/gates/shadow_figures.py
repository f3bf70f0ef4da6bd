"""What the plots of a canary record are drawn from: agreement and histograms of both releases' scores."""

from __future__ import annotations

from typing import Any

import numpy as np

from hilum.evidence import Evidence, Pairs

EDGES = np.linspace(0.0, 1.0, 21)


def figures_of(pairs: Pairs, evidence: Evidence) -> dict[str, Any]:
    """Plain JSON: `agreement` per finding (value, low, high), `scores` per finding (live, shadow: 20 counts each)."""
    both = np.isfinite(pairs.live).all(axis=1) & np.isfinite(pairs.shadow).all(axis=1)
    return {
        "agreement": {
            f.name: {"value": f.alert_agreement.value, "low": f.alert_agreement.low, "high": f.alert_agreement.high}
            for f in evidence.findings
        },
        "scores": {
            name: {
                side: np.histogram(scores[both, k], EDGES)[0].tolist()
                for side, scores in (("live", pairs.live), ("shadow", pairs.shadow))
            }
            for k, name in enumerate(pairs.findings)
        },
        "bands": evidence.bands.table,
    }
