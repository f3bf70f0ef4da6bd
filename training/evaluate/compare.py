"""Two releases on the same films: is the candidate (B) not worse than the reference (A) by more than a margin?

Primary are the mean AUROC over the findings and the AUROC of the critical composite; both must pass. A single finding
is judged with enough positive films, and all of them together by Holm (1979). Patients are drawn whole and both
releases share each draw. DeLong's test stands beside it for readers who know it: it ignores that films of a patient
resemble each other, so its interval is too narrow where patients have several films, and no verdict rests on it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt
from scipy.stats import norm

from hilum.evidence.delong import delong
from training.data.manifest import UNKNOWN, Labels
from training.evaluate.comparison import Comparison, Judged, Plan, Verdict
from training.evaluate.film_set import COMPOSITE
from training.evaluate.interval import bounds
from training.evaluate.metrics import auroc
from training.evaluate.resample import Question, ask

Array = npt.NDArray[np.float64]
# One-sided level of each test (a two-sided 95 % interval), and the power that "detectable" means.
LEVEL = 0.025
POWER = 0.80


def compare(
    scores_a: Array, scores_b: Array, labels: Labels, patients: npt.NDArray[np.int64], plan: Plan
) -> Comparison:
    """Judge B against A: scores (N, K), labels (N, K) and patients (N,), columns as `plan.names` says.

    Raises ValueError where the shapes differ, a score is not a number or no finding can be judged.
    """
    if not scores_a.shape == scores_b.shape == labels.shape == (len(patients), len(plan.names)):
        raise ValueError(
            f"scores {scores_a.shape} and {scores_b.shape}, labels {labels.shape}, {len(patients)} patients and "
            f"{len(plan.names)} names do not fit together"
        )
    if np.isnan(scores_a).any() or np.isnan(scores_b).any():
        raise ValueError("a score is not a number: score the films again")
    place = np.unique(patients, return_inverse=True)[1].astype(np.int64)
    pairs = {name: _pair(scores_a[:, k], scores_b[:, k], labels[:, k], place) for k, name in enumerate(plan.names)}
    given = {name: pair for name, pair in pairs.items() if _both_sides(pair[0])}
    counted = [name for name in given if name != COMPOSITE]
    if not counted:
        raise ValueError("no finding has present and absent films among these: nothing can be compared")
    drawn = ask([q for pair in given.values() for q in pair], int(place.max()) + 1, plan.draws, plan.seed)
    aurocs = {name: (drawn[2 * n]["auroc"], drawn[2 * n + 1]["auroc"]) for n, name in enumerate(given)}
    points = {name: tuple(_auroc(q) for q in pair) for name, pair in given.items()}

    primary = [_mean(given, counted, points, aurocs, plan, place, labels)]
    if COMPOSITE in plan.names:
        primary.append(
            _judge(COMPOSITE, given[COMPOSITE], points[COMPOSITE], aurocs[COMPOSITE], plan.margin)
            if COMPOSITE in given
            else _nothing(COMPOSITE, plan.margin, labels[:, plan.names.index(COMPOSITE)])
        )
    findings = _holm(
        [
            _judge(name, given[name], points[name], aurocs[name], plan.finding_margin)
            for name in counted
            if int(given[name][0].present.sum()) >= plan.positives
        ]
    )
    verdict, reason = _overall(primary, findings, plan)
    return Comparison(verdict, reason, tuple(primary), tuple(findings), plan, len(patients), int(place.max()) + 1)


def _pair(a: Array, b: Array, labels: npt.NDArray[np.int8], place: npt.NDArray[np.int64]) -> tuple[Question, Question]:
    known = (labels != UNKNOWN) & np.isfinite(a) & np.isfinite(b)
    present = labels[known] == 1
    return Question(a[known], present, place[known]), Question(b[known], present, place[known])


def _both_sides(question: Question) -> bool:
    up = int(question.present.sum())
    return min(up, len(question.present) - up) >= 2


def _auroc(question: Question) -> float:
    return float(auroc(question.scores, question.present, np.ones((1, len(question.present))))[0])


def _bounded(difference: Array) -> tuple[float, float, float]:
    low, high = bounds(difference) or (float("-inf"), float("inf"))
    finite = difference[np.isfinite(difference)]
    return low, high, float(finite.std(ddof=1)) if len(finite) > 1 else float("inf")


def _verdict(low: float, high: float, margin: float) -> tuple[Verdict, str]:
    if low > -margin:
        return "pass", f"not worse by {margin:.2f} or more"
    if high < -margin:
        return "fail", f"worse by more than {margin:.2f}"
    if high < 0:
        return "inconclusive", f"worse, whether by {margin:.2f} is not known"
    return "inconclusive", f"the interval holds both no loss and a loss of {margin:.2f}"


def _power(error: float, margin: float) -> tuple[float, float]:
    """The difference detectable with POWER, and the chance to pass where there is none."""
    if error <= 0:
        return 0.0, 1.0
    known = float(norm.ppf(1 - LEVEL))
    return (known + float(norm.ppf(POWER))) * error, float(norm.cdf(margin / error - known))


def _judge(
    name: str,
    pair: tuple[Question, Question],
    points: tuple[float, ...],
    drawn: tuple[Array, Array],
    margin: float,
) -> Judged:
    present, place = pair[0].present, pair[0].patients
    low, high, error = _bounded(drawn[1] - drawn[0])
    verdict, reason = _verdict(low, high, margin)
    naive, clustered = (delong(pair[0].scores, pair[1].scores, present, p) for p in (None, place))
    detectable, power = _power(error, margin)
    return Judged(
        name=name,
        films=len(present),
        positives=int(present.sum()),
        positive_patients=len(np.unique(place[present])),
        auroc_a=points[0],
        auroc_b=points[1],
        difference=points[1] - points[0],
        low=low,
        high=high,
        error=error,
        margin=margin,
        verdict=verdict,
        reason=reason,
        detectable=detectable,
        power_if_equal=power,
        delong={
            "low": naive.interval[0],
            "high": naive.interval[1],
            "p_of_no_difference": naive.p if np.isfinite(naive.p) else 1.0,
            "clustered_low": clustered.interval[0],
            "clustered_high": clustered.interval[1],
        },
    )


def _mean(
    given: Mapping[str, tuple[Question, Question]],
    counted: Sequence[str],
    points: Mapping[str, tuple[float, ...]],
    drawn: Mapping[str, tuple[Array, Array]],
    plan: Plan,
    place: npt.NDArray[np.int64],
    labels: Labels,
) -> Judged:
    means = [float(np.mean([points[name][side] for name in counted])) for side in (0, 1)]
    # A draw that lacks a rare finding gives the mean of the others, for both releases alike.
    differences = np.stack([drawn[name][1] - drawn[name][0] for name in counted])
    held = np.isfinite(differences).sum(axis=0)
    low, high, error = _bounded(np.nansum(differences, axis=0) / np.where(held > 0, held, np.nan))
    verdict, reason = _verdict(low, high, plan.margin)
    any_present = (labels[:, [plan.names.index(n) for n in counted]] == 1).any(axis=1)
    detectable, power = _power(error, plan.margin)
    return Judged(
        name=f"mean of {len(counted)} findings",
        films=len(place),
        positives=int(any_present.sum()),
        positive_patients=len(np.unique(place[any_present])),
        auroc_a=means[0],
        auroc_b=means[1],
        difference=means[1] - means[0],
        low=low,
        high=high,
        error=error,
        margin=plan.margin,
        verdict=verdict,
        reason=reason,
        detectable=detectable,
        power_if_equal=power,
    )


def _nothing(name: str, margin: float, labels: npt.NDArray[np.int8]) -> Judged:
    reason = "no films that are known to show, and known to lack, every acute finding"
    known, up = int((labels != UNKNOWN).sum()), int((labels == 1).sum())
    return Judged(name, known, up, 0, 0.5, 0.5, 0.0, -1.0, 1.0, 1.0, margin, "inconclusive", reason, 1.0, 0.0)


def _holm(findings: Sequence[Judged]) -> list[Judged]:
    """Holm's adjustment of two families over the findings: "not worse by the margin", and "worse by more"."""
    better = _adjusted([float(norm.sf((j.difference + j.margin) / j.error)) if j.error > 0 else 0.0 for j in findings])
    worse = _adjusted([float(norm.cdf((j.difference + j.margin) / j.error)) if j.error > 0 else 1.0 for j in findings])
    answer = []
    for judged, p, q in zip(findings, better, worse, strict=True):
        verdict: Verdict = "pass" if p < LEVEL else "fail" if q < LEVEL else "inconclusive"
        reason = {"pass": "not worse by the margin, Holm", "fail": "worse by more than the margin, Holm"}.get(
            verdict, "not known after Holm"
        )
        answer.append(replace(judged, verdict=verdict, reason=reason, p_holm=p))
    return answer


def _adjusted(ps: Sequence[float]) -> list[float]:
    """Holm's adjusted p values, in the order given."""
    order = np.argsort(ps)
    steps = np.array([(len(ps) - rank) * ps[n] for rank, n in enumerate(order)])
    answer = np.empty(len(ps))
    answer[order] = np.minimum(1.0, np.maximum.accumulate(steps)) if len(ps) else steps
    return [float(p) for p in answer]


def _overall(primary: Sequence[Judged], findings: Sequence[Judged], plan: Plan) -> tuple[Verdict, str]:
    failed = [j.name for j in (*primary, *findings) if j.verdict == "fail"]
    if failed:
        return "fail", f"worse by more than the margin: {', '.join(failed)}"
    unknown = [j.name for j in primary if j.verdict != "pass"]
    if unknown:
        return "inconclusive", f"too few films to say of {', '.join(unknown)}"
    open_findings = [j.name for j in findings if j.verdict != "pass"]
    said = f"; not known of {', '.join(open_findings)} alone" if open_findings else ""
    judged = f"{len(findings)} findings with at least {plan.positives} positive films judged singly"
    return "pass", f"not worse by {plan.margin:.2f} in {' and '.join(j.name for j in primary)}; {judged}{said}"
