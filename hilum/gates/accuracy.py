"""Staging's questions of accuracy: both releases against the labels of the same films, paired, patients drawn whole.

Every question that can fail is one of a family judged by Holm at the environment's share of the error. To pass, a
question's own bound must hold alone at half the miss rate (the usual two-sided interval): all of them must pass, and a
release that is bad in one of them must pass that one.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
import numpy.typing as npt

from hilum.evidence import student
from hilum.evidence.delong import delong
from hilum.evidence.resample import Area, Ratio, Sample
from hilum.findings import finding
from hilum.gates.plan import GatePlan, Margin, Tolerance
from hilum.gates.record import Check
from hilum.gates.replay import Side
from hilum.gates.sequential import Array

Mask = npt.NDArray[np.bool_]
NORMAL = NormalDist()


@dataclass(frozen=True)
class Question:
    """A loss with its standard error. `margin` None: it can only fail. `gated` False: reported unless clearly worse."""

    name: str
    metric: str
    loss: float
    error: float
    n: int
    tolerance: float
    margin: float | None
    finding: str | None = None
    site: str | None = None
    gated: bool = True
    # Degrees of freedom of `error`; 0: it was not estimated from the few films that `n` counts.
    freedom: int = 0

    @property
    def p(self) -> float:
        """One-sided p of "no worse than the tolerance"; 1 where nothing varies and nothing is lost."""
        if self.error <= 0 or not np.isfinite(self.error):
            return 0.0 if self.loss > self.tolerance and self.error == 0 else 1.0
        beyond = (self.loss - self.tolerance) / self.error
        return student.beyond(beyond, self.freedom) if self.freedom else 1 - NORMAL.cdf(beyond)


def accuracy_checks(
    active: Side, candidate: Side, labels: Array, patients: list[str], groups: list[dict[str, str]], plan: GatePlan
) -> list[Check]:
    """All checks of a replay; `labels` (N, K) as `active.findings`."""
    staging = plan.staging
    both: Mask = np.asarray(np.isfinite(active.scores).all(axis=1) & np.isfinite(candidate.scores).all(axis=1))
    place = np.unique(np.array(patients)[both], return_inverse=True)[1].astype(np.int64)
    people = int(place.max()) + 1 if len(place) else 0
    n = int(both.sum())
    if n < staging.min_films or people < staging.min_patients:
        reason = f"{n} films of {people} patients; at least {staging.min_films} of {staging.min_patients}"
        return [Check("labelled set", "films scored by both", "inconclusive", reason, n, staging.min_films, n)]
    films = _Films(active, candidate, both, labels[both], place, people)
    asked = [*films.per_finding(plan), *films.areas(plan), *films.subgroups(groups, plan)]
    return [*_constant(candidate, both), *holm(asked, staging.false_abort, plan.errors.miss / 2)]


def holm(asked: list[Question], alpha: float, beta: float) -> list[Check]:
    """Checks of all `asked`: failed by Holm (1979) together, passed each by its own bound."""
    order = sorted(range(len(asked)), key=lambda k: asked[k].p)
    failed: set[int] = set()
    for rank, k in enumerate(order):
        if asked[k].p >= alpha / (len(asked) - rank):
            break
        failed.add(k)
    reach = NORMAL.inv_cdf(1 - beta)
    return [_check(q, k in failed, reach) for k, q in enumerate(asked)]


def _check(q: Question, failed: bool, reach: float) -> Check:
    low, high = q.loss - reach * q.error, q.loss + reach * q.error
    if failed:
        verdict, reason, bound = "fail", "worse by more than the tolerance, Holm", q.tolerance
    elif not q.gated:
        verdict, reason, bound = "reported", "too few films to be asked, and not clearly worse", q.tolerance
    elif q.margin is None:
        verdict, reason, bound = "pass", "not shown to be worse", q.tolerance
    elif high < q.margin:
        verdict, reason, bound = "pass", "surely below the margin", q.margin
    else:
        verdict, reason, bound = "inconclusive", "the interval holds the margin: too few films", q.margin
    return Check(q.name, q.metric, verdict, reason, q.loss, bound, q.n, q.finding, q.site, low, high)  # type: ignore[arg-type]


def _constant(candidate: Side, both: Mask) -> list[Check]:
    """A release that says the same of every film knows nothing of any."""
    spread = candidate.scores[both].std(axis=0)
    return [
        Check("answers differ", "standard deviation of the probability", "fail", "the same answer for every film",
              float(spread[k]), 1e-6, int(both.sum()), name)
        for k, name in enumerate(candidate.findings) if spread[k] < 1e-6
    ]  # fmt: skip


class _Films:
    """The films that both scored, and the draws that all questions share."""

    def __init__(
        self, active: Side, candidate: Side, both: Mask, labels: Array, place: npt.NDArray[np.int64], people: int
    ):
        self.findings, self.labels, self.both = active.findings, labels, both
        self.scores = active.scores[both], candidate.scores[both]
        self.calls = active.scores[both] >= active.alert, candidate.scores[both] >= candidate.alert
        self.margins = active.margin[both], candidate.margin[both]
        self.place, self.people = place, people

    def _sample(self) -> Sample:
        return Sample(self.place, self.people)

    def _draw(self, sample: Sample, plan: GatePlan) -> dict[str, tuple[float, float]]:
        """Value and standard error of every question of `sample`; of an area, of its difference."""
        answer = {}
        for name, drawn in sample.drawn(plan.staging.draws, plan.staging.seed).items():
            column = drawn if drawn.ndim == 1 else drawn[:, 2]
            finite = column[np.isfinite(column)]
            answer[name] = float(sample.values(name)[-1]), float(finite.std(ddof=1)) if len(finite) > 1 else np.inf
        return answer

    def per_finding(self, plan: GatePlan) -> list[Question]:
        """Sensitivity and specificity at the alert point, AUROC by DeLong, and the mean Brier score."""
        staging, sample = plan.staging, self._sample()
        sides: tuple[tuple[str, int, Margin], ...] = (
            ("sensitivity", 1, staging.sensitivity), ("specificity", 0, staging.specificity)
        )  # fmt: skip
        asked = []
        for k, _ in enumerate(self.findings):
            for name, label, _ in sides:
                there = self.labels[:, k] == label
                right = [(there & (c[:, k] == bool(label))).astype(np.float32) for c in self.calls]
                sample.ratios[f"{name} {k}"] = Ratio(right[0], there.astype(np.float32), minus=right[1])
        known = np.isfinite(self.labels)
        wrong = [np.where(known, (s - np.nan_to_num(self.labels)) ** 2, 0.0).sum(axis=1) for s in self.scores]
        sample.ratios["brier"] = Ratio(
            wrong[1].astype(np.float32), known.sum(axis=1).astype(np.float32), minus=wrong[0].astype(np.float32)
        )
        found = self._draw(sample, plan)
        for k, of in enumerate(self.findings):
            for name, label, margin in sides:
                count = int((self.labels[:, k] == label).sum())
                if count == 0:
                    continue
                loss, error = found[f"{name} {k}"]
                must = margin.margin if finding(of).acute else None
                gated = count >= staging.gated_positives
                # Where no draw varies nothing was seen; at most 1/n of them may differ unseen.
                error = max(error, 1 / count)
                asked.append(
                    Question(
                        name, "loss at the alert point", loss, error, count, margin.tolerance, must, of, gated=gated
                    )
                )
            asked.extend(self._delong(k, of, staging.finding_auroc, staging.gated_positives))
        loss, error = found["brier"]
        asked.append(Question("calibration", "rise of the Brier score", loss, error, len(self.place),
                              staging.brier.tolerance, staging.brier.margin))  # fmt: skip
        return asked

    def _delong(self, k: int, of: str, tolerance: Tolerance, least: int) -> list[Question]:
        known = np.isfinite(self.labels[:, k])
        present = self.labels[known, k] == 1
        up = int(present.sum())
        if min(up, int((~present).sum())) < 2:
            return []
        test = delong(self.scores[0][known, k], self.scores[1][known, k], present, self.place[known])
        # Of two positive films that happen to lose alike DeLong's error is nearly nothing: by the normal distribution a
        # release that is no worse was rejected in 1.3 % for one such finding.
        people = min(len(set(self.place[known][side].tolist())) for side in (present, ~present))
        gated = min(up, int((~present).sum())) >= least
        error = max(test.error, 1e-9)
        return [
            Question(
                "AUROC",
                "loss (DeLong, paired)",
                -test.difference,
                error,
                up,
                tolerance.tolerance,
                None,
                of,
                gated=gated,
                freedom=max(people - 1, 1),
            )
        ]

    def areas(self, plan: GatePlan) -> list[Question]:
        """The primary questions: mean AUROC over findings, and AUROC of any acute finding."""
        sample, names = self._sample(), []
        for k, _ in enumerate(self.findings):
            if self._area(sample, f"{k}", self.labels[:, k], (self.scores[0][:, k], self.scores[1][:, k])):
                names.append(f"{k}")
        acute = [k for k, name in enumerate(self.findings) if finding(name).acute]
        part = self.labels[:, acute]
        composite = np.where((part == 1).any(axis=1), 1.0, np.where((part == 0).all(axis=1), 0.0, np.nan))
        if acute and all(np.isfinite(m).all() for m in self.margins):
            self._area(sample, "any acute", composite, self.margins)
        drawn = sample.drawn(plan.staging.draws, plan.staging.seed)
        asked = []
        for title, of in (("mean AUROC", names), ("AUROC of any acute finding", ["any acute"])):
            given = [name for name in of if name in drawn]
            if not given:
                continue
            losses = -np.nanmean(np.stack([drawn[name][:, 2] for name in given]), axis=0)
            value = -float(np.mean([sample.values(name)[2] for name in given]))
            margin = plan.staging.auroc
            asked.append(Question(title, "loss", value, max(float(np.nanstd(losses)), 1e-6), len(self.place),
                                  margin.tolerance, margin.margin))  # fmt: skip
        return asked

    def _area(self, sample: Sample, name: str, labels: Array, scores: tuple[Array, Array]) -> bool:
        rows = np.flatnonzero(np.isfinite(labels)).astype(np.int64)
        present = labels[rows] == 1
        if min(int(present.sum()), int((~present).sum())) < 2:
            return False
        sample.areas[name] = Area(rows, present, scores[0][rows].astype(np.float32), scores[1][rows].astype(np.float32))
        return True

    def subgroups(self, groups: list[dict[str, str]], plan: GatePlan) -> list[Question]:
        """Mean AUROC within each site, sex, view ... that has enough positive films."""
        mine = [g for g, kept in zip(groups, self.both, strict=True) if kept]
        asked = []
        for kind, value in sorted({(k, v) for g in mine for k, v in g.items() if v}):
            inside = np.array([g.get(kind) == value for g in mine])
            if (self.labels[inside] == 1).sum() < plan.staging.gated_positives or inside.all():
                continue
            sample = self._sample()
            for k, _ in enumerate(self.findings):
                labels = np.where(inside, self.labels[:, k], np.nan)
                self._area(sample, f"{k}", labels, (self.scores[0][:, k], self.scores[1][:, k]))
            if not sample.areas:
                continue
            drawn = sample.drawn(max(200, plan.staging.draws // 4), plan.staging.seed)
            losses = -np.nanmean(np.stack([d[:, 2] for d in drawn.values()]), axis=0)
            loss = -float(np.mean([sample.values(name)[2] for name in sample.areas]))
            site = value if kind == "site" else f"{kind} {value}"
            asked.append(Question("subgroup", "loss of mean AUROC", loss, max(float(np.nanstd(losses)), 1e-6),
                                  int(inside.sum()), plan.staging.subgroup.tolerance, None, site=site))  # fmt: skip
        return asked
