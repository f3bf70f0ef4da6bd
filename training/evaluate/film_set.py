"""Scored films, and the columns that figures are made of: every finding, and the critical composite."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from hilum.findings import finding
from hilum.release import FindingSpec
from training.data.manifest import UNKNOWN, Film, Labels, label_matrix, patients_of
from training.release.calibrate import criticality, probabilities_of

Array = npt.NDArray[np.float64]
COMPOSITE = "critical"


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

    @property
    def labels(self) -> Labels:
        """Labels (N, K): 1, 0, UNKNOWN."""
        return label_matrix(self.films) if self.films else np.zeros((0, len(self.specs)), dtype=np.int8)

    @property
    def patients(self) -> npt.NDArray[np.int64]:
        """The place of each film's patient, (N,), from 0."""
        return patients_of(self.films) if self.films else np.zeros(0, dtype=np.int64)

    @property
    def probabilities(self) -> Array:
        """Calibrated probabilities (N, K)."""
        return probabilities_of(self.specs, self.logits)

    @property
    def criticality(self) -> Array:
        """What makes a film critical, (N,): the greatest margin of an acute, established finding, in logits."""
        return criticality(self.specs, self.probabilities)


def critical_labels(specs: Sequence[FindingSpec], labels: Labels) -> npt.NDArray[np.int8]:
    """Whether a film shows any acute, established finding, (N,): 1, 0 where all are known absent, else UNKNOWN."""
    acute = [k for k, spec in enumerate(specs) if spec.established and finding(spec.name).acute]
    if not acute:
        return np.full(len(labels), UNKNOWN, dtype=np.int8)
    part = labels[:, acute]
    present, known = (part == 1).any(axis=1), (part != UNKNOWN).all(axis=1)
    return np.where(present, 1, np.where(known, 0, UNKNOWN)).astype(np.int8)


def with_composite(scored: Scored) -> tuple[tuple[str, ...], Array, Labels]:
    """Names, scores and labels of every finding with the critical composite as the last column, (N, K + 1)."""
    names = (*(spec.name for spec in scored.specs), COMPOSITE)
    labels = scored.labels
    scores = np.concatenate([scored.logits, scored.criticality[:, None]], axis=1)
    return names, scores, np.concatenate([labels, critical_labels(scored.specs, labels)[:, None]], axis=1)
