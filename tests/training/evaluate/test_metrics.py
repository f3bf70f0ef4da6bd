"""Figures agree with scikit-learn on the same scores; weights mean repetition."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from training.evaluate import metrics


@pytest.fixture(params=["continuous", "ties"])
def scored(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(5)
    present = rng.random(400) < 0.2
    scores = rng.normal(size=400) + present
    return (np.round(scores) if request.param == "ties" else scores), present


def test_figures_agree_with_scikit_learn(scored: tuple[np.ndarray, np.ndarray]) -> None:
    scores, present = scored
    ones = np.ones((1, len(scores)))
    chances = 1 / (1 + np.exp(-scores))
    assert metrics.auroc(scores, present, ones)[0] == pytest.approx(roc_auc_score(present, scores), abs=1e-9)
    assert metrics.auprc(scores, present, ones)[0] == pytest.approx(average_precision_score(present, scores), abs=1e-9)
    assert metrics.brier(chances, present, ones)[0] == pytest.approx(brier_score_loss(present, chances), abs=1e-9)


def test_a_weight_is_a_repetition(scored: tuple[np.ndarray, np.ndarray]) -> None:
    scores, present = scored
    weights = np.random.default_rng(1).integers(0, 4, (5, len(scores)))
    ranks, precisions = metrics.auroc(scores, present, weights), metrics.auprc(scores, present, weights)
    for draw in range(5):
        again = np.repeat(np.arange(len(scores)), weights[draw])
        assert ranks[draw] == pytest.approx(roc_auc_score(present[again], scores[again]), abs=1e-9)
        assert precisions[draw] == pytest.approx(average_precision_score(present[again], scores[again]), abs=1e-9)


def test_sensitivity_and_specificity_count_what_is_called() -> None:
    called = np.array([True, False, True, False, False])
    present = np.array([True, True, False, False, False])
    ones = np.ones((1, 5))
    assert metrics.sensitivity(called, present, ones)[0] == 0.5
    assert metrics.specificity(called, present, ones)[0] == pytest.approx(2 / 3)


def test_without_positives_there_is_no_figure_rather_than_a_wrong_one() -> None:
    ones = np.ones((1, 3))
    absent = np.zeros(3, dtype=bool)
    assert np.isnan(metrics.auroc(np.arange(3.0), absent, ones)[0])
    assert np.isnan(metrics.sensitivity(absent, absent, ones)[0])


def test_calibration_error_is_nought_for_true_chances_and_large_for_wrong_ones() -> None:
    rng = np.random.default_rng(0)
    chances = rng.random(50_000)
    present = rng.random(50_000) < chances
    assert metrics.calibration_error(chances, present) < 0.02
    assert metrics.calibration_error(chances, ~present) > 0.4
