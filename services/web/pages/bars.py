"""A finding as the study page draws it: where its probability stands against both operating points."""

from __future__ import annotations

import math
from dataclasses import dataclass

from services.web.views import AnsweredFinding

# Both operating points stand at the same places in every bar, whatever their probabilities are: findings are rare, and
# on a scale of probability itself a point at 1 % and one at 2 % would be one line.
RULE_OUT_PLACE = 100 / 3
ALERT_PLACE = 200 / 3


def _logit(probability: float) -> float:
    clipped = min(max(probability, 1e-6), 1 - 1e-6)
    return math.log(clipped / (1 - clipped))


def place(probability: float, rule_out: float, alert: float) -> float:
    """Where a probability stands against its finding's two points, 0..100; grows with the probability.

    Below rule-out the odds as a share of the rule-out point's, between the points linear in log-odds, above alert
    1 - exp(-margin): the same margin in logits by which triage orders studies within a band.
    """
    at, low, high = _logit(probability), _logit(rule_out), _logit(alert)
    if at >= high:
        found = ALERT_PLACE + (100 - ALERT_PLACE) * (1 - math.exp(high - at))
    elif at >= low:
        found = RULE_OUT_PLACE + (ALERT_PLACE - RULE_OUT_PLACE) * (at - low) / (high - low)
    else:
        found = RULE_OUT_PLACE * math.exp(at - low)
    return round(found, 2)


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
    def place(self) -> float:
        """Length of the bar, 0..100."""
        return place(self.probability, self.rule_out, self.alert)


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


def ordered(findings: tuple[AnsweredFinding, ...]) -> list[Bar]:
    """Farthest along its own scale first, so above the alert point by margin; not established ones last."""
    bars = [bar(finding) for finding in findings]
    return sorted(bars, key=lambda b: (b.zone == "unestablished", -b.place))
