"""The evaluation report: the exported variant on films held apart, each population (source) for itself."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from training.evaluate import source, subgroups
from training.evaluate.columns import Column, columns, mean_of, points_of
from training.evaluate.curves import curves
from training.evaluate.film_set import Scored
from training.evaluate.interval import plain, verdict
from training.evaluate.resample import ask

__all__ = ["Report", "Scored", "evaluate"]

Array = npt.NDArray[np.float64]
Report = dict[str, Any]
SEED = 101
# Subgroups are many: a fifth of the draws each, never fewer than 50.
SUBGROUP_SHARE, FEWEST_DRAWS = 5, 50
SLOPE_RANGE, ECE_LIMIT, ENOUGH_POSITIVES = (0.8, 1.25), 0.03, 50


def column_report(column: Column, points: Mapping[str, float], drawn: Mapping[str, Array]) -> Report:
    """Every figure of one column with its interval."""
    present, patients = column.question.present, column.question.patients
    report: Report = {
        "films": len(present),
        "positive_films": int(present.sum()),
        "positive_patients": len(np.unique(patients[present])),
        "auroc": plain(points.get("auroc"), drawn.get("auroc")),
        "auprc": plain(points.get("auprc"), drawn.get("auprc")),
    }
    if drawn_curves := curves(column.question):
        report["curves"] = drawn_curves
    for name, threshold in column.thresholds.items():
        figures = {
            kind: plain(points.get(f"{kind}@{name}"), drawn.get(f"{kind}@{name}"))
            for kind in ("sensitivity", "specificity")
        }
        report[name] = {"threshold": threshold, **figures}
    if column.question.probabilities is None:
        return report
    figures = {name: plain(points.get(name), drawn.get(name)) for name in ("slope", "intercept", "in_the_large", "ece")}
    report["brier"] = plain(points.get("brier"), drawn.get("brier"))
    report["ece"] = figures["ece"]["value"] if figures["ece"] else None
    report["calibration_slope"] = round(figures["slope"]["value"], 3) if figures["slope"] else None
    judged = report["positive_films"] >= ENOUGH_POSITIVES
    report["calibration"] = {
        **figures,
        "judged": judged,
        "slope_verdict": verdict(figures["slope"], SLOPE_RANGE) if judged else "too few positive films",
        "ece_verdict": verdict(figures["ece"], (0.0, ECE_LIMIT)) if judged else "too few positive films",
    }
    return report


def population_report(scored: Scored, draws: int) -> Report:
    """One population: means, every finding, the critical composite, subgroups and their gaps."""
    every = columns(scored)
    patients = int(scored.patients.max()) + 1
    drawn = ask([c.question for c in every], patients, draws, SEED)
    points = [points_of(c.question) for c in every]
    findings = range(len(scored.specs))
    some = [k for k in findings if len(every[k].question.present)]
    report: Report = {
        "films": len(scored.films),
        "patients": patients,
        "mean_auroc": mean_of(points, drawn, findings),
        "mean_auroc_established": mean_of(points, drawn, [k for k in findings if scored.specs[k].established]),
        "mean_auroc_without_hernia": mean_of(points, drawn, [k for k in findings if every[k].name != "Hernia"]),
        "findings": {every[k].name: column_report(every[k], points[k], drawn[k]) for k in some},
        "critical_composite": column_report(every[-1], points[-1], drawn[-1]),
    }
    fewer = min(draws, max(FEWEST_DRAWS, draws // SUBGROUP_SHARE))
    groups, gaps = subgroups.report(scored.films, every, patients, fewer, SEED)
    return {**report, "subgroups": groups, "gaps": gaps}


def evaluate(scored: Scored, findings: tuple[str, ...], draws: int) -> Report:
    """The whole report. Populations (sources) are never pooled; `findings` is the order of the scores."""
    if tuple(spec.name for spec in scored.specs) != findings:
        raise ValueError("the release's findings and the films' are not the same, or not in the same order")
    sources = sorted({film.source for film in scored.films})
    populations = {s: population_report(scored.where(lambda film, s=s: film.source == s), draws) for s in sources}  # type: ignore[misc]
    report: Report = {
        "bootstrap_draws": draws,
        "clustered_by": "patient",
        "intervals": "95 %, percentiles",
        "populations": populations,
        "sources": source.report(scored.logits, [film.source for film in scored.films], scored.patients, findings),
    }
    return report | _by_old_names(report)


def _by_old_names(report: Report) -> Report:
    """The names that the model card and the summary of a run read."""
    answer: Report = {s: report["populations"][s] for s in ("nih",) if s in report["populations"]}
    if "kermany" in report["populations"]:
        children = report["populations"]["kermany"]
        known = next(iter(children["findings"]), None)
        if known is not None:
            answer["kermany"] = {"pneumonia": {**children["findings"][known], "patients": children["patients"]}}
            guessed = report["sources"].get("kermany or nih") or {}
            answer["source"] = {
                "auroc_of_source_from_all_scores": guessed.get("from_all_scores"),
                "auroc_of_source_from_pneumonia_score": (guessed.get("from_one_score") or {}).get(known),
            }
    return answer
