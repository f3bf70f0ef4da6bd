"""A finding as the study page draws it: where its probability stands against both operating points."""

from __future__ import annotations

import math
from dataclasses import dataclass

from services.web.views import AnsweredFinding

# Where the axis of the bars has ticks.
TICKS = (0.01, 0.1, 0.25, 0.5, 1.0)


def position(probability: float) -> float:
    """Place of a probability on the axis, 0..100. A square root scale: most findings are rare, and on a linear scale
    their points and probabilities would all lie in the first few pixels.
    """
    return round(100 * math.sqrt(min(max(probability, 0.0), 1.0)), 2)


def _logit(probability: float) -> float:
    clipped = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(clipped / (1 - clipped))


@dataclass(frozen=True)
class Bar:
    """`zone`: alert (at or above the alert point), between, below (the rule-out point), or unestablished."""

    name: str
    code: str
    probability: float
    rule_out: float
    alert: float
    zone: str
    film_uid: str

    @property
    def words(self) -> str:
        """The zone in words, for a title and for a screen reader."""
        return {
            "alert": "at or above the alert point",
            "between": "between the rule-out and the alert point",
            "below": "below the rule-out point",
            "unestablished": "not established: too few patients with it were in the calibration set",
        }[self.zone]

    @property
    def verdict(self) -> str:
        """The binary view's words."""
        return {
            "alert": f"{self.name} present",
            "between": "Between the points",
            "below": f"{self.name} not present",
            "unestablished": "Not established",
        }[self.zone]

    @property
    def margin(self) -> float:
        """By how much the probability exceeds the alert point, in logits."""
        return _logit(self.probability) - _logit(self.alert)


def bar(finding: AnsweredFinding) -> Bar:
    """The bar of one finding."""
    if not finding.established:
        zone = "unestablished"
    elif finding.present:
        zone = "alert"
    else:
        zone = "between" if finding.probability >= finding.rule_out else "below"
    return Bar(
        finding.name,
        f"{finding.code.scheme} {finding.code.value}",
        finding.probability,
        finding.rule_out,
        finding.alert,
        zone,
        finding.film_uid,
    )


def by_margin(findings: tuple[AnsweredFinding, ...]) -> list[Bar]:
    """Highest margin over its alert point first; findings that are not established last."""
    bars = [bar(finding) for finding in findings]
    return sorted(bars, key=lambda b: (b.zone == "unestablished", -b.margin))
