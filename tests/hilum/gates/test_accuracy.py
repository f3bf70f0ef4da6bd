"""Staging's questions of accuracy, on films made so that the answer is known."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from hilum.gates import Check, combine
from hilum.gates.accuracy import Question, accuracy_checks, holm
from hilum.gates.plan import GatePlan, load_plan
from hilum.gates.replay import Side

NAMES = ("Effusion", "Mass", "Hernia")
N = 1500


def plan(**changes: Any) -> GatePlan:
    """The default plan with fewer draws."""
    given = load_plan()
    return given.model_copy(update={"staging": given.staging.model_copy(update={"draws": 300, **changes})})


def films(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Labels (N, 3), the last one rare, and the active release's probabilities."""
    rng = np.random.default_rng(seed)
    labels = (rng.random((N, 3)) < [0.35, 0.3, 0.01]).astype(float)
    scores = np.clip(np.where(labels == 1, 0.62, 0.25) + rng.normal(0, 0.18, (N, 3)), 0.001, 0.999)
    return labels, scores


def side(scores: np.ndarray) -> Side:
    """A side with these answers; alert points at 0.5."""
    info: Any = SimpleNamespace(findings=[SimpleNamespace(name=n, alert=0.5) for n in NAMES])
    return Side(info, NAMES, scores, scores[:, 0])


def judged(candidate: np.ndarray, labels: np.ndarray, active: np.ndarray, **changes: Any) -> list[Check]:
    """The checks; two films a patient."""
    people = [f"p{k // 2}" for k in range(N)]
    groups = [{"site": "north" if k % 3 else "south"} for k in range(N)]
    return accuracy_checks(side(active), side(candidate), labels, people, groups, plan(**changes))


def test_a_retrained_release_that_is_as_good_passes() -> None:
    labels, active = films()
    again = np.clip(active + np.random.default_rng(2).normal(0, 0.02, active.shape), 0.001, 0.999)
    checks = judged(again, labels, active)
    assert combine(checks) == "pass", [c for c in checks if c.verdict not in {"pass", "reported"}]
    assert {c.verdict for c in checks if c.finding == "Hernia" and c.name == "sensitivity"} == {"reported"}
    assert {c.site for c in checks if c.name == "subgroup"} == {"north", "south"}


def test_a_good_mean_does_not_hide_one_acute_finding_that_is_worse() -> None:
    labels, active = films()
    worse = active.copy()
    lost = (labels[:, 0] == 1) & (np.random.default_rng(3).random(N) < 0.15)
    worse[lost, 0] = 0.3
    worse[:, 1] = np.where(labels[:, 1] == 1, worse[:, 1] + 0.1, worse[:, 1] - 0.1)
    failed = {(c.name, c.finding) for c in judged(worse, labels, active) if c.verdict == "fail"}
    assert ("sensitivity", "Effusion") in failed
    assert not any(finding == "Mass" for _, finding in failed)


def test_a_release_trained_on_shuffled_labels_or_miscalibrated_or_constant_fails() -> None:
    labels, active = films()
    shuffled = active[np.random.default_rng(4).permutation(N)]
    assert {"mean AUROC", "sensitivity"} <= {c.name for c in judged(shuffled, labels, active) if c.verdict == "fail"}
    bold = np.clip(active**0.4, 0.001, 0.999)
    assert "calibration" in {c.name for c in judged(bold, labels, active) if c.verdict == "fail"}
    constant = np.full_like(active, 0.3)
    assert "answers differ" in {c.name for c in judged(constant, labels, active) if c.verdict == "fail"}


def test_a_rare_finding_is_not_gated_unless_it_is_clearly_worse() -> None:
    labels, active = films()
    worse = active.copy()
    worse[labels[:, 2] == 1, 2] = 0.01
    rare = {c.name: c.verdict for c in judged(worse, labels, active) if c.finding == "Hernia"}
    assert rare["AUROC"] == "fail"
    slightly = active.copy()
    one = np.flatnonzero(labels[:, 2] == 1)[:1]
    slightly[one, 2] = 0.4
    assert "fail" not in {c.verdict for c in judged(slightly, labels, active) if c.finding == "Hernia"}


def test_too_few_films_are_inconclusive_whatever_they_show() -> None:
    labels, active = films()
    gone = active.copy()
    gone[100:] = np.nan
    (check,) = judged(gone, labels, active)
    assert (check.verdict, check.n) == ("inconclusive", 100)


def test_a_small_set_leaves_an_acute_finding_open_and_not_passed() -> None:
    labels, active = films()
    few = np.where(np.arange(N)[:, None] < 180, labels, np.nan)
    again = np.clip(active + np.random.default_rng(2).normal(0, 0.1, active.shape), 0.001, 0.999)
    said = {c.name: c.verdict for c in judged(again, few, active) if c.finding == "Effusion"}
    assert said["sensitivity"] == "inconclusive"


def test_holm_fails_only_what_survives_the_number_of_questions() -> None:
    def ask(z: float, name: str) -> Question:
        return Question(name, "loss", 0.01 * z, 0.01, 100, 0.0, None)

    checks = holm([ask(5, "clear"), ask(2.5, "alone"), *(ask(0, f"fine {k}") for k in range(60))], 0.003, 0.025)
    assert [c.name for c in checks if c.verdict == "fail"] == ["clear"]
    assert [c.verdict for c in holm([ask(3, "only one")], 0.003, 0.025)] == ["fail"]


@pytest.mark.parametrize("error", [0.0, float("inf")])
def test_a_question_without_spread_fails_only_on_a_loss(error: float) -> None:
    assert Question("x", "loss", 0.0, error, 100, 0.0, None).p == 1.0


def test_two_positive_films_that_lose_alike_reject_no_release() -> None:
    """By the normal distribution their error, of two films, made one in 77 good releases fail."""
    alike = {"loss": 0.30, "error": 0.02, "n": 2, "tolerance": 0.02, "margin": None}
    assert Question("AUROC", "loss", **alike).p < 1e-9  # type: ignore[arg-type]
    assert Question("AUROC", "loss", **alike, freedom=1).p > 0.02  # type: ignore[arg-type]
    few = Question("AUROC", "loss", freedom=19, **{**alike, "n": 20})  # type: ignore[arg-type]
    assert few.p < 1e-9, "twenty films that all lose do show it"
    labels, active = films()
    rare = labels.copy()
    k = 2
    rare[:, k] = 0
    up = np.argsort(active[:, k])[-2:]
    rare[up, k] = 1
    worse = active.copy()
    worse[up, k] = np.quantile(active[:, k], [0.55, 0.6])
    found = [c for c in judged(worse, rare, active) if c.name == "AUROC" and c.n == 2]
    assert found and all(check.verdict == "reported" and check.value > 0.3 for check in found)  # type: ignore[operator]
