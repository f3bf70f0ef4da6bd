"""What figures are made of: a column of scores per finding and one for the critical composite, with plain figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from training.data.manifest import UNKNOWN
from training.evaluate import line, metrics
from training.evaluate.film_set import COMPOSITE, Scored, with_composite
from training.evaluate.interval import Figure, plain
from training.evaluate.resample import Question

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Column:
    """One finding: the question over the films whose label is known, which of the N films these are, its thresholds."""

    name: str
    question: Question
    known: Mask
    thresholds: Mapping[str, float]


def columns(scored: Scored) -> list[Column]:
    """A column per finding and, last, one for the critical composite."""
    names, scores, labels = with_composite(scored)
    chances, patients = scored.probabilities, scored.patients
    answer = []
    for k, name in enumerate(names):
        # Without an established acute finding no film can be critical: there is no such score.
        known = (labels[:, k] != UNKNOWN) & np.isfinite(scores[:, k])
        asked = Question(scores[known, k], labels[known, k] == 1, patients[known])
        thresholds: dict[str, float] = {}
        if name != COMPOSITE:
            spec, chance = scored.specs[k], chances[known, k]
            thresholds = {"rule_out": spec.rule_out.threshold, "alert": spec.alert.threshold}
            called = {point: chance >= threshold for point, threshold in thresholds.items()}
            asked = replace(asked, called=called, probabilities=chance)
        answer.append(Column(name, asked, known, thresholds))
    return answer


def points_of(asked: Question) -> dict[str, float]:
    """Every figure of the films themselves, in float64; what cannot be had is left out."""
    present = asked.present
    ones = np.ones((1, len(present)))
    found = {
        "auroc": metrics.auroc(asked.scores, present, ones)[0] if len(present) else np.nan,
        "auprc": metrics.auprc(asked.scores, present, ones)[0] if len(present) else np.nan,
    }
    for name, called in asked.called.items():
        found[f"sensitivity@{name}"] = metrics.sensitivity(called, present, ones)[0]
        found[f"specificity@{name}"] = metrics.specificity(called, present, ones)[0]
    if asked.probabilities is not None:
        found["brier"] = metrics.brier(asked.probabilities, present, ones)[0]
        found["ece"] = metrics.calibration_error(asked.probabilities, present)
        if fitted := line.fit(line.logit(asked.probabilities), present):
            found |= {"slope": fitted.slope, "intercept": fitted.intercept, "in_the_large": fitted.in_the_large}
    return {name: float(value) for name, value in found.items() if np.isfinite(value)}


def mean_of(
    points: Sequence[Mapping[str, float]], drawn: Sequence[Mapping[str, Array]], chosen: Sequence[int]
) -> Figure | None:
    """Mean AUROC over the columns numbered `chosen` that can give one; in a draw, over those that the draw gives."""
    given = [k for k in chosen if "auroc" in points[k]]
    if not given:
        return None
    values = np.stack([drawn[k]["auroc"] for k in given])
    counted = np.isfinite(values).sum(axis=0)
    means = np.nansum(values, axis=0) / np.where(counted > 0, counted, np.nan)
    answer = plain(float(np.mean([points[k]["auroc"] for k in given])), means)
    return None if answer is None else {**answer, "findings": len(given)}
