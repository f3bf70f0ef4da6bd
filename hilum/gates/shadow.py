"""The canary's questions to rows: pairs of answers to the same studies, and blind reads, one film after the other.

Studies of one patient resemble each other, so that each patient is asked once: by the first study that can answer the
question. Order is that in which the evidence came in, so that a look later sees the same stream, longer.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import numpy.typing as npt

from hilum.evidence import NOT_JUDGED, Pairs
from hilum.findings import finding
from hilum.gates.plan import Canary, GatePlan, Margin
from hilum.gates.record import Check
from hilum.gates.sequential import Answer, Array, Bounds, decide

# Questions that share the environment's false_abort: those below, and the two to Prometheus (hilum.gates.technical).
QUESTIONS = 9
Mask = npt.NDArray[np.bool_]
WHY = {
    "pass": "surely below the margin",
    "fail": "surely beyond the tolerance",
    "inconclusive": "not enough studies yet to say",
}


def shadow_checks(pairs: Pairs, plan: GatePlan, missing_share: float | None, site: str | None = None) -> list[Check]:
    """Every check of `pairs`, as far as they came in.

    Below the least numbers, or with too many pairs missing (they may be the very ones that differ), one check says so
    and the others are reported alone.
    """
    canary = plan.canary
    asked = _Questions(pairs, canary, canary.false_abort / QUESTIONS, plan.errors.miss, site)
    checks = [*asked.of_answers(), *asked.of_reads()]
    lacking = _lacking(pairs, canary, missing_share)
    if lacking is None:
        return checks
    return [lacking, *(_only_reported(check) for check in checks)]


def _only_reported(check: Check) -> Check:
    return Check(**{**check.__dict__, "verdict": "reported"})


def _lacking(pairs: Pairs, canary: Canary, missing_share: float | None) -> Check | None:
    n, patients = len(pairs.patients), len(np.unique(pairs.patients))

    def short(metric: str, value: float | None, bound: float, reason: str) -> Check:
        return Check("enough evidence", metric, "inconclusive", reason, value, bound, n)

    if not pairs.findings:
        return short("shared findings", 0, 1, "the releases share no finding that both established")
    if n < canary.min_pairs:
        return short("pairs", n, canary.min_pairs, f"{n} pairs of at least {canary.min_pairs}")
    if patients < canary.min_patients:
        return short(
            "patients", patients, canary.min_patients, f"{patients} patients of at least {canary.min_patients}"
        )
    if missing_share is None:
        return short("missing share", None, canary.max_missing, "how many pairs are missing is not known")
    if missing_share > canary.max_missing:
        return short("missing share", missing_share, canary.max_missing, "too many studies lack their pair")
    return None


def firsts(patients: npt.NDArray[np.int64], can: Mask, order: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Rows that `can` answer, one a patient: the first by `order`; in that order."""
    rows = np.flatnonzero(can)
    rows = rows[np.argsort(order[rows], kind="stable")]
    _, at = np.unique(patients[rows], return_index=True)
    return np.asarray(rows[np.sort(at)])


class _Questions:
    """The questions of one gate; `alpha` is each one's share of the error."""

    def __init__(self, pairs: Pairs, canary: Canary, alpha: float, beta: float, site: str | None) -> None:
        self.pairs, self.canary, self.alpha, self.beta, self.site = pairs, canary, alpha, beta, site
        self.live_alert = pairs.live >= pairs.live_points[:, 1]
        self.shadow_alert = pairs.shadow >= pairs.shadow_points[:, 1]
        self.no_live: Mask = np.asarray(~np.isfinite(pairs.live).all(axis=1))
        self.no_shadow: Mask = np.asarray(~np.isfinite(pairs.shadow).all(axis=1))
        self.both: Mask = np.asarray(~(self.no_live | self.no_shadow))
        self.came = np.arange(len(pairs.patients)) if pairs.order is None else pairs.order

    def _ask(self, can: Mask, losses: Array, bounds: Bounds, low: float, order: npt.NDArray[np.int64]) -> Answer:
        rows = firsts(self.pairs.patients, can, order)
        return decide(losses[rows].astype(np.float64), bounds, low, 1.0)

    def _check(self, name: str, metric: str, answer: Answer, bounds: Bounds, of: str | None = None) -> Check:
        reason = WHY[answer.verdict]
        if answer.decided_after is not None:
            reason += f", after {answer.decided_after} patients"
        bound = bounds.tolerance if answer.verdict == "fail" else bounds.margin
        return Check(
            name, metric, answer.verdict, reason, answer.mean, bound, answer.n, of, self.site, answer.low, answer.high
        )

    def of_answers(self) -> list[Check]:
        """Disagreement, shift of each finding, critical studies lost, studies not scored."""
        p, c, k = self.pairs, self.canary, len(self.pairs.findings)
        n = len(p.patients)
        everyone = np.ones(n, dtype=np.bool_)
        unlike: Array = np.asarray((self.live_alert != self.shadow_alert).mean(axis=1)) if k else np.zeros(n)
        lost = ((p.live_band == 0) & (p.shadow_band != 0)).astype(np.float64)
        alone = (self.no_shadow & ~self.no_live).astype(np.float64)
        rows: list[tuple[str, str, Margin, Mask, Array]] = [
            ("disagreement", "share of findings called differently", c.disagreement, self.both, unlike),
            ("critical lost", "share of studies", c.critical_lost, everyone, lost),
            ("not scored", "share of studies the candidate alone does not score", c.not_scored, everyone, alone),
        ]
        checks = []
        for name, metric, margin, can, losses in rows:
            bounds = margin.bounds(self.alpha, self.beta, c.min_patients)
            checks.append(self._check(name, metric, self._ask(can, losses, bounds, 0.0, self.came), bounds))
        return [*checks, *(self._shift(at) for at in range(k))]

    def _shift(self, k: int) -> Check:
        """Of one finding, both ways; the worse of the two is shown."""
        of = len(self.pairs.findings)
        bounds = self.canary.shift.bounds(self.alpha / (2 * of), self.beta, self.canary.min_patients)
        moved = np.where(self.both, self.pairs.shadow[:, k] - self.pairs.live[:, k], 0.0)
        up, down = (self._ask(self.both, sign * moved, bounds, -1.0, self.came) for sign in (1.0, -1.0))
        worst = min((up, down), key=lambda a: (("fail", "inconclusive", "pass").index(a.verdict), -(a.mean or 0.0)))
        metric = "mean rise of probability" if worst is up else "mean fall of probability"
        return self._check("score shift", metric, worst, bounds, self.pairs.findings[k])

    def of_reads(self) -> list[Check]:
        """Both releases against blind reads, paired: acute findings together, then each alone."""
        labels = self.pairs.reads.get("blind")
        if labels is None:
            labels = np.full((len(self.pairs.patients), len(self.pairs.findings)), NOT_JUDGED, dtype=np.int8)
        names = self.pairs.findings
        acute = [k for k, name in enumerate(names) if finding(name).acute] or list(range(len(names)))
        sides: Sequence[tuple[str, int, Margin]] = (
            ("sensitivity on blind reads", 1, self.canary.sensitivity),
            ("specificity on blind reads", 0, self.canary.specificity),
        )
        checks = []
        for name, label, margin in sides:
            bounds = margin.bounds(self.alpha, self.beta, self.canary.min_positives)
            checks.append(self._check(name, "loss", self._of_labels(labels, acute, label, bounds), bounds))
        alone = self.canary.sensitivity.bounds(self.alpha / max(1, len(names)), self.beta, self.canary.min_positives)
        for k, name in enumerate(names):
            answer = self._of_labels(labels, [k], 1, alone)
            one = self._check("sensitivity of one finding", "loss", answer, alone, name)
            checks.append(one if answer.verdict == "fail" else _only_reported(one))
        return checks

    def _of_labels(self, labels: npt.NDArray[np.int8], of: list[int], label: int, bounds: Bounds) -> Answer:
        given = (labels[:, of] == label) & self.both[:, None]
        says = self._right(label)
        live, shadow = (np.where(given, says(calls[:, of]), False) for calls in (self.live_alert, self.shadow_alert))
        count = given.sum(axis=1)
        losses = (live.sum(axis=1) - shadow.sum(axis=1)) / np.maximum(count, 1)
        order = self.came if self.pairs.read_order is None else self.pairs.read_order
        return self._ask(count > 0, losses, bounds, -1.0, order)

    @staticmethod
    def _right(label: int) -> Callable[[Mask], Mask]:
        return (lambda calls: calls) if label == 1 else (lambda calls: ~calls)
