"""Which films make each step of a run: drawn from the seed before the first step, so that a resumed run goes on."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from training.config import BadRecipe, Phase, Recipe
from training.fit.sets import Indices, TrainingSet


@dataclass(frozen=True)
class Step:
    """One step of the optimiser: its phase, and the films of each of its batches."""

    phase: Phase
    batches: tuple[Indices, ...]

    @property
    def films(self) -> int:
        """Films of all batches."""
        return sum(len(batch) for batch in self.batches)


@dataclass(frozen=True)
class Plan:
    """Every step, and where epochs and checkpoints end: the number of steps done by then."""

    steps: tuple[Step, ...]
    epochs: Mapping[int, int]
    checkpoints: frozenset[int]


def draw_epoch(data: TrainingSet, recipe: Recipe, rng: np.random.Generator) -> Indices:
    """A shuffled epoch: at most `films_per_patient` films of a patient, at most `films` of a source.

    A patient followed up 137 times would else weigh as much as 137 patients.
    """
    order = rng.permutation(len(data.targets))
    rank = np.empty(len(order), dtype=np.int64)
    by_patient = np.argsort(data.patients[order], kind="stable")
    sorted_patients = data.patients[order][by_patient]
    starts = np.flatnonzero(np.r_[True, sorted_patients[1:] != sorted_patients[:-1]])
    counts = np.diff(np.r_[starts, len(order)])
    rank[by_patient] = np.arange(len(order)) - np.repeat(starts, counts)
    kept = order[rank < recipe.data.films_per_patient]
    caps: dict[str, int | None] = {source.title: source.films for source in recipe.data.sources}
    parts = [kept[data.sources[kept] == number][: caps.get(name)] for number, name in enumerate(data.source_names)]
    return np.asarray(rng.permutation(np.concatenate(parts)))


def _cut(films: Indices, batch: int, workers: int) -> tuple[Indices, ...]:
    # Every worker needs two films of a batch: one film has no batch statistics.
    pieces = min(math.ceil(len(films) / batch), max(1, len(films) // (2 * workers)))
    return tuple(np.array_split(films, pieces))


def make_plan(data: TrainingSet, recipe: Recipe, rng: np.random.Generator) -> Plan:
    """The steps of all phases; raises BadRecipe where there are too few films for one."""
    training = recipe.training
    steps: list[Step] = []
    ends: list[int] = []
    checkpoints: set[int] = set()
    for phase in training.phases:
        films = np.concatenate([draw_epoch(data, recipe, rng) for _ in range(math.ceil(phase.epochs))])
        films = films[: max(2, int(len(films) * phase.epochs / math.ceil(phase.epochs)))]
        size, first = training.batch * training.accumulate, len(steps)
        cuts = [films[start : start + size] for start in range(0, len(films), size)]
        steps += [
            Step(phase, _cut(cut, training.batch, training.workers)) for cut in cuts if len(cut) >= 2 * training.workers
        ]
        per_epoch = (len(steps) - first) / phase.epochs
        ends += [first + round(per_epoch * done) for done in range(1, math.floor(phase.epochs) + 1)]
        if not ends or ends[-1] < len(steps):
            ends.append(len(steps))
        every = training.checkpoint_every
        checkpoints |= {first + round(per_epoch * every * n) for n in range(1, math.floor(phase.epochs / every) + 1)}
    if not steps:
        raise BadRecipe(f"{len(data.targets)} training films give no step for {training.workers} workers")
    epochs = {step: number for number, step in enumerate(sorted(set(ends)), start=1) if step > 0}
    return Plan(tuple(steps), epochs, frozenset(checkpoints - {0} | {len(steps)}))
