"""Grouped cross-validation: each patient is scored by a network that never saw a film of that patient.

The locked patients take no part: they are for the last look alone.
"""

from __future__ import annotations

import csv
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from hilum.release import InputSpec, Interval
from training.config import BadRecipe, Recipe
from training.data.findings import check_findings
from training.data.manifest import UNKNOWN, Film, label_matrix, patients_of
from training.data.shards import FrameStore
from training.data.split import NOBODY, patient_hash, split_of
from training.evaluate.bootstrap import interval
from training.evaluate.metrics import auroc
from training.fit.networks import train_networks
from training.fit.sets import TrainingSet
from training.fit.validate import logits_of

Array = npt.NDArray[np.float64]
Places = npt.NDArray[np.int64]
NEVER_JUDGED = -1
Report = Callable[[int, int, int, float], None]


@dataclass(frozen=True)
class Result:
    """One finding in one population: the mean of the folds' AUROCs with its interval by patient, and the lowest."""

    source: str
    finding: str
    folds: int
    films: int
    positives: int
    patients: int
    auroc: Interval
    lowest: float

    def row(self) -> dict[str, Any]:
        """As a table's row."""
        told = {name: value for name, value in vars(self).items() if name not in ("auroc", "lowest")}
        figures = {"auroc": self.auroc.value, "low": self.auroc.low, "high": self.auroc.high, "lowest": self.lowest}
        return told | {name: f"{value:.4f}" for name, value in figures.items()}


def fold_of(patient: str, salt: str, folds: int) -> int:
    """The fold that judges `patient`, 0..folds-1, by a salted hash; films of no known patient are never judged."""
    if patient.startswith(NOBODY):
        return NEVER_JUDGED
    return int(patient_hash(patient, f"{salt}|folds")[:16], 16) % folds


def cross_validate(
    recipe: Recipe,
    findings: Sequence[str],
    films: Sequence[Film],
    frames: FrameStore,
    folds: int,
    work: Path,
    *,
    resume: bool = False,
    report: Report = lambda member, step, steps, loss: None,
    note: Callable[[str], None] = lambda text: None,
    draws: int = 1000,
) -> list[Result]:
    """Train the recipe's networks once per fold, on all other folds, and judge each fold by its own networks.

    `films` may hold locked patients; they are left out. `work` keeps each fold's networks: `resume` takes over those
    that stand. Raises BadRecipe, BadData or TrainingFailed.
    """
    if folds < 2:
        raise BadRecipe(f"{folds} folds: at least 2, so that something is left to learn from")
    held = [film for film in films if split_of(film.patient, recipe.split) != "locked"]
    place = np.array([fold_of(film.patient, recipe.split.salt, folds) for film in held])
    stored = frames.frames(held)
    logits = np.full((len(held), len(findings)), np.nan)
    for fold in range(folds):
        others, own = np.flatnonzero(place != fold), np.flatnonzero(place == fold)
        if not len(own):
            raise BadRecipe(f"no patient falls into fold {fold + 1} of {folds}: fewer folds, or more films")
        learnt = [held[n] for n in others]
        check_findings(learnt, recipe.data, tuple(findings))
        note(f"fold {fold + 1} of {folds}: {len(learnt)} films to learn from, {len(own)} to judge on")
        networks = train_networks(
            TrainingSet.of(learnt, stored.select(others), recipe, findings),
            None,
            recipe,
            work / f"fold-{fold + 1}-of-{folds}",
            report,
            resume=resume,
            note=note,
        )
        side = recipe.data.input_size
        min_std = InputSpec(height=side, width=side).min_std
        each = [logits_of(network, stored.select(own), recipe.size, min_std) for network in networks]
        logits[own] = np.mean(each, axis=0)
    judged = place != NEVER_JUDGED
    chosen = [film for film, keep in zip(held, judged, strict=True) if keep]
    return results(chosen, findings, logits[judged], place[judged], draws)


def results(films: Sequence[Film], findings: Sequence[str], logits: Array, place: Places, draws: int) -> list[Result]:
    """Figures of `films` (N), scored `logits` (N, K) by the networks of fold `place` (N,); populations stay apart."""
    labels, sources = label_matrix(films), np.array([film.source for film in films])
    found = []
    for source in sorted(set(sources)):
        for column, finding in enumerate(findings):
            rows = np.flatnonzero((sources == source) & (labels[:, column] != UNKNOWN))
            if not len(rows):
                continue
            present = labels[rows, column] == 1
            each = partial(_each_fold, logits[rows, column], present, place[rows])
            patients = patients_of([films[n] for n in rows.tolist()])
            told = interval(partial(_mean_of_folds, each), patients, draws, 1)
            if told is None:
                continue
            lowest = float(each(np.ones((1, len(rows)))).min())
            parts = (len(set(place[rows])), len(rows), int(present.sum()), int(patients.max()) + 1)
            found.append(Result(source, finding, *parts, told, lowest))
    return found


def _each_fold(scores: Array, present: npt.NDArray[np.bool_], place: Places, weights: Array) -> Array:
    """AUROC per fold and draw, (F, D), of films drawn with weights (D, N): scores of two networks are not compared."""
    inside = [np.flatnonzero(place == fold) for fold in np.unique(place)]
    return np.stack([auroc(scores[rows], present[rows], weights[:, rows]) for rows in inside])


def _mean_of_folds(each: Callable[[Array], Array], weights: Array) -> Array:
    return np.asarray(each(weights).mean(axis=0))


def write(results: Sequence[Result], path: Path, note: str) -> None:
    """A CSV with `note` (the machine and the command) as its first line."""
    with path.open("w", newline="", encoding="utf-8") as stream:
        stream.write(f"# {note}\n")
        writer = csv.DictWriter(stream, list(results[0].row()), lineterminator="\n")
        writer.writeheader()
        writer.writerows(result.row() for result in results)
