"""Which precisions are refused, and that the judgement looks at what readers would see."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest

from training.data.manifest import Film
from training.release.calibrate import calibrate, critical_margin, probabilities_of
from training.release.judge import (
    CRITICAL,
    ROUTINE,
    URGENT,
    Reading,
    RefusedVariant,
    bands,
    fidelity,
    judge,
    parity,
    studies_of,
    study_bands,
)

NAMES = ("Effusion", "Nodule")
RNG = np.random.default_rng(4)
LABELS = (RNG.random((2000, 2)) < 0.2).astype(np.int8)
LOGITS = RNG.normal(size=(2000, 2)) + 2.0 * LABELS - 2
FILMS = [
    Film(f"{n}.png", Path(f"{n}.png"), "0" * 64, "nih", f"nih:{n // 2}", tuple(map(int, row)), study=str(n // 2))
    for n, row in enumerate(LABELS)
]


def reading(logits: npt.NDArray[np.float64]) -> Reading:
    specs = calibrate(NAMES, logits, LABELS, np.arange(2000), 10, 1)
    return Reading(specs, critical_margin(specs, probabilities_of(specs, logits), 0.1), logits)


FP32 = reading(LOGITS)


def test_a_precision_that_changes_nothing_loses_nothing() -> None:
    found = fidelity(FILMS, FP32, reading(LOGITS * 3 + 1))
    assert found.mean_auroc_loss == pytest.approx(0)
    assert found.studies == 1000
    # Its own calibration takes out scale and shift.
    assert found.studies_moved < 0.002
    judge("fp16", found)


def test_a_precision_that_scrambles_a_critical_finding_is_refused_and_named() -> None:
    worse = LOGITS.copy()
    worse[:, 0] += RNG.normal(size=2000) * 0.8
    found = fidelity(FILMS, FP32, reading(worse))
    assert found.critical_auroc_loss.keys() == {"Effusion"}
    with pytest.raises(RefusedVariant, match=r"int8 is not written: .* AUROC on Effusion \(at most 0.01\)"):
        judge("int8", found)


def test_a_precision_that_moves_studies_is_refused_though_its_auroc_is_as_good() -> None:
    found = fidelity(FILMS, FP32, reading(LOGITS + RNG.normal(size=LOGITS.shape) * 0.1))
    assert found.mean_auroc_loss < 0.005
    assert found.studies_moved > 0.01
    with pytest.raises(RefusedVariant, match="of 1,000 studies across bands"):
        judge("int8", found)


def test_bands_are_those_of_the_scores_and_a_study_has_its_worst_films() -> None:
    spec = {s.name: s for s in FP32.specs}
    far, low = 20.0, -20.0
    logits = np.array([[far, low], [low, far], [low, low], [low, low]])
    read = Reading(FP32.specs, FP32.margin, logits)
    assert spec["Effusion"].established
    # A nodule is not acute: it can make a film urgent, never critical.
    assert bands(read).tolist() == [CRITICAL, URGENT, ROUTINE, ROUTINE]
    assert study_bands(read, np.array([0, 0, 1, 1])).tolist() == [CRITICAL, ROUTINE]


def test_films_without_a_study_are_studies_by_themselves_and_sources_do_not_mix() -> None:
    films = [
        Film("a", Path("a"), "0" * 64, "nih", "p", (1,), study="1"),
        Film("b", Path("b"), "0" * 64, "nih", "p", (1,), study="1"),
        Film("c", Path("c"), "0" * 64, "kermany", "p", (1,), study="1"),
        Film("d", Path("d"), "0" * 64, "nih", "p", (1,)),
    ]
    assert len(set(studies_of(films).tolist())) == 3


def test_parity_is_the_largest_difference_of_a_probability() -> None:
    moved = LOGITS.copy()
    moved[7, 1] += 0.5
    found = parity(FP32.specs, LOGITS, moved)
    expected = np.abs(probabilities_of(FP32.specs, LOGITS) - probabilities_of(FP32.specs, moved))[7, 1]
    assert found.max_probability_difference == pytest.approx(expected)
    assert found.films == 2000
