"""After the switch: does the release do in production what it did in canary? From Prometheus, for some days.

Against its own past there is no pairing: the release before it was read by other readers on other days. So the
reference is taken as known once it rests on enough labels, and the tolerances are wider than canary's.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from hilum.gates.plan import GatePlan, Margin
from hilum.gates.record import Check
from hilum.gates.sequential import Said, log_fortune

# Agreement, alerts up, alerts down.
QUESTIONS = 3
# A reference from fewer labels is none.
REFERENCE = 500


@dataclass(frozen=True)
class Share:
    """`part` of `whole`, as counters gave them; None: Prometheus said nothing."""

    part: float | None
    whole: float | None

    @property
    def known(self) -> tuple[int, int] | None:
        """Whole numbers, part at most whole; None where there is none, or what came is no number."""
        if self.part is None or self.whole is None or not (math.isfinite(self.part) and math.isfinite(self.whole)):
            return None
        whole = math.floor(self.whole)
        return (min(round(self.part), whole), whole) if whole > 0 and self.part >= 0 else None


def guard_checks(agreement: tuple[Share, Share], alerts: tuple[Share, Share], plan: GatePlan) -> list[Check]:
    """Checks of (before, since): labels of blind reads that agree, of all; findings at their alert point, of all.

    `before` is the release that ran until the switch, `since` the new one.
    """
    alpha, beta = plan.guard.false_abort / QUESTIONS, plan.errors.miss
    lost = (_complement(agreement[0]), _complement(agreement[1]))
    return [
        _rise("agreement with blind reads", "loss of the share that agrees", lost, plan.guard.agreement, alpha, beta),
        _rise("alert rate", "rise of the share of alerts", alerts, plan.guard.alert_rate, alpha, beta),
        _rise(
            "alert rate",
            "fall of the share of alerts",
            (_complement(alerts[0]), _complement(alerts[1])),
            plan.guard.alert_rate,
            alpha,
            beta,
        ),
    ]


def _complement(share: Share) -> Share:
    known = share.known
    return Share(None, None) if known is None else Share(float(known[1] - known[0]), float(known[1]))


def _rise(name: str, metric: str, both: tuple[Share, Share], asked: Margin, alpha: float, beta: float) -> Check:
    before, since = both[0].known, both[1].known
    if before is None or before[1] < REFERENCE:
        return Check(name, metric, "inconclusive", "too little is known of the release before", bound=asked.margin)
    if since is None:
        return Check(name, metric, "inconclusive", "nothing is known since the switch", bound=asked.margin)
    reference, (part, whole) = before[0] / before[1], since
    values, counts = np.array([0.0, 1.0]), np.array([float(whole - part), float(part)])
    fails = log_fortune(counts, values, reference + asked.tolerance, "above") >= -math.log(alpha)
    passes = log_fortune(counts, values, reference + asked.margin, "below") >= -math.log(beta)
    verdict: Said = "fail" if fails else "pass" if passes else "inconclusive"
    why = {"fail": "surely beyond the tolerance", "pass": "surely below the margin"}.get(verdict, "too few labels yet")
    bound = asked.tolerance if verdict == "fail" else asked.margin
    reason = f"{why}; before the switch {100 * reference:.1f} %"
    return Check(name, metric, verdict, reason, part / whole - reference, bound, whole)
