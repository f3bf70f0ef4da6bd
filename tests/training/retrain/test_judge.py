"""Not worse, worse, and not known: each population by itself."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.releases import FINDINGS, make_tiny_release
from training.data.manifest import Film
from training.evaluate.film_set import Scored
from training.retrain.judge import NotComparable, check_split, judge


@pytest.fixture(scope="module")
def films(tmp_path_factory: pytest.TempPathFactory) -> tuple[Scored, np.ndarray]:
    """600 films of one source and 200 of another with honest scores, and the truth."""
    release = make_tiny_release(tmp_path_factory.mktemp("judge") / "release")
    specs = release.manifest.variants[0].findings
    rng = np.random.default_rng(1)
    truth = rng.random((800, len(FINDINGS))) < 0.3
    made = [
        Film(str(n), Path(), "", "nih" if n < 600 else "feedback", f"p:{n}", tuple(int(v) for v in truth[n]))
        for n in range(800)
    ]
    return Scored(made, specs, truth * 2.0 + rng.normal(0, 1, truth.shape)), truth


def test_a_release_that_scores_alike_is_not_worse(films: tuple[Scored, np.ndarray]) -> None:
    base, _ = films
    noise = np.random.default_rng(2).normal(0, 0.1, base.logits.shape)
    judgement = judge(base, replace(base, logits=base.logits + noise), ["nih", "feedback"], 0.02, 200)
    assert judgement.verdict == "pass"
    assert set(judgement.populations) == {"nih", "feedback"}
    assert "nih" in judgement.reason


def test_a_release_that_lost_what_it_knew_is_worse(films: tuple[Scored, np.ndarray]) -> None:
    base, _ = films
    blind = np.random.default_rng(3).normal(0, 1, base.logits.shape)
    assert judge(base, replace(base, logits=blind), ["nih"], 0.02, 200).verdict == "fail"


def test_a_loss_in_a_second_population_is_not_hidden_by_the_first(films: tuple[Scored, np.ndarray]) -> None:
    base, _ = films
    logits = base.logits.copy()
    logits[600:] = np.random.default_rng(4).normal(0, 1, logits[600:].shape)
    judgement = judge(base, replace(base, logits=logits), ["nih", "feedback"], 0.02, 200)
    assert judgement.verdict == "fail"
    assert judgement.reason.startswith("feedback")


def test_too_few_films_are_neither_pass_nor_fail(films: tuple[Scored, np.ndarray]) -> None:
    base = films[0]
    few = Scored(base.films[:30], base.specs, base.logits[:30])
    noise = np.random.default_rng(5).normal(0, 0.7, few.logits.shape)
    assert judge(few, replace(few, logits=few.logits + noise), ["nih"], 0.02, 200).verdict == "inconclusive"


def test_no_film_of_the_first_population_is_said(films: tuple[Scored, np.ndarray]) -> None:
    with pytest.raises(NotComparable, match="no locked film is of 'chexpert'"):
        judge(films[0], films[0], ["chexpert", "nih"], 0.02, 200)


def test_findings_are_matched_by_name_not_by_place(films: tuple[Scored, np.ndarray]) -> None:
    base, _ = films
    turned = Scored(
        [replace(film, labels=film.labels[::-1]) for film in base.films], base.specs[::-1], base.logits[:, ::-1]
    )
    judgement = judge(base, turned, ["nih"], 0.02, 200)
    assert judgement.verdict == "pass"
    assert judgement.populations["nih"].primary[0].difference == pytest.approx(0, abs=1e-12)


def test_a_base_that_was_split_otherwise_is_refused(tmp_path: Path) -> None:
    from hilum.release import read_release
    from tests.training.films import ROOT

    base = read_release(ROOT / "models" / "default")
    check_split(base, "hilum-5")
    with pytest.raises(NotComparable, match="salt 'hilum-5', the recipe says 'other'"):
        check_split(base, "other")
