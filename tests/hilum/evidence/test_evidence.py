"""The statistics of evidence: known answers, honest intervals, and three verdicts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from hilum.evidence import NOT_JUDGED, Pairs, Plan, collect, judge
from training.evaluate.metrics import auroc

NOW = datetime(2026, 11, 21, tzinfo=UTC)
POINTS = np.array([[0.2, 0.6], [0.1, 0.5]], dtype=np.float32)
PLAN = Plan(draws=200)


def made(
    n: int = 600, *, noise: float = 0.0, worse: float = 0.0, lost: float = 0.0, seed: int = 1, **changes: Any
) -> Pairs:
    """`n` studies of n / 2 patients and two findings, of which shadow has some `noise` and a share `worse` anew."""
    rng = np.random.default_rng(seed)
    truth = rng.random((n, 2)) < 0.2
    live = np.clip(np.where(truth, 0.65, 0.25) + rng.normal(0, 0.15, (n, 2)), 0.001, 0.999).astype(np.float32)
    shadow = np.clip(live + rng.normal(0, noise, (n, 2)) if noise else live, 0, 1).astype(np.float32)
    again = rng.random((n, 2)) < worse
    shadow = np.where(again, rng.random((n, 2)), shadow).astype(np.float32)
    band = np.where(truth[:, 0], 0, 2).astype(np.int8)
    gone = (band == 0) & (rng.random(n) < lost)
    columns: dict[str, Any] = {
        "findings": ("Effusion", "Mass"),
        "patients": np.arange(n) // 2,
        "live": live,
        "shadow": shadow,
        "live_points": POINTS,
        "shadow_points": POINTS,
        "live_band": band,
        "shadow_band": np.where(gone, 2, band).astype(np.int8),
        "reads": {"blind": truth.astype(np.int8)},
    }
    return Pairs(**{**columns, **changes})


def verdict_of(pairs: Pairs, plan: Plan = PLAN, missing: float | None = 0.0) -> str:
    """What the plan says of the pairs."""
    return judge(collect(pairs, draws=plan.draws, alpha=plan.alpha), plan, missing_share=missing, now=NOW).verdict


def test_the_same_release_twice_agrees_wholly_and_its_interval_is_no_point() -> None:
    found = collect(made(), draws=200)
    agreement = found.mean_alert_agreement
    assert agreement.value == 1.0
    assert agreement.low is not None
    # 300 patients without any disagreement leave room for 1.2 % with one (exact binomial bound, two-sided 95 %).
    assert agreement.low == pytest.approx(0.025 ** (1 / 300), abs=1e-6)
    assert found.findings[0].shift.value == 0.0
    assert found.bands.table[0][0] + found.bands.table[2][2] == 600
    assert verdict_of(made()) == "pass"


def test_the_figures_are_those_that_plain_counting_gives() -> None:
    pairs = made(noise=0.2)
    found = collect(pairs, draws=200)
    for k, finding in enumerate(found.findings):
        same = (pairs.live[:, k] >= POINTS[k, 1]) == (pairs.shadow[:, k] >= POINTS[k, 1])
        assert finding.alert_agreement.value == pytest.approx(same.mean(), abs=1e-6)
        assert finding.shift.value == pytest.approx((pairs.shadow - pairs.live)[:, k].mean(), abs=1e-5)
        truth = pairs.reads["blind"][:, k] == 1
        read = found.reads["blind"].findings[k]
        assert read.sensitivity.shadow == pytest.approx((pairs.shadow[truth, k] >= POINTS[k, 1]).mean(), abs=1e-6)
        assert read.specificity.live == pytest.approx((pairs.live[~truth, k] < POINTS[k, 1]).mean(), abs=1e-6)
        ones = np.ones((1, len(truth)))
        for scores, value in ((pairs.live, read.auroc.live), (pairs.shadow, read.auroc.shadow)):
            assert value == pytest.approx(float(auroc(scores[:, k], truth, ones)[0]), abs=1e-6)


def test_ties_in_the_scores_count_one_half() -> None:
    pairs = made(n=40)
    flat = np.full((40, 2), 0.5, dtype=np.float32)
    found = collect(replace(pairs, shadow=flat), draws=200)
    assert found.reads["blind"].findings[0].auroc.shadow == 0.5


def test_studies_of_one_patient_widen_the_interval() -> None:
    pairs = made(n=400, noise=0.2)
    twice = {
        name: np.repeat(getattr(pairs, name), 4, axis=0)
        for name in ("live", "shadow", "live_band", "shadow_band", "patients")
    }
    read = {"blind": np.repeat(pairs.reads["blind"], 4, axis=0)}
    clustered = collect(replace(pairs, **twice, reads=read), draws=400)
    apart = collect(replace(pairs, **{**twice, "patients": np.arange(1600)}, reads=read), draws=400)

    def width(found: Any) -> float:
        figure = found.findings[0].alert_agreement
        return float(figure.high - figure.low)

    assert width(clustered) > 1.7 * width(apart)


def test_the_interval_holds_the_truth_about_as_often_as_it_says() -> None:
    truth = float(np.mean([collect(made(n=4000, noise=0.2, seed=99), draws=200).findings[0].alert_agreement.value]))
    held = 0
    for seed in range(60):
        figure = collect(made(n=300, noise=0.2, seed=seed), draws=200).findings[0].alert_agreement
        assert figure.low is not None
        assert figure.high is not None
        held += figure.low <= truth <= figure.high
    # 60 intervals at 95 %: fewer than 50 or so has a chance below one in a thousand.
    assert held >= 50


@pytest.mark.parametrize(
    ("pairs", "plan", "expected"),
    [
        (made(noise=0.02), PLAN, "pass"),
        (made(worse=0.7), PLAN, "fail"),
        (made(lost=0.6), PLAN, "fail"),
        (made(n=60), PLAN, "inconclusive"),
        (made(worse=0.7, n=60), PLAN, "inconclusive"),
        (made(worse=0.4), replace(PLAN, min_agreement=None, max_shift=None, auroc_margin=0.05), "fail"),
        (made(), replace(PLAN, auroc_margin=0.05, sensitivity_margin=0.1, specificity_margin=0.05), "pass"),
        (made(reads={}), replace(PLAN, auroc_margin=0.05), "inconclusive"),
        (made(worse=0.5), replace(PLAN, min_agreement=None, max_shift=None, finding_margin=0.05), "fail"),
    ],
    ids=[
        "alike",
        "worse",
        "critical lost",
        "few",
        "worse but few",
        "worse on reads",
        "alike on reads",
        "no reads",
        "one",
    ],
)
def test_a_plan_gives_its_verdict(pairs: Pairs, plan: Plan, expected: str) -> None:
    assert verdict_of(pairs, plan) == expected


@pytest.mark.parametrize("missing", [None, 0.11, 1.0])
def test_with_too_many_pairs_missing_nothing_passes_and_nothing_fails(missing: float | None) -> None:
    assert verdict_of(made(), missing=missing) == "inconclusive"
    assert verdict_of(made(worse=0.7), missing=missing) == "inconclusive"


def test_no_evidence_at_all_is_inconclusive() -> None:
    none = np.zeros((0, 2), dtype=np.float32)
    band = np.zeros(0, dtype=np.int8)
    empty = made(
        live=none, shadow=none, live_band=band, shadow_band=band, patients=np.zeros(0, dtype=np.int64), reads={}
    )
    found = collect(empty, draws=200)
    assert found.studies == 0
    assert found.mean_alert_agreement.value is None
    assert verdict_of(empty) == "inconclusive"


def test_a_shadow_release_that_refuses_films_is_seen() -> None:
    pairs = made()
    shadow = pairs.shadow.copy()
    shadow[:60] = np.nan
    found = collect(replace(pairs, shadow=shadow), draws=200)
    assert found.not_scored_shadow == 60
    assert found.not_scored_shadow_alone.value == 0.1
    assert found.findings[0].alert_agreement.n == 540
    assert verdict_of(replace(pairs, shadow=shadow)) == "fail"


def test_uncertain_and_blank_labels_count_for_nothing_and_are_reported() -> None:
    pairs = made()
    labels = pairs.reads["blind"].copy()
    labels[:100, 0] = -1
    labels[100:300, 0] = NOT_JUDGED
    read = collect(replace(pairs, reads={"blind": labels}), draws=200).reads["blind"]
    first = read.findings[0]
    assert (first.present + first.absent, first.uncertain) == (300, 100)
    assert (read.blank_share, read.uncertain_share) == (round(200 / 1200, 6), round(100 / 1200, 6))


def test_more_looks_ask_for_more() -> None:
    wide = collect(made(noise=0.2), draws=400, alpha=replace(PLAN, looks=10).alpha).findings[0].alert_agreement
    narrow = collect(made(noise=0.2), draws=400).findings[0].alert_agreement
    assert wide.low < narrow.low  # type: ignore[operator]
    assert wide.high > narrow.high  # type: ignore[operator]


def test_past_its_deadline_an_inconclusive_verdict_says_so() -> None:
    plan = replace(PLAN, deadline=NOW - timedelta(days=1))
    found = judge(collect(made(n=60), draws=200), plan, missing_share=0.0, now=NOW)
    assert (found.verdict, found.past_deadline) == ("inconclusive", True)


@pytest.mark.parametrize(
    "change",
    [
        {"min_agreement": 1.5},
        {"min_studies": 3},
        {"looks": 0},
        {"draws": 7},
        {"deadline": datetime(2026, 1, 1)},  # noqa: DTZ001
        {"min_agreement": None, "max_shift": None, "max_critical_lost": None, "max_not_scored": None},
    ],
)
def test_a_plan_that_means_nothing_is_refused(change: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"plan|between|deadline"):
        Plan(**change)


def test_columns_that_do_not_fit_are_refused() -> None:
    with pytest.raises(ValueError, match="do not fit"):
        made(patients=np.arange(3))
