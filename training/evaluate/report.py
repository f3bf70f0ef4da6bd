"""The evaluation report: the exported variant on the locked patients, once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.release import FindingSpec, Interval
from training.data.manifest import UNKNOWN, Film, label_matrix, patients_of
from training.evaluate import bootstrap, metrics
from training.release.calibrate import logit, platt, probabilities_of

Array = npt.NDArray[np.float64]
Report = dict[str, Any]
# Age bands in years, lower edge included.
AGE_BANDS = (("under 18", 0, 18), ("18 to 39", 18, 40), ("40 to 64", 40, 65), ("65 and over", 65, 200))


@dataclass(frozen=True)
class Scored:
    """Films with their logits (N, K) and how they are read."""

    films: Sequence[Film]
    specs: tuple[FindingSpec, ...]
    logits: Array

    def where(self, keep: Callable[[Film], bool]) -> Scored:
        """Only the films that `keep` says."""
        chosen = [n for n, film in enumerate(self.films) if keep(film)]
        return Scored([self.films[n] for n in chosen], self.specs, self.logits[chosen])


def _plain(interval: Interval | None) -> dict[str, float] | None:
    return None if interval is None else {k: round(v, 4) for k, v in interval.model_dump().items()}


def finding_report(scored: Scored, k: int, draws: int) -> Report:
    """Every figure of finding number `k` over the films whose label is known."""
    labels = label_matrix(scored.films)[:, k] if scored.films else np.zeros(0, dtype=np.int8)
    known = labels != UNKNOWN
    present = labels[known] == 1
    logits = scored.logits[known, k]
    patients = patients_of(scored.films)[known] if scored.films else np.zeros(0, dtype=np.int64)
    spec = scored.specs[k]
    chances = probabilities_of(scored.specs, scored.logits)[known, k]
    report: Report = {
        "films": int(known.sum()),
        "positive_films": int(present.sum()),
        "positive_patients": len(np.unique(patients[present])),
    }

    def measured(figure: Callable[[Array], Array]) -> dict[str, float] | None:
        return _plain(bootstrap.interval(figure, patients, draws, 101 + k))

    report["auroc"] = measured(lambda w: metrics.auroc(logits, present, w))
    report["auprc"] = measured(lambda w: metrics.auprc(logits, present, w))
    for point, threshold in (("rule_out", spec.rule_out.threshold), ("alert", spec.alert.threshold)):
        called = chances >= threshold
        report[point] = {
            "threshold": threshold,
            "sensitivity": measured(lambda w, c=called: metrics.sensitivity(c, present, w)),  # type: ignore[misc]
            "specificity": measured(lambda w, c=called: metrics.specificity(c, present, w)),  # type: ignore[misc]
        }
    report["brier"] = measured(lambda w: metrics.brier(chances, present, w))
    report["ece"] = round(metrics.calibration_error(chances, present), 4) if len(chances) else None
    both = 0 < present.sum() < len(present)
    # Slope of the logistic regression of truth on the calibrated logit: 1 is perfect, below 1 overconfident.
    report["calibration_slope"] = round(platt(logit(chances), present).slope, 3) if both else None
    return report


def mean_auroc(scored: Scored, chosen: Sequence[int], draws: int) -> dict[str, float] | None:
    """Mean AUROC over the findings numbered `chosen` (those that the films can give), clustered by patient."""
    labels = label_matrix(scored.films)
    given = [k for k in chosen if len(np.unique(labels[labels[:, k] != UNKNOWN, k])) == 2]
    if not given:
        return None

    def figure(weights: Array) -> Array:
        each = []
        for k in given:
            known = labels[:, k] != UNKNOWN
            each.append(metrics.auroc(scored.logits[known, k], labels[known, k] == 1, weights[:, known]))
        # A draw may lack the rare finding; its mean is then over the others, and NaN where it lacks all.
        values = np.stack(each)
        counted = np.isfinite(values).sum(axis=0)
        return np.asarray(np.nansum(values, axis=0) / np.where(counted > 0, counted, np.nan))

    answer = _plain(bootstrap.interval(figure, patients_of(scored.films), draws, 17))
    return None if answer is None else {**answer, "findings": len(given)}


def _subgroups(scored: Scored, everything: list[int], draws: int) -> Report:
    rules: dict[str, Callable[[Film], bool]] = {}
    for sex in sorted({film.sex for film in scored.films if film.sex}):
        rules[f"sex {sex}"] = lambda film, v=sex: film.sex == v  # type: ignore[misc]
    for view in sorted({film.view for film in scored.films if film.view}):
        rules[f"view {view}"] = lambda film, v=view: film.view == v  # type: ignore[misc]
    for name, low, high in AGE_BANDS:
        rules[f"age {name}"] = lambda film, a=low, b=high: film.age is not None and a <= film.age < b  # type: ignore[misc]
    report = {}
    for name, rule in rules.items():
        part = scored.where(rule)
        if part.films:
            report[name] = {
                "films": len(part.films),
                "patients": len({film.patient for film in part.films}),
                "mean_auroc": mean_auroc(part, everything, draws),
                "auroc": {
                    part.specs[k].name: (finding_report(part, k, max(50, draws // 5))["auroc"]) for k in everything
                },
            }
    return report


def source_auroc(logits: Array, is_kermany: npt.NDArray[np.bool_], seed: int = 3) -> float | None:
    """AUROC with which a logistic regression on the scores tells Kermany's films from NIH's, on a held-out half."""
    from sklearn.linear_model import LogisticRegression  # noqa: PLC0415
    from sklearn.metrics import roc_auc_score  # noqa: PLC0415

    half = np.random.default_rng(seed).random(len(logits)) < 0.5
    if any(len(np.unique(is_kermany[part])) < 2 for part in (half, ~half)):
        return None
    scale = logits[half].std(axis=0) + 1e-9
    judge = LogisticRegression(max_iter=2000).fit(logits[half] / scale, is_kermany[half])
    return round(float(roc_auc_score(is_kermany[~half], judge.decision_function(logits[~half] / scale))), 4)


def evaluate(scored: Scored, findings: tuple[str, ...], draws: int) -> Report:
    """The whole report; NIH and Kermany are never pooled."""
    nih = scored.where(lambda film: film.source == "nih")
    kermany = scored.where(lambda film: film.source == "kermany")
    everything = list(range(len(findings)))
    without_hernia = [k for k, name in enumerate(findings) if name != "Hernia"]
    report: Report = {"bootstrap_draws": draws, "clustered_by": "patient"}
    if nih.films:
        report["nih"] = {
            "films": len(nih.films),
            "patients": len({film.patient for film in nih.films}),
            "mean_auroc": mean_auroc(nih, everything, draws),
            "mean_auroc_without_hernia": mean_auroc(nih, without_hernia, draws),
            "findings": {name: finding_report(nih, k, draws) for k, name in enumerate(findings)},
            "subgroups": _subgroups(nih, everything, max(50, draws // 5)),
        }
    if kermany.films and "Pneumonia" in findings:
        k = findings.index("Pneumonia")
        pneumonia = finding_report(kermany, k, draws)
        pneumonia["patients"] = len({film.patient for film in kermany.films})
        same = np.array([film.source == "kermany" for film in scored.films])
        report["kermany"] = {"pneumonia": pneumonia}
        report["source"] = {
            "auroc_of_source_from_all_scores": source_auroc(scored.logits, same),
            "auroc_of_source_from_pneumonia_score": source_auroc(scored.logits[:, [k]], same),
        }
    return report
