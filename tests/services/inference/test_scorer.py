"""The core without HTTP: extremes, odd numbers, weights."""

from __future__ import annotations

import hashlib
import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from hilum.imaging import decode
from hilum.imaging.preprocess import preprocess
from hilum.release import BadRelease, InputSpec, domain, read_release
from hilum.triage import margin
from services.inference.scorer import FAR, FindingScore, NotScorable, Scorer, acute_margin, is_flat, open_scorer
from tests.releases import FINDINGS, make_tiny_release, pattern_film


def test_extreme_logits_stay_probabilities(scorer: Scorer) -> None:
    logits = np.array([[-1e30, -1e3, 0.0, 1e3, 1e30]], dtype=np.float32)
    probabilities = scorer.probabilities(logits)[0]
    assert ((probabilities >= 0) & (probabilities <= 1)).all()
    assert probabilities[2] == 0.5
    assert (np.diff(probabilities) >= 0).all()


def test_calibration_is_each_findings_own(tmp_path: Path) -> None:
    release = make_tiny_release(tmp_path / "release")
    variant = release.manifest.variants[0]
    specs = [
        spec.model_copy(update={"calibration": spec.calibration.model_copy(update={"slope": 1.0 + k, "intercept": -k})})
        for k, spec in enumerate(variant.findings)
    ]
    scorer = replace(open_scorer(release), variant=variant.model_copy(update={"findings": tuple(specs)}))
    logits = np.full((1, len(FINDINGS)), 0.7, dtype=np.float32)
    expected = [1 / (1 + np.exp(-((1 + k) * 0.7 - k))) for k in range(len(FINDINGS))]
    assert scorer.probabilities(logits)[0] == pytest.approx(expected, abs=1e-6)


def test_a_film_whose_result_is_no_number_is_not_scored(tmp_path: Path) -> None:
    broken = open_scorer(make_tiny_release(tmp_path / "release", gain=float("nan")))
    with pytest.raises(NotScorable, match="no finite number"):
        broken.score(decode(pattern_film(0)).pixels)


@pytest.mark.parametrize("value", [1e30, 1e38])
def test_a_distance_beyond_all_bounds_is_out_of_domain_and_still_a_number(scorer: Scorer, value: float) -> None:
    embedding = np.full((1, scorer.domain.mean.size), value, dtype=np.float32)
    distances = scorer.distances(embedding, np.zeros((1, 1, 128, 128), dtype=np.float32))
    assert distances.tolist() == [FAR]


def test_a_weight_lowers_a_findings_say_and_none_takes_it(scorer: Scorer) -> None:
    effusion = scorer.variant.findings[FINDINGS.index("Effusion")]

    def at(weight: float) -> float | None:
        return acute_margin((FindingScore(effusion.model_copy(update={"weight": weight}), 0.9),))

    assert at(1.0) == pytest.approx(margin(0.9, effusion.alert.threshold))
    assert at(0.5) == pytest.approx(margin(0.9, effusion.alert.threshold) - np.log(2))
    assert at(0.0) is None


@pytest.mark.parametrize("normalisation", ["film", "fixed"])
def test_a_flat_film_is_known_under_either_normalisation(normalisation: str) -> None:
    spec = InputSpec.model_validate({"height": 64, "width": 64, "normalisation": normalisation, "std": 0.25})
    grain = np.random.default_rng(0).normal(0, 1, (64, 64)).astype(np.float32)
    assert is_flat(preprocess(np.clip(0.5 + 0.015 * grain, 0, 1), spec), spec)
    assert not is_flat(preprocess(np.clip(0.5 + 0.025 * grain, 0, 1), spec), spec)


def test_statistics_for_another_model_are_refused(tmp_path: Path) -> None:
    folder = tmp_path / "release"
    make_tiny_release(folder)
    other = domain.fit(np.random.default_rng(0).normal(size=(50, 9)).astype(np.float32), components=4)
    domain.write(other, folder / "domain.npz")
    document = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    document["files"]["domain.npz"] = hashlib.sha256((folder / "domain.npz").read_bytes()).hexdigest()
    (folder / "manifest.json").write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(BadRelease, match="embeddings of 9 values"):
        open_scorer(read_release(folder))
