"""The report: populations apart, calibration judged with its interval, gaps claimed only where films bear it."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from hilum.release import Calibration, FindingSpec, Interval, OperatingPoint
from training.data.manifest import Film
from training.evaluate import source
from training.evaluate.film_set import critical_labels
from training.evaluate.interval import verdict
from training.evaluate.page import page
from training.evaluate.plots import figures
from training.evaluate.report import Report, Scored, evaluate

NAMES = ("Effusion", "Nodule", "Edema")


def spec(name: str, slope: float = 1.0, established: bool = True) -> FindingSpec:
    nothing = Interval(value=0.5, low=0.0, high=1.0)
    points = [OperatingPoint(threshold=t, sensitivity=nothing, specificity=nothing) for t in (0.1, 0.5)]
    return FindingSpec(
        name=name,
        established=established,
        positive_patients=20,
        calibration=Calibration(slope=slope, intercept=0.0),
        rule_out=points[0],
        alert=points[1],
    )


def films_of(source_name: str, count: int, seed: int, worse_for: str = "") -> tuple[list[Film], np.ndarray]:
    """Films with logits that are true log odds, but for Effusion in the sex `worse_for`, which are noise."""
    rng = np.random.default_rng(seed)
    logits = rng.normal(-1.5, 1.5, (count, len(NAMES)))
    labels = rng.random((count, len(NAMES))) < 1 / (1 + np.exp(-logits))
    films = []
    for n in range(count):
        sex = "FM"[n // 2 % 2]
        if sex == worse_for:
            logits[n, 0] = rng.normal(-1.5, 1.5)
        known = [int(v) if source_name == "adults" or k == 0 else None for k, v in enumerate(labels[n])]
        name = f"{source_name}-{n}"
        films.append(Film(name, Path(name), name, source_name, f"{source_name}:{n // 2}", tuple(known), "PA", sex, 50))
    return films, logits


@pytest.fixture(scope="module")
def report() -> Report:
    films, logits = films_of("adults", 2400, 1, worse_for="M")
    children, others = films_of("children", 300, 5)
    specs = (spec("Effusion"), spec("Nodule", slope=2.5), spec("Edema"))
    return evaluate(Scored(films + children, specs, np.concatenate([logits, others])), NAMES, 200)


def test_populations_are_apart_and_a_finding_that_nobody_knows_is_not_there(report: Report) -> None:
    assert list(report["populations"]) == ["adults", "children"]
    assert list(report["populations"]["adults"]["findings"]) == list(NAMES)
    assert list(report["populations"]["children"]["findings"]) == ["Effusion"]
    assert report["populations"]["children"]["films"] == 300
    assert report["populations"]["adults"]["patients"] == 1200


def test_a_figure_is_that_of_scikit_learn_within_its_own_interval(report: Report) -> None:
    films, logits = films_of("children", 300, 5)
    found = report["populations"]["children"]["findings"]["Effusion"]["auroc"]
    assert found["value"] == pytest.approx(roc_auc_score([f.labels[0] for f in films], logits[:, 0]), abs=5e-5)
    assert found["low"] < found["value"] < found["high"]


def test_calibration_is_within_outside_or_not_known(report: Report) -> None:
    adults = report["populations"]["adults"]["findings"]
    assert adults["Edema"]["calibration"]["slope_verdict"] == "within"
    # The scores of Nodule are scaled by 2.5: far too sure.
    assert adults["Nodule"]["calibration"]["slope"]["value"] == pytest.approx(0.4, abs=0.05)
    assert adults["Nodule"]["calibration"]["slope_verdict"] == "outside"
    assert adults["Nodule"]["calibration_slope"] == pytest.approx(0.4, abs=0.05)
    assert verdict({"value": 1.0, "low": 0.7, "high": 1.4}, (0.8, 1.25)) == "not known"
    assert verdict(None, (0.8, 1.25)) == "not known"


def test_a_true_gap_is_claimed_and_named_and_a_chance_one_is_not(report: Report) -> None:
    gaps = {(g["attribute"], g["figure"]): g for g in report["populations"]["adults"]["gaps"]}
    found = gaps["sex", "auroc"]
    assert (found["finding"], found["higher"], found["lower"], found["claimed"]) == ("Effusion", "F", "M", True)
    assert found["gap"]["value"] > 0.2
    small = {g["attribute"]: g for g in report["populations"]["children"]["gaps"] if g["figure"] == "auroc"}
    assert not small["sex"]["claimed"]
    assert "nought" in small["sex"]["why_not"]


def test_too_few_positive_films_make_no_gap() -> None:
    films, logits = films_of("adults", 60, 3)
    found = evaluate(Scored(films, tuple(map(spec, NAMES)), logits), NAMES, 60)
    assert all(not gap["claimed"] for gap in found["populations"]["adults"]["gaps"])
    assert any("no two groups with 20 positive films" in g["why_not"] for g in found["populations"]["adults"]["gaps"])


def test_a_film_is_critical_by_its_acute_established_findings_alone() -> None:
    specs = (spec("Effusion"), spec("Nodule"), spec("Edema", established=False))
    labels = np.array([[1, 0, 0], [0, 1, 1], [-1, 0, 0]], dtype=np.int8)
    np.testing.assert_array_equal(critical_labels(specs, labels), [1, 0, -1])


def test_scores_that_name_their_source_are_found_out() -> None:
    rng = np.random.default_rng(0)
    names = ["one"] * 300 + ["two"] * 300
    honest, telling = rng.normal(size=600), rng.normal(size=600) + 3 * (np.arange(600) < 300)
    found = source.report(np.stack([honest, telling], axis=1), names, np.arange(600), ("A", "B"))["one or two"]
    assert found["from_one_score"]["B"] > 0.95
    assert abs(found["from_one_score"]["A"] - 0.5) < 0.1
    assert found["from_all_scores"] > 0.95


def test_findings_in_another_order_are_refused() -> None:
    films, logits = films_of("adults", 20, 3)
    with pytest.raises(ValueError, match="not in the same order"):
        evaluate(Scored(films, tuple(map(spec, NAMES)), logits), NAMES[::-1], 50)


def test_the_page_holds_every_figure_and_fetches_nothing(report: Report) -> None:
    read_back = json.loads(json.dumps(report))
    drawn = figures(read_back)
    assert {"adults roc", "adults pr", "adults reliability", "adults slopes", "adults subgroups"} <= set(drawn)
    text = page(read_back, "a <release>", {"release": "a"})
    assert "a &lt;release&gt;" in text
    assert text.count("data:image/png;base64,") == len(drawn)
    assert "http" not in text.replace("http-equiv", "")
