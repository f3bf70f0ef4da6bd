"""Figures and a plan to a verdict. Too little evidence is neither pass nor fail."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from hilum.evidence.figures import Evidence, ReadFigures
from hilum.evidence.plan import Plan, Verdict
from hilum.evidence.resample import Figure


@dataclass(frozen=True)
class Criterion:
    """One bound of the plan against its figure."""

    name: str
    verdict: Verdict
    reason: str
    bound: float
    value: float | None
    low: float | None
    high: float | None
    n: int


@dataclass(frozen=True)
class Judgement:
    """`past_deadline`: an inconclusive verdict will stay so; a person decides."""

    verdict: Verdict
    reason: str
    criteria: tuple[Criterion, ...]
    past_deadline: bool
    plan_digest: str


def judge(evidence: Evidence, plan: Plan, *, missing_share: float | None, now: datetime) -> Judgement:
    """Judge `evidence`, which must have been collected at the plan's level.

    A criterion fails where its whole interval lies beyond the bound, passes where the whole lies within, and is
    inconclusive otherwise. One failure fails; all must pass. Pairs that are missing may be the very ones that differ:
    above `max_missing`, or below the least numbers, nothing passes and nothing fails.
    """
    enough = _enough(evidence, plan, missing_share)
    criteria = _criteria(evidence, plan)
    late = plan.deadline is not None and now >= plan.deadline
    if enough is not None:
        return Judgement("inconclusive", enough, criteria, late, plan.digest)
    failed = [c.name for c in criteria if c.verdict == "fail"]
    open_ = [c.name for c in criteria if c.verdict == "inconclusive"]
    if failed:
        return Judgement("fail", f"beyond its bound: {', '.join(failed)}", criteria, late, plan.digest)
    if open_:
        return Judgement("inconclusive", f"not known yet: {', '.join(open_)}", criteria, late, plan.digest)
    return Judgement("pass", f"all {len(criteria)} criteria are within their bounds", criteria, late, plan.digest)


def _enough(evidence: Evidence, plan: Plan, missing_share: float | None) -> str | None:
    if evidence.studies < plan.min_studies:
        return f"{evidence.studies} studies of at least {plan.min_studies}"
    if evidence.patients < plan.min_patients:
        return f"{evidence.patients} patients of at least {plan.min_patients}"
    if missing_share is None:
        return "how many pairs are missing is not known"
    if missing_share > plan.max_missing:
        return f"{100 * missing_share:.1f} % of the pairs are missing, at most {100 * plan.max_missing:.1f} % may be"
    if not evidence.findings:
        return "the releases share no finding that both established"
    return None


def _criteria(evidence: Evidence, plan: Plan) -> tuple[Criterion, ...]:
    found = []
    if plan.min_agreement is not None:
        found.append(_at_least("alert agreement", evidence.mean_alert_agreement, plan.min_agreement))
    if plan.max_shift is not None:
        found.append(_shift(evidence, plan.max_shift))
    if plan.max_critical_lost is not None:
        found.append(_at_most("critical lost", evidence.bands.critical_lost, plan.max_critical_lost))
    if plan.max_not_scored is not None:
        found.append(_at_most("not scored by shadow alone", evidence.not_scored_shadow_alone, plan.max_not_scored))
    reads = evidence.reads.get(plan.reads)
    for name, margin in (
        ("sensitivity", plan.sensitivity_margin),
        ("specificity", plan.specificity_margin),
        ("auroc", plan.auroc_margin),
    ):
        if margin is not None:
            figure = Figure(None, None, None, 0)
            if reads is not None:
                figure = getattr(reads, f"mean_{name}_difference")
            found.append(_at_least(f"{name} on {plan.reads} reads", figure, -margin))
    if plan.finding_margin is not None:
        found.append(_single(reads, plan.finding_margin))
    return tuple(found)


def _criterion(name: str, figure: Figure, bound: float, good: bool, bad: bool) -> Criterion:
    if figure.value is None:
        verdict, reason = "inconclusive", "too little evidence for a figure"
    elif good:
        verdict, reason = "pass", "the whole interval is within the bound"
    elif bad:
        verdict, reason = "fail", "the whole interval is beyond the bound"
    else:
        verdict, reason = "inconclusive", "the interval holds the bound"
    return Criterion(name, verdict, reason, bound, figure.value, figure.low, figure.high, figure.n)  # type: ignore[arg-type]


def _at_least(name: str, figure: Figure, bound: float) -> Criterion:
    low, high = figure.low or 0.0, figure.high or 0.0
    return _criterion(name, figure, bound, low >= bound, high < bound)


def _at_most(name: str, figure: Figure, bound: float) -> Criterion:
    low, high = figure.low or 0.0, figure.high or 0.0
    return _criterion(name, figure, bound, high <= bound, low > bound)


def _shift(evidence: Evidence, bound: float) -> Criterion:
    """Every finding's mean shift lies within the bound; the one furthest out is shown."""
    figures = [(f.name, f.shift) for f in evidence.findings if f.shift.value is not None]
    if not figures:
        return _criterion("score shift", Figure(None, None, None, 0), bound, good=False, bad=False)
    name, worst = max(figures, key=lambda pair: max(abs(pair[1].low or 0.0), abs(pair[1].high or 0.0)))
    good = all(-bound <= (f.low or 0.0) and (f.high or 0.0) <= bound for _, f in figures)
    beyond = [(n, f) for n, f in figures if (f.high or 0.0) < -bound or (f.low or 0.0) > bound]
    if beyond:
        name, worst = beyond[0]
    return _criterion(f"score shift ({name})", worst, bound, good, bool(beyond))


def _single(reads: ReadFigures | None, margin: float) -> Criterion:
    """No single finding is worse by more than `margin`. What is not known of one finding alone holds nothing up.

    The interval is that of one finding at the plan's level; with many findings, chance alone fails one now and then:
    the margin should be wide.
    """
    judged = [f for f in (reads.findings if reads else ()) if reads and f.name in reads.judged]
    worst = None
    for one in judged:
        for figure in (one.sensitivity.difference, one.auroc.difference):
            if figure.high is not None and (worst is None or figure.high < (worst[1].high or 0.0)):
                worst = (one.name, figure)
    if worst is None:
        return Criterion("single findings", "inconclusive", "no finding has enough reads", -margin, None, None, None, 0)
    name, figure = worst
    bad = figure.high is not None and figure.high < -margin
    reason = f"{name} is worse by more than the margin" if bad else "no finding is worse by more than the margin"
    verdict: Verdict = "fail" if bad else "pass"
    return Criterion("single findings", verdict, reason, -margin, figure.value, figure.low, figure.high, figure.n)
