"""How many films have a finding, by how often it is called: black-box shift estimation, one finding at a time.

Lipton, Wang and Smola (2018) with a two by two confusion matrix: calls = sensitivity x p + (1 - specificity) x (1 - p).
It holds where only the share of positives changes, and not how they look.
"""

from __future__ import annotations

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class Prevalence:
    """Estimated share of films with the finding, 0..1, with a 95 % interval from the count of calls alone."""

    finding: str
    calls: float
    value: float
    low: float
    high: float


def prevalence(finding: str, calls: int, films: int, sensitivity: float, specificity: float) -> Prevalence | None:
    """The share behind `calls` of `films`; None without films or where the point tells nothing (sum of both near 1)."""
    power = sensitivity + specificity - 1
    if films == 0 or power < 0.05:
        return None
    share = calls / films
    # Agresti and Coull: never of no width.
    middle = (calls + 2) / (films + 4)
    error = 1.96 * math.sqrt(middle * (1 - middle) / (films + 4))

    def behind(rate: float) -> float:
        return min(max((rate - (1 - specificity)) / power, 0.0), 1.0)

    return Prevalence(finding, share, behind(share), behind(middle - error), behind(middle + error))
