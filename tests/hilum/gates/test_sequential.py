"""The sequential tests keep what they promise, however often one looks."""

from __future__ import annotations

import numpy as np
import pytest

from hilum.gates.sequential import Bounds, decide, first_crossings, interval, log_fortune, normal, reach

BOUNDS = Bounds(tolerance=0.01, margin=0.05, alpha=0.01, beta=0.05)
VALUES = np.array([-1.0, 0.0, 1.0])


def runs(loss: float, n: int, many: int, noise: float = 0.03, seed: int = 3) -> np.ndarray:
    """Cumulated counts (many, n / 10, 3) of paired losses -1, 0, 1 with mean `loss`, looked at every ten."""
    rng = np.random.default_rng(seed)
    each = rng.multinomial(10, [noise, 1 - 2 * noise - loss, noise + loss], size=(many, n // 10))
    return np.cumsum(each, axis=1).astype(np.float64)


def test_a_candidate_at_the_tolerance_fails_in_at_most_alpha_of_all_runs_looked_at_200_times() -> None:
    verdict, _ = first_crossings(runs(0.01, 2000, 3000), VALUES, BOUNDS)
    # 3,000 runs at exactly 1 % would exceed 1.6 % once in a thousand times.
    assert (verdict == -1).mean() < 0.016
    assert (verdict == 1).mean() > 0.8


def test_a_candidate_at_the_margin_passes_in_at_most_beta_of_all_runs() -> None:
    verdict, look = first_crossings(runs(0.05, 3000, 3000), VALUES, BOUNDS)
    assert (verdict == 1).mean() < 0.062
    assert (verdict == -1).mean() > 0.8
    # It stops early: most failures come long before the last look.
    assert np.median(look[verdict == -1]) < 200


def test_the_path_and_the_counts_give_the_same_verdict() -> None:
    rng = np.random.default_rng(5)
    for loss in (0.0, 0.1):
        x = rng.choice(VALUES, size=600, p=[0.03, 0.94 - loss, 0.03 + loss])
        counts = np.stack([np.cumsum(x == v) for v in VALUES], axis=1)[None].astype(float)
        verdict, look = first_crossings(counts, VALUES, BOUNDS)
        answer = decide(x, BOUNDS, -1, 1)
        assert {1: "pass", -1: "fail", 0: "inconclusive"}[int(verdict[0])] == answer.verdict
        assert answer.decided_after == look[0] + 1


def test_the_interval_covers_the_mean_at_every_look_and_shrinks() -> None:
    rng = np.random.default_rng(7)
    missed = 0
    for _ in range(100):
        x = rng.choice(VALUES, size=400, p=[0.05, 0.87, 0.08])
        bounds = [interval(x[:n], 0.025, -1, 1) for n in (50, 100, 200, 400)]
        missed += any(not low <= 0.03 <= high for low, high in bounds)
        assert bounds[-1][1] - bounds[-1][0] < bounds[0][1] - bounds[0][0]
    assert missed <= 9


def test_a_decision_once_made_does_not_change_with_more_of_the_same_stream() -> None:
    good = np.zeros(400)
    first = decide(good, BOUNDS, -1, 1)
    assert first.verdict == "pass"
    assert decide(np.r_[good, np.ones(400)], BOUNDS, -1, 1).verdict == "pass"


def test_nothing_and_too_little_are_inconclusive_and_nonsense_is_refused() -> None:
    assert decide(np.zeros(0), BOUNDS, -1, 1).verdict == "inconclusive"
    least = Bounds(0.01, 0.05, 0.01, 0.05, least=500)
    assert decide(np.zeros(499), least, -1, 1).verdict == "inconclusive"
    assert decide(np.zeros(500), least, -1, 1).verdict == "pass"
    for bad in (np.array([0.0, np.nan]), np.array([2.0])):
        with pytest.raises(ValueError, match="outside"):
            decide(bad, BOUNDS, -1, 1)
    with pytest.raises(ValueError, match="below the margin"):
        Bounds(0.05, 0.05, 0.01, 0.05)
    assert normal(float("nan"), 1.0, 100, BOUNDS).verdict == "inconclusive"
    assert normal(0.0, 1e-6, 1, BOUNDS).verdict == "inconclusive"


def test_the_asymptotic_sequence_keeps_its_error_over_a_thousand_looks() -> None:
    rng = np.random.default_rng(11)
    x = np.cumsum(rng.normal(0, 1, (2000, 1000)), axis=1)
    n = np.arange(1, 1001)
    beyond = (x / n - reach(1.0, n, 0.05))[:, 20:] > 0
    assert beyond.any(axis=1).mean() < 0.06
    assert reach(1.0, 1000, 0.05) < 0.15


def test_a_claim_that_cannot_be_wrong_earns_nothing() -> None:
    counts = np.array([0.0, 0.0, 50.0])
    assert log_fortune(counts, VALUES, 1.0, "above") == 0
    assert log_fortune(counts, VALUES, 0.5, "above") > 10
