"""The fast draws give what the plain metrics give, draw by draw."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import average_precision_score, brier_score_loss, roc_auc_score

from training.evaluate import line, metrics
from training.evaluate.columns import points_of
from training.evaluate.resample import BLOCK, Question, ask, patient_draws


def asked(ties: bool, films: int = 1500, seed: int = 4) -> Question:
    rng = np.random.default_rng(seed)
    present = rng.random(films) < 0.12
    scores = rng.normal(size=films) + present
    scores = np.round(scores, 1) if ties else scores
    chances = 1 / (1 + np.exp(-(1.3 * scores - 2.4)))
    patients = np.unique(rng.integers(0, 400, films), return_inverse=True)[1].astype(np.int64)
    return Question(scores, present, patients, {"alert": chances > 0.3}, chances)


@pytest.mark.parametrize("ties", [False, True])
def test_every_draw_is_what_the_plain_metrics_say_of_its_weights(ties: bool) -> None:
    question = asked(ties)
    patients = int(question.patients.max()) + 1
    count = BLOCK + 3
    drawn = ask([question], patients, count, 9)[0]
    weights = np.concatenate([w.T for w in patient_draws(patients, count, 9)])[:, question.patients].astype(float)
    assert question.probabilities is not None
    called, present = question.called["alert"], question.present
    for name, plain in {
        "auroc": metrics.auroc(question.scores, present, weights),
        "auprc": metrics.auprc(question.scores, present, weights),
        "sensitivity@alert": metrics.sensitivity(called, present, weights),
        "specificity@alert": metrics.specificity(called, present, weights),
        "brier": metrics.brier(question.probabilities, present, weights),
    }.items():
        np.testing.assert_allclose(drawn[name], plain, atol=2e-6, err_msg=name)


def test_the_calibration_line_of_a_draw_is_the_weighted_logistic_regression() -> None:
    question = asked(ties=False)
    patients = int(question.patients.max()) + 1
    drawn = ask([question], patients, 5, 2)[0]
    weights = np.concatenate([w.T for w in patient_draws(patients, 5, 2)])[:, question.patients]
    assert question.probabilities is not None
    x = line.logit(question.probabilities)[:, None]
    for draw in range(5):
        theirs = LogisticRegression(C=1e9, tol=1e-8).fit(x, question.present, sample_weight=weights[draw])
        assert drawn["slope"][draw] == pytest.approx(theirs.coef_[0, 0], abs=0.01)
        assert drawn["intercept"][draw] == pytest.approx(theirs.intercept_[0], abs=0.02)


def test_plain_figures_agree_with_scikit_learn_and_torchmetrics_to_a_millionth() -> None:
    import torch
    from torchmetrics.functional.classification import binary_auroc, binary_average_precision

    question = asked(ties=True)
    points = points_of(question)
    present, chances = question.present, question.probabilities
    assert chances is not None
    assert points["auroc"] == pytest.approx(roc_auc_score(present, question.scores), abs=1e-6)
    assert points["auprc"] == pytest.approx(average_precision_score(present, question.scores), abs=1e-6)
    assert points["brier"] == pytest.approx(brier_score_loss(present, chances), abs=1e-6)
    truth, given = torch.tensor(present.astype(int)), torch.tensor(chances)
    assert points["auroc"] == pytest.approx(float(binary_auroc(given, truth)), abs=1e-6)
    assert points["auprc"] == pytest.approx(float(binary_average_precision(given, truth)), abs=1e-6)
    theirs = LogisticRegression(C=1e12, tol=1e-10, max_iter=1000).fit(line.logit(chances)[:, None], present)
    assert points["slope"] == pytest.approx(theirs.coef_[0, 0], abs=1e-4)


def test_a_draw_without_positive_films_gives_no_figure_rather_than_a_wrong_one() -> None:
    present = np.zeros(40, dtype=bool)
    present[0] = True
    patients = np.arange(40)
    chances = np.linspace(0.01, 0.9, 40)
    drawn = ask([Question(chances, present, patients, {}, chances)], 40, 200, 1)[0]
    lacking = np.concatenate([w[0] for w in patient_draws(40, 200, 1)]) == 0
    assert 0 < lacking.sum() < 200
    np.testing.assert_array_equal(np.isnan(drawn["auroc"]), lacking)


def test_scores_that_part_present_from_absent_have_no_calibration_line() -> None:
    present = np.arange(30) >= 15
    assert line.fit(np.arange(30.0), present) is None
    assert line.fit(np.arange(30.0), np.ones(30, dtype=bool)) is None
