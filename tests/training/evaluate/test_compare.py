"""Two releases on the same films: DeLong's test, the clustered bootstrap, and the three verdicts."""

from __future__ import annotations

import json

import numpy as np
import pytest

from hilum.evidence.delong import delong
from training.evaluate.compare import _adjusted, compare
from training.evaluate.comparison import Comparison, Plan
from training.evaluate.film_set import COMPOSITE


def by_definition(a: np.ndarray, b: np.ndarray, present: np.ndarray) -> tuple[float, float, np.ndarray]:
    """DeLong 1988 as it is written: every pair of films compared."""
    wins = [(s[present][:, None] > s[~present]) + 0.5 * (s[present][:, None] == s[~present]) for s in (a, b)]
    s10 = np.cov([w.mean(axis=1) for w in wins])
    s01 = np.cov([w.mean(axis=0) for w in wins])
    return wins[0].mean(), wins[1].mean(), s10 / present.sum() + s01 / (~present).sum()


def paired(seed: int, patients: int = 300, films: int = 4) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    rng = np.random.default_rng(seed)
    place = np.repeat(np.arange(patients), films)
    present = np.repeat(rng.random(patients) < 0.3, films) ^ (rng.random(patients * films) < 0.1)
    shared = np.repeat(rng.normal(size=patients), films)
    a = present + shared + rng.normal(size=len(place))
    b = present + shared + rng.normal(size=len(place))
    return a, b, present, place


def test_delong_by_ranks_is_delong_by_pairs() -> None:
    a, b, present, _ = paired(1, patients=60)
    a, b = np.round(a, 1), np.round(b, 1)
    ours, (auroc_a, auroc_b, covariance) = delong(a, b, present), by_definition(a, b, present)
    assert (ours.auroc_a, ours.auroc_b) == pytest.approx((auroc_a, auroc_b), abs=1e-12)
    assert [ours.variance_a, ours.covariance, ours.variance_b] == pytest.approx(
        [covariance[0, 0], covariance[0, 1], covariance[1, 1]], abs=1e-12
    )


def test_delong_agrees_with_the_package_mlstatkit() -> None:
    """z and p of MLstatkit 0.1.91 `Delong_test` (PyPI) on these 200 films, run on 2026-11-21."""
    number = np.arange(200)
    present = (number * 7919 % 100) < 30
    a = np.round(np.sin(number * 1.7) * 2 + present * 1.5, 1)
    b = np.round(np.cos(number * 2.3) * 2 + present * 1.1 + np.sin(number * 1.7), 1)
    ours = delong(a, b, present)
    assert ours.difference / ours.error == pytest.approx(-1.18051238165671, abs=1e-9)
    assert ours.p == pytest.approx(0.23779648888381533, abs=1e-9)


def test_only_the_clustered_form_knows_that_films_of_a_patient_resemble_each_other() -> None:
    a, b, present, place = paired(2)
    rng = np.random.default_rng(0)
    b = b + 0.8 * np.repeat(rng.normal(size=300), 4)
    found = compare(a[:, None], b[:, None], present[:, None].astype(np.int8), place, Plan(("X",), draws=1500))
    drawn = found.findings[0].error
    assert delong(a, b, present, place).error == pytest.approx(drawn, rel=0.10)
    assert delong(a, b, present).error < 0.93 * drawn


def judge(shift: float, films: int = 4, patients: int = 400) -> Comparison:
    """B is A with its positives moved by `shift`, and a little noise."""
    a, _, present, place = paired(3, patients, films)
    b = a + shift * present + 0.1 * np.random.default_rng(5).normal(size=len(a))
    both = np.stack([present, present], axis=1).astype(np.int8)
    return compare(np.stack([a, a], 1), np.stack([b, b], 1), both, place, Plan(("X", COMPOSITE), draws=500))


def test_an_equal_release_passes_and_the_power_is_stated() -> None:
    found = judge(0.0)
    assert found.verdict == "pass"
    assert [j.name for j in found.primary] == ["mean of 1 findings", COMPOSITE]
    for judged in found.primary:
        assert judged.low > -0.02
        assert judged.detectable == pytest.approx(2.8016 * judged.error, rel=1e-3)
        assert judged.power_if_equal > 0.9
    assert "PASS" in found.text()
    assert json.loads(json.dumps(found.to_json()))["verdict"] == "pass"


def test_a_worse_release_fails() -> None:
    found = judge(-0.8)
    assert found.verdict == "fail"
    assert all(j.high < -0.02 for j in found.primary)
    assert found.findings[0].verdict == "fail"


def test_too_few_films_are_neither_a_pass_nor_a_fail() -> None:
    a, b, present, place = paired(6, patients=40, films=1)
    found = compare(a[:, None], b[:, None], present[:, None].astype(np.int8), place, Plan(("X",), draws=300))
    assert found.verdict == "inconclusive"
    assert found.findings == ()
    assert found.primary[0].power_if_equal < 0.5


def test_a_composite_without_films_keeps_the_verdict_open() -> None:
    a, _, present, place = paired(3)
    labels = np.stack([present.astype(np.int8), np.full(len(present), -1, dtype=np.int8)], axis=1)
    found = compare(np.stack([a, a], 1), np.stack([a, a], 1), labels, place, Plan(("X", COMPOSITE), draws=200))
    assert found.verdict == "inconclusive"
    assert COMPOSITE in found.reason


def test_holm_multiplies_by_what_is_left() -> None:
    assert _adjusted([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert _adjusted([0.5, 0.9]) == [1.0, 1.0]
    assert _adjusted([]) == []


def test_scores_that_do_not_fit_are_refused_with_their_shapes() -> None:
    a, b, present, place = paired(3)
    labels = present[:, None].astype(np.int8)
    with pytest.raises(ValueError, match=r"\(1200, 1\).*do not fit"):
        compare(a[:, None], b[:-1, None], labels, place, Plan(("X",)))
    with pytest.raises(ValueError, match="not a number"):
        compare(a[:, None], np.where(place == 0, np.nan, b)[:, None], labels, place, Plan(("X",)))
    with pytest.raises(ValueError, match="nothing can be compared"):
        compare(a[:, None], b[:, None], np.zeros_like(labels), place, Plan(("X",)))
    with pytest.raises(ValueError, match="margins"):
        Plan(("X",), margin=0.7)
