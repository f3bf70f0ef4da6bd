"""Drawing epochs, the learning rate, and a loss that is not finite."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hilum.imaging.preprocess import normalise
from hilum.release import InputSpec
from training.config import CONFIGS, Augmentation, BadRecipe, Recipe, read_recipe
from training.fit.augment import augment, standardise
from training.fit.loop import LossNotFinite, TrainingSet, draw_epoch, fit, learning_rate_at
from training.network.film_net import FilmNet, imagenet_weights

TINY = read_recipe(CONFIGS / "tiny.yaml")
NOTHING = Augmentation(
    rotation_degrees=0, zoom=0, stretch=0, shift=0, gamma=0, contrast=0, brightness=0, sharpness=0, noise=0, erase=0
)


def _data(films: int = 24) -> TrainingSet:
    rng = np.random.default_rng(0)
    return TrainingSet(
        frames=rng.integers(0, 65535, (films, 64, 64), dtype=np.uint16),
        labels=rng.integers(0, 2, (films, 3)).astype(np.int8),
        patients=np.arange(films) // 8,
        sources=np.array([n % 2 for n in range(films)]),
    )


def with_kermany(films: int) -> Recipe:
    """The tiny recipe with at most `films` of Kermany's in an epoch."""
    nih, kermany = TINY.model_dump()["data"]["sources"]
    return TINY.changed(data__sources=[nih, {**kermany, "films": films}])


def test_an_epoch_takes_no_more_of_a_patient_or_of_kermany_than_the_recipe_says() -> None:
    data = _data(80)
    recipe = with_kermany(5).changed(data__films_per_patient=3)
    drawn = draw_epoch(data, recipe, np.random.default_rng(1))
    assert len(set(drawn)) == len(drawn)
    assert np.bincount(data.patients[drawn]).max() <= 3
    assert (data.sources[drawn] == 1).sum() == 5


def test_another_epoch_takes_other_films_of_a_patient() -> None:
    recipe = TINY.changed(data__films_per_patient=2)
    rng = np.random.default_rng(1)
    assert set(draw_epoch(_data(80), recipe, rng)) != set(draw_epoch(_data(80), recipe, rng))


def test_the_learning_rate_rises_then_falls_to_nearly_nought() -> None:
    rates = [learning_rate_at(step, 100, 0.1) for step in range(100)]
    assert rates[0] < rates[5] < rates[9]
    assert max(rates) == pytest.approx(1.0)
    assert rates[-1] < 0.02


def test_training_standardises_films_as_serving_does() -> None:
    films = torch.rand(4, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    spec = InputSpec(height=32, width=32)
    served = normalise(films.numpy(), spec)
    np.testing.assert_allclose(standardise(films, spec.min_std).numpy(), served, atol=1e-5)


def test_augmentation_without_ranges_changes_nothing() -> None:
    films = torch.rand(3, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    same = augment(films, 32, NOTHING, torch.Generator().manual_seed(1))
    assert torch.allclose(same, films.clamp_min(1e-4), atol=1e-4)


def test_augmentation_never_mirrors_a_film() -> None:
    film = torch.zeros(64, 1, 64, 64)
    film[..., :24] = 1.0
    changed = augment(film, 64, Augmentation(erase=0), torch.Generator().manual_seed(2))
    assert (changed[..., :32].mean(dim=(1, 2, 3)) > changed[..., 32:].mean(dim=(1, 2, 3))).all()


def test_the_loss_falls_on_films_that_can_be_learnt() -> None:
    data = _data(64)
    data.labels[:] = (np.arange(64) % 2)[:, None]
    data.frames[1::2, :32] //= 8
    recipe = with_kermany(99).changed(
        data__films_per_patient=99,
        augmentation=NOTHING.model_dump(),
        training__label_smoothing=0.0,
        training__phases=[{"epochs": 6, "size": 64}],
    )
    losses: list[float] = []
    fit(data, recipe, 1, 0.02, lambda step, steps, loss: losses.append(loss))
    assert losses[-1] < 0.75 * losses[0]


def test_the_same_seed_trains_the_same_network() -> None:
    first, second, third = (fit(_data(), TINY, seed, 0.02).head.weight for seed in (1, 1, 2))
    assert torch.equal(first, second)
    assert not torch.equal(first, third)


def test_a_loss_that_is_not_finite_stops_the_run_and_names_the_step() -> None:
    with pytest.raises(LossNotFinite, match="at step"):
        fit(_data(), TINY.changed(training__learning_rate=1e30, training__warm_up=0.0), 1, 0.02)


def test_imagenet_weights_fill_every_tensor_of_the_backbone() -> None:
    weights = imagenet_weights("tf_efficientnet_lite0")
    stem = torch.load(weights, weights_only=True)["_conv_stem.weight"]
    network = FilmNet("tf_efficientnet_lite0", 2, 0.0, 0.0, weights)
    assert torch.allclose(network.backbone.conv_stem.weight[:, 0], stem.sum(dim=1))


def test_frozen_blocks_get_no_gradient_and_can_be_freed() -> None:
    network = FilmNet("tf_efficientnet_lite0", 2, 0.0, 0.0, None)
    network.freeze_first(2)
    network.train_logits(torch.randn(2, 1, 64, 64)).sum().backward()
    assert network.backbone.blocks[1][0].conv_dw.weight.grad is None
    assert network.backbone.blocks[2][0].conv_dw.weight.grad is not None
    network.freeze_first(0)
    assert all(parameter.requires_grad for parameter in network.parameters())


def test_a_recipe_with_an_unknown_field_is_refused_by_name(tmp_path: Path) -> None:
    text = (CONFIGS / "tiny.yaml").read_text(encoding="utf-8")
    (tmp_path / "odd.yaml").write_text("learning_rat: 1.0\n" + text, encoding="utf-8")
    with pytest.raises(BadRecipe, match="learning_rat"):
        read_recipe(tmp_path / "odd.yaml")
