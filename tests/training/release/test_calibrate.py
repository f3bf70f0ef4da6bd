"""Calibration, operating points and the critical margin."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from training.data.manifest import UNKNOWN
from training.release.calibrate import (
    SlopePrior,
    alert_threshold,
    apply,
    calibrate,
    critical_margin,
    criticality,
    curvature,
    finding_spec,
    logit,
    platt,
    probabilities_of,
    rule_out_threshold,
    scale,
    sigmoid,
    slope_prior,
)

RNG = np.random.default_rng(7)
PRESENT = RNG.random(3000) < 0.2
LOGITS = RNG.normal(size=3000) + 1.5 * PRESENT
PATIENTS = np.repeat(np.arange(1000), 3)
LABELS = PRESENT.astype(np.int8)


def test_platt_scaling_is_the_logistic_regression_of_truth_on_the_logit() -> None:
    ours = platt(LOGITS, PRESENT)
    theirs = LogisticRegression(C=1e9).fit(LOGITS[:, None], PRESENT)
    assert ours.slope == pytest.approx(theirs.coef_[0, 0], rel=0.02)
    assert ours.intercept == pytest.approx(theirs.intercept_[0], rel=0.02)
    assert apply(ours, LOGITS).mean() == pytest.approx(PRESENT.mean(), abs=0.005)


def test_a_score_that_points_the_wrong_way_keeps_a_positive_slope() -> None:
    assert platt(-LOGITS, PRESENT).slope > 0


def test_few_positives_do_not_give_certainty() -> None:
    present = np.zeros(100, dtype=bool)
    present[-2:] = True
    chances = apply(platt(np.arange(100.0), present), np.arange(100.0))
    assert chances.max() < 0.999


def test_without_positives_calibration_is_still_finite_and_low() -> None:
    chances = apply(platt(LOGITS, np.zeros(3000, dtype=bool)), LOGITS)
    assert np.isfinite(chances).all()
    assert chances.mean() < 0.01


def test_the_operating_points_reach_their_aims_and_not_much_more() -> None:
    chances = sigmoid(LOGITS)
    rule_out, alert = rule_out_threshold(chances, PRESENT), alert_threshold(chances, PRESENT)
    assert 0.90 <= (chances >= rule_out)[PRESENT].mean() < 0.905
    assert 0.95 <= (chances < alert)[~PRESENT].mean() < 0.952
    assert rule_out < alert


def test_equal_scores_never_break_an_aim() -> None:
    chances = np.round(sigmoid(LOGITS), 1)
    assert (chances >= rule_out_threshold(chances, PRESENT))[PRESENT].mean() >= 0.90
    assert (chances < alert_threshold(chances, PRESENT))[~PRESENT].mean() >= 0.95


def test_a_finding_told_apart_without_error_has_its_points_in_order() -> None:
    spec = finding_spec("Effusion", np.where(PRESENT, 5.0, -5.0) + 0.1 * LOGITS, LABELS, PATIENTS, 20, 0)
    assert spec.rule_out.threshold <= spec.alert.threshold


def test_an_unknown_label_enters_neither_side() -> None:
    labels = LABELS.copy()
    labels[:1500] = UNKNOWN
    whole = finding_spec("Effusion", LOGITS, labels, PATIENTS, 20, 0)
    half = finding_spec("Effusion", LOGITS[1500:], LABELS[1500:], PATIENTS[1500:], 20, 0)
    assert whole == half


@pytest.mark.parametrize(("patients", "established"), [(14, False), (15, True)])
def test_fifteen_positive_patients_make_a_finding_established(patients: int, established: bool) -> None:
    labels = np.zeros(3000, dtype=np.int8)
    labels[: 3 * patients] = 1
    spec = finding_spec("Effusion", LOGITS, labels, PATIENTS, 20, 0)
    assert (spec.positive_patients, spec.established) == (patients, established)


def test_the_margin_keeps_critical_films_within_the_budget_and_near_it() -> None:
    names = ("Effusion", "Nodule", "Edema")
    logits = np.stack([LOGITS, LOGITS + 4, RNG.normal(size=3000) + PRESENT], axis=1)
    specs = calibrate(names, logits, np.stack([LABELS] * 3, axis=1), PATIENTS, 20, 0)
    chances = probabilities_of(specs, logits)
    margin = critical_margin(specs, chances, 0.10)
    assert margin > 0
    assert 0.095 <= (criticality(specs, chances) >= margin).mean() <= 0.10
    assert critical_margin(specs, chances, 1.0) == 0.0


def test_only_acute_established_findings_make_a_film_critical() -> None:
    names = ("Nodule", "Effusion")
    few = np.zeros(3000, dtype=np.int8)
    few[:9] = 1
    logits = np.stack([LOGITS + 9, LOGITS], axis=1)
    specs = calibrate(names, logits, np.stack([LABELS, few], axis=1), PATIENTS, 20, 0)
    assert not specs[1].established
    assert np.isneginf(criticality(specs, probabilities_of(specs, logits))).all()


def test_logit_undoes_sigmoid() -> None:
    values = np.linspace(-10, 10, 21)
    np.testing.assert_allclose(logit(sigmoid(values)), values, rtol=1e-6)


def drawn_findings(films: int, seed: int = 3) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Logits and labels of eight findings whose true slope is 0.8, films of a patient alike."""
    rng = np.random.default_rng(seed)
    patients = np.repeat(np.arange(films // 3), 3)
    logits = rng.normal(-3, 1, (len(patients), 8)) + np.repeat(rng.normal(size=(films // 3, 8)), 3, axis=0)
    labels = rng.random(logits.shape) < sigmoid(0.8 * logits)
    return logits, labels.astype(np.int8), patients


def test_slopes_drawn_together_are_nearer_the_truth_than_slopes_alone() -> None:
    logits, labels, patients = drawn_findings(600)
    together = np.array([c.slope for c in scale(logits, labels, patients)])
    alone = np.array([platt(logits[:, k], labels[:, k] == 1).slope for k in range(8)])
    assert np.abs(np.log(together / 0.8)).mean() < 0.7 * np.abs(np.log(alone / 0.8)).mean()


def test_many_films_keep_their_own_slope_where_it_truly_differs() -> None:
    logits, labels, patients = drawn_findings(30_000)
    logits[:, 0] *= 2.0
    together = [c.slope for c in scale(logits, labels, patients)]
    assert together[0] == pytest.approx(0.4, abs=0.03)
    assert together[1] == pytest.approx(0.8, abs=0.06)


def test_films_repeated_in_a_patient_count_as_the_fewer_that_they_are() -> None:
    once = curvature(platt(LOGITS, PRESENT), LOGITS, PRESENT, np.arange(3000))
    eight = [np.repeat(part, 8) for part in (LOGITS, PRESENT, np.arange(3000))]
    again = curvature(platt(eight[0], eight[1]), *eight)
    assert again.design_effect == pytest.approx(8, rel=0.15)
    assert again.error == pytest.approx(once.error, rel=0.05)


def test_a_finding_without_positives_takes_the_slope_of_the_others() -> None:
    logits, labels, patients = drawn_findings(3000)
    labels[:, 2] = 0
    others = [c.slope for k, c in enumerate(scale(logits, labels, patients)) if k != 2]
    assert min(others) <= scale(logits, labels, patients)[2].slope <= max(others)


def test_two_findings_say_too_little_of_what_slopes_are_like() -> None:
    assert slope_prior([1.0, 2.0], [0.1, 0.1]) is None
    logits, labels, patients = drawn_findings(3000)
    assert scale(logits[:, :2], labels[:, :2], patients)[0] == platt(logits[:, 0], labels[:, 0] == 1)


def test_a_tight_prior_wins_over_few_films_and_not_over_many() -> None:
    prior = SlopePrior(np.log(3.0), 0.05)
    assert platt(LOGITS[:60], PRESENT[:60], prior).slope == pytest.approx(3.0, rel=0.05)
    assert platt(LOGITS, PRESENT, SlopePrior(np.log(3.0), 2.0)).slope == pytest.approx(
        platt(LOGITS, PRESENT).slope, rel=0.01
    )
