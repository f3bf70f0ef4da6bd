"""What a network is fitted to: films of the training split, and those of the validation split."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from training.config import Recipe
from training.data.manifest import Film, Labels, Targets, label_matrix, patients_of, target_matrix

Indices = npt.NDArray[np.int64]


class Frames(Protocol):
    """Stored frames: an integer array (n,) gives uint16 (n, H, W). Cheap to pickle: a memory map by its path."""

    def __getitem__(self, index: Any) -> npt.NDArray[np.uint16]:
        """Frames at `index`."""

    def __len__(self) -> int:
        """How many frames there are."""


@dataclass(frozen=True)
class TrainingSet:
    """Films of the training split.

    `frames` (N, H, W); `targets` (N, K), 0..1, NaN where unknown; `patients` (N,), `sources` (N,), an index into
    `source_names`; `weights` (N,), how much a film counts in the loss; `findings`, K names in the release's order.
    """

    frames: Frames
    targets: Targets
    patients: Indices
    sources: Indices
    source_names: tuple[str, ...]
    weights: npt.NDArray[np.float32]
    findings: tuple[str, ...]

    @staticmethod
    def of(films: Sequence[Film], frames: Frames, recipe: Recipe, findings: Sequence[str]) -> TrainingSet:
        """Gather `films` and their `frames`; uncertain labels become targets by the recipe's policy."""
        # In the recipe's order, so that an epoch is drawn alike whatever the order of the films.
        titles = list(dict.fromkeys([source.title for source in recipe.data.sources]))
        names = tuple(titles + sorted({film.source for film in films} - set(titles)))
        return TrainingSet(
            frames=frames,
            targets=target_matrix(films, recipe.data, findings),
            patients=patients_of(films),
            sources=np.array([names.index(film.source) for film in films], dtype=np.int64),
            source_names=names,
            weights=np.array([film.weight for film in films], dtype=np.float32),
            findings=tuple(findings),
        )

    @property
    def digest(self) -> str:
        """sha256 of everything but the pixels: a checkpoint belongs to it."""
        made = hashlib.sha256(repr((self.findings, self.source_names)).encode())
        for part in (self.targets, self.patients, self.sources, self.weights):
            made.update(np.ascontiguousarray(part).tobytes())
        return made.hexdigest()


@dataclass(frozen=True)
class ValidationSet:
    """Films of the validation split: `frames` (N, H, W) and `labels` (N, K), 1, 0 and UNKNOWN."""

    frames: Frames
    labels: Labels

    @staticmethod
    def of(films: Sequence[Film], frames: Frames) -> ValidationSet:
        """Gather `films` and their `frames`."""
        return ValidationSet(frames, label_matrix(films))
