"""Small training sets of random films."""

from __future__ import annotations

import numpy as np

from training.config import CONFIGS, Augmentation, read_recipe
from training.data.manifest import UNKNOWN
from training.fit.sets import TrainingSet, ValidationSet

TINY = read_recipe(CONFIGS / "tiny.yaml").changed(data__films_per_patient=99)
NOTHING = Augmentation(
    rotation_degrees=0, zoom=0, stretch=0, shift=0, gamma=0, contrast=0, brightness=0, sharpness=0, noise=0, erase=0
)


def random_set(films: int = 24, findings: int = 3) -> TrainingSet:
    """`films` films of noise, eight a patient, every other one Kermany's, labels at random and all known."""
    rng = np.random.default_rng(0)
    return TrainingSet(
        frames=rng.integers(0, 65535, (films, 64, 64), dtype=np.uint16),
        targets=rng.integers(0, 2, (films, findings)).astype(np.float32),
        patients=np.arange(films) // 8,
        sources=np.arange(films) % 2,
        source_names=("nih", "kermany"),
        weights=np.ones(films, dtype=np.float32),
        findings=("Effusion", "Edema", "Mass", "Nodule")[:findings],
    )


def learnable_set(films: int = 64) -> TrainingSet:
    """Films that show their label: the upper half is dark where the findings are present."""
    data = random_set(films)
    data.targets[:] = (np.arange(films) % 2)[:, None]
    frames = np.asarray(data.frames)
    frames[1::2, :32] //= 8
    return data


def validation_of(data: TrainingSet) -> ValidationSet:
    """The same films as validation films."""
    labels = np.nan_to_num(data.targets, nan=UNKNOWN).astype(np.int8)
    return ValidationSet(data.frames, labels)
