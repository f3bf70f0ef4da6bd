"""The bootstrap draws whole patients."""

from __future__ import annotations

import numpy as np
import pytest

from training.evaluate import bootstrap, metrics


def test_films_of_one_patient_are_drawn_together() -> None:
    patients = np.repeat(np.arange(30), 4)
    weights = bootstrap.draws(patients, 50, seed=1)
    assert weights.shape == (50, 120)
    together = weights.reshape(50, 30, 4)
    assert (together == together[:, :, :1]).all()
    assert (together[:, :, 0].sum(axis=1) == 30).all()


def test_repeated_films_of_a_patient_do_not_narrow_the_interval() -> None:
    rng = np.random.default_rng(2)
    present = rng.random(150) < 0.4
    scores = rng.normal(size=150) + present
    wide = bootstrap.interval(lambda w: metrics.auroc(scores, present, w), np.arange(150), 600, 3)
    eight, present8 = np.repeat(scores, 8), np.repeat(present, 8)
    clustered = bootstrap.interval(lambda w: metrics.auroc(eight, present8, w), np.repeat(np.arange(150), 8), 600, 3)
    naive = bootstrap.interval(lambda w: metrics.auroc(eight, present8, w), np.arange(1200), 600, 3)
    assert wide is not None
    assert clustered is not None
    assert naive is not None
    assert clustered.high - clustered.low == pytest.approx(wide.high - wide.low, rel=1e-6)
    assert naive.high - naive.low < 0.6 * (clustered.high - clustered.low)


def test_a_figure_that_cannot_be_had_has_no_interval() -> None:
    absent = np.zeros(5, dtype=bool)
    assert bootstrap.interval(lambda w: metrics.auroc(np.arange(5.0), absent, w), np.arange(5), 20, 0) is None
    assert bootstrap.interval(lambda w: w.sum(axis=1), np.zeros(0, dtype=np.int64), 20, 0) is None


def test_large_evaluations_are_cut_into_blocks_with_the_same_count_of_draws() -> None:
    patients = np.arange(50_000)
    _, drawn = bootstrap.samples(lambda w: w.mean(axis=1), patients, 200, 0)
    assert drawn.shape == (200,)
    assert drawn == pytest.approx(1.0)
