"""Random changes of films."""

from __future__ import annotations

import numpy as np
import torch

from hilum.imaging.preprocess import normalise
from hilum.release import InputSpec
from tests.training.fit.sets import NOTHING
from training.config import Augmentation
from training.fit.augment import augment, standardise


def test_training_standardises_films_as_serving_does() -> None:
    films = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    spec = InputSpec(height=32, width=32)
    served = normalise(films.numpy(), spec)
    np.testing.assert_allclose(standardise(films, spec.min_std).numpy(), served, atol=1e-5)


def test_augmentation_without_ranges_changes_nothing() -> None:
    films = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    same = augment(films, 32, NOTHING, torch.Generator().manual_seed(1))
    assert torch.allclose(same, films.clamp_min(1e-4), atol=1e-4)


def half_white(films: int) -> torch.Tensor:
    made = torch.zeros(films, 1, 64, 64)
    made[..., :24] = 1.0
    return made


def test_augmentation_never_mirrors_a_film_by_default() -> None:
    changed = augment(half_white(64), 64, Augmentation(erase=0), torch.Generator().manual_seed(2))
    assert (changed[..., :32].mean(dim=(1, 2, 3)) > changed[..., 32:].mean(dim=(1, 2, 3))).all()


def test_flip_mirrors_the_share_of_films_asked_for() -> None:
    how = NOTHING.model_copy(update={"flip": 0.25})
    changed = augment(half_white(400), 64, how, torch.Generator().manual_seed(2))
    mirrored = changed[..., :32].mean(dim=(1, 2, 3)) < changed[..., 32:].mean(dim=(1, 2, 3))
    assert 0.15 < float(mirrored.float().mean()) < 0.35
