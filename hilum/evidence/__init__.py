"""Evidence of one release against another, on the same studies: figures with intervals, and a verdict by a plan.

Numpy alone: serving has no scipy. Patients are drawn whole, since studies of one patient resemble each other.
"""

from __future__ import annotations

from hilum.evidence.columns import NOT_JUDGED, Labels, Pairs
from hilum.evidence.figures import BandMoves, Evidence, FindingFigures, ReadFigures, collect
from hilum.evidence.judge import Criterion, Judgement, judge
from hilum.evidence.plan import Plan, Verdict
from hilum.evidence.resample import Figure

__all__ = [
    "NOT_JUDGED",
    "BandMoves",
    "Criterion",
    "Evidence",
    "Figure",
    "FindingFigures",
    "Judgement",
    "Labels",
    "Pairs",
    "Plan",
    "ReadFigures",
    "Verdict",
    "collect",
    "judge",
]
