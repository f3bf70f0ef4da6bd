"""Calibration, operating points and the critical margin."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from training.data.manifest import UNKNOWN
from training.release.calibrate import (
    alert_threshold,
    apply,
    calibrate,
    critical_margin,
    criticality,
    finding_spec,
    logit,
    platt,
    probabilities_of,
    rule_out_threshold,
    sigmoid,
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
