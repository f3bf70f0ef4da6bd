"""Subgroups of a population, and where they differ: the largest gap of each attribute, claimed where films bear it.

A gap is the difference of two groups of one attribute in the same draws of patients. The largest of many differences is
large by chance: its interval is widened to hold for all differences that were looked at (Bonferroni), and it is claimed
only where that interval leaves out nought. Groups with too few positive or negative films enter no gap.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import numpy.typing as npt

from training.data.manifest import Film
from training.evaluate.columns import Column, mean_of, points_of
from training.evaluate.film_set import COMPOSITE
from training.evaluate.interval import bounds, plain
from training.evaluate.resample import Question, ask

Array = npt.NDArray[np.float64]
Mask = npt.NDArray[np.bool_]
# Age bands in years, lower edge included.
AGE_BANDS = (("under 18", 0, 18), ("18 to 39", 18, 40), ("40 to 64", 40, 65), ("65 and over", 65, 200))
FEWEST_POSITIVES, FEWEST_NEGATIVES, FEWEST_POSITIVE_PATIENTS = 20, 20, 10
FIGURES = ("auroc", "sensitivity@alert", "specificity@alert")
# Names of sites and scanners can be many; beyond this only the largest are reported.
MOST_GROUPS = 8


def age_band(age: int | None) -> str | None:
    """The band of `age`, None where it is not known."""
    return next((name for name, low, high in AGE_BANDS if age is not None and low <= age < high), None)


ATTRIBUTES: dict[str, Callable[[Film], str | None]] = {
    "sex": lambda film: film.sex,
    "view": lambda film: film.view,
    "age": lambda film: age_band(film.age),
    "site": lambda film: film.site,
    "scanner": lambda film: film.device,
    "devices": lambda film: {1: "seen", 0: "not seen"}.get(film.devices) if film.devices is not None else None,
}


def groups_of(films: Sequence[Film]) -> dict[str, dict[str, Mask]]:
    """Masks (N,) by attribute and group; an attribute with fewer than two groups is left out."""
    answer: dict[str, dict[str, Mask]] = {}
    for attribute, of in ATTRIBUTES.items():
        values = np.array([of(film) or "" for film in films])
        names, sizes = np.unique(values[values != ""], return_counts=True)
        chosen = sorted(names[np.argsort(-sizes, kind="stable")][:MOST_GROUPS])
        if len(chosen) > 1:
            answer[attribute] = {str(name): values == name for name in chosen}
    return answer


def _within(column: Column, group: Mask) -> Question:
    question, part = column.question, group[column.known]
    called = {name: calls[part] for name, calls in question.called.items()}
    return Question(question.scores[part], question.present[part], question.patients[part], called)


def _enough(question: Question) -> bool:
    up = int(question.present.sum())
    return (
        up >= FEWEST_POSITIVES
        and len(question.present) - up >= FEWEST_NEGATIVES
        and len(np.unique(question.patients[question.present])) >= FEWEST_POSITIVE_PATIENTS
    )


def report(
    films: Sequence[Film], columns: Sequence[Column], patients: int, draws: int, seed: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Figures per group ("sex F": ...), and the largest gap per attribute and figure."""
    groups: dict[str, Any] = {}
    gaps: list[dict[str, Any]] = []
    for attribute, masks in groups_of(films).items():
        asked: list[tuple[str, int, Question]] = [
            (group, k, _within(column, mask)) for group, mask in masks.items() for k, column in enumerate(columns)
        ]
        drawn = ask([question for _, _, question in asked], patients, draws, seed)
        points = [points_of(question) for _, _, question in asked]
        found = {(group, k): n for n, (group, k, _) in enumerate(asked)}
        for group, mask in masks.items():
            places = [found[group, k] for k in range(len(columns))]
            groups[f"{attribute} {group}"] = _group(
                films, mask, columns, [points[n] for n in places], [drawn[n] for n in places]
            )
        gaps += _gaps(attribute, list(masks), columns, [q for _, _, q in asked], points, drawn)
    return groups, gaps


def _group(
    films: Sequence[Film],
    mask: Mask,
    columns: Sequence[Column],
    points: Sequence[Mapping[str, float]],
    drawn: Sequence[Mapping[str, Array]],
) -> dict[str, Any]:
    aurocs = {c.name: plain(p.get("auroc"), d.get("auroc")) for c, p, d in zip(columns, points, drawn, strict=True)}
    findings = [n for n, column in enumerate(columns) if column.name != COMPOSITE]
    return {
        "films": int(mask.sum()),
        "patients": len({film.patient for film, chosen in zip(films, mask, strict=True) if chosen}),
        "mean_auroc": mean_of(points, drawn, findings),
        "critical_auroc": aurocs[COMPOSITE],
        "auroc": {name: value for name, value in aurocs.items() if name != COMPOSITE},
        "alert_sensitivity": {
            c.name: plain(p.get("sensitivity@alert"), d.get("sensitivity@alert"))
            for c, p, d in zip(columns, points, drawn, strict=True)
            if c.name != COMPOSITE
        },
    }


def _gaps(
    attribute: str,
    names: Sequence[str],
    columns: Sequence[Column],
    questions: Sequence[Question],
    points: Sequence[Mapping[str, float]],
    drawn: Sequence[Mapping[str, Array]],
) -> list[dict[str, Any]]:
    place = {(group, k): g * len(columns) + k for g, group in enumerate(names) for k in range(len(columns))}
    seen: dict[str, list[tuple[float, str, str, int]]] = defaultdict(list)
    for k in range(len(columns)):
        enough = [group for group in names if _enough(questions[place[group, k]])]
        for one, other in combinations(enough, 2):
            for figure in FIGURES:
                a, b = points[place[one, k]].get(figure), points[place[other, k]].get(figure)
                if a is not None and b is not None:
                    high, low = (one, other) if a >= b else (other, one)
                    seen[figure].append((abs(a - b), high, low, k))
    answer = []
    for figure in FIGURES:
        if not seen[figure]:
            few = f"no two groups with {FEWEST_POSITIVES} positive films of {FEWEST_POSITIVE_PATIENTS} patients"
            answer.append({"attribute": attribute, "figure": figure, "claimed": False, "why_not": few})
            continue
        gap, high, low, k = max(seen[figure])
        upper, lower = place[high, k], place[low, k]
        difference = drawn[upper][figure] - drawn[lower][figure]
        wide = _widened(difference, len(seen[figure]))
        claimed = wide is not None and wide[0] > 0
        row: dict[str, Any] = {
            "attribute": attribute,
            "figure": figure,
            "finding": columns[k].name,
            "higher": high,
            "lower": low,
            "gap": plain(gap, difference),
            "simultaneous": None if wide is None else [round(v, 4) for v in wide],
            "differences_looked_at": len(seen[figure]),
            "positive_films": {g: int(questions[n].present.sum()) for g, n in ((high, upper), (low, lower))},
            "claimed": claimed,
        }
        if not claimed:
            row["why_not"] = f"the interval for all {len(seen[figure])} differences looked at holds nought"
        answer.append(row)
    return answer


def _widened(difference: Array, count: int) -> tuple[float, float] | None:
    """The interval that holds for `count` differences at once, by the normal quantile: draws are too few for theirs."""
    from scipy.stats import norm  # noqa: PLC0415

    held = bounds(difference)
    if held is None:
        return None
    middle, spread = float(np.nanmean(difference)), float(np.nanstd(difference, ddof=1))
    reach = float(norm.ppf(1 - 0.025 / count)) * spread
    return min(held[0], middle - reach), max(held[1], middle + reach)
