"""The network's contract holds for every family of backbones, in torch and in the exported file."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from hilum.release import InputSpec
from tests.training.fit.sets import TINY, random_set
from training.config import BadRecipe
from training.evaluate.scores import open_session
from training.fit.loop import fit
from training.network.film_net import Ensemble, FilmNet
from training.release.export import export

# One of each family: stages of convolutions with batch norm, dense blocks, layer norm, transformer. The large ones of
# the recipes (densenet121, convnext_tiny, vit_base_patch16_224) are of the same classes; bench/training_speed.py runs
# them.
FAMILIES = ("tf_efficientnet_lite0", "densenet121", "test_convnext", "test_vit")
FINDINGS = ("Effusion", "Nodule", "Edema")


def network_of(backbone: str) -> FilmNet:
    torch.manual_seed(0)
    network = FilmNet(backbone, 3, 0.0, 0.0, None, size=64).eval()
    with torch.no_grad():
        network.head.bias.copy_(torch.tensor([0.5, -1.0, 2.0]))
    return network


def films_of(count: int, size: int = 64) -> torch.Tensor:
    return torch.randn(count, 1, size, size, generator=torch.Generator().manual_seed(1))


@pytest.mark.parametrize("backbone", FAMILIES)
def test_the_mean_of_the_map_plus_the_bias_is_the_logit_that_is_trained(backbone: str) -> None:
    network = network_of(backbone)
    with torch.no_grad():
        logits, activation, embedding = network(films_of(2))
        trained = network.train_logits(films_of(2))
    assert activation.shape[:2] == (2, 3)
    assert activation.shape[2] > 1
    assert torch.allclose(activation.mean(dim=(2, 3)) + network.head.bias, logits, atol=1e-5)
    assert torch.allclose(trained, logits, atol=1e-4)
    assert embedding.ndim == 2
    assert embedding.shape[1] % 2 == 0


@pytest.mark.parametrize("backbone", FAMILIES)
def test_the_exported_file_gives_the_same_at_any_batch(backbone: str, tmp_path: Path) -> None:
    network = Ensemble([network_of(backbone)], 64, 64)
    export(network, FINDINGS, InputSpec(height=64, width=64), tmp_path / "model.onnx")
    with torch.no_grad():
        expected = network(films_of(3))
    given = open_session(tmp_path / "model.onnx").run(
        ["logits", "activation", "embedding"], {"film": films_of(3).numpy()}
    )
    for ours, theirs in zip(expected, given, strict=True):
        # Weights are stored in 16 bits.
        np.testing.assert_allclose(theirs, ours.numpy(), atol=2e-2, rtol=2e-2)


def test_a_transformers_map_lies_as_the_film_does() -> None:
    network = network_of("test_vit")
    film = films_of(1)
    changed = film.clone()
    changed[..., :16, 48:] += 3.0
    with torch.no_grad():
        difference = (network(film)[1] - network(changed)[1]).abs().sum(dim=1)[0]
    rows, columns = difference.shape
    assert np.unravel_index(int(difference.argmax()), (rows, columns)) == (0, columns - 1)


def test_a_transformer_takes_films_of_another_size_than_its_own() -> None:
    network = network_of("test_vit")
    with torch.no_grad():
        assert network(films_of(1, 96))[1].shape[2] == 6


@pytest.mark.parametrize("backbone", [*FAMILIES, "vit_small_patch16_224", "convnext_atto"])
def test_the_stem_and_first_blocks_of_any_backbone_can_be_held_fixed_and_freed(backbone: str) -> None:
    network = FilmNet(backbone, 2, 0.0, 0.0, None, size=64)
    network.freeze_first(2)
    held = [name for name, parameter in network.backbone.named_parameters() if not parameter.requires_grad]
    learnt = [name for name, parameter in network.backbone.named_parameters() if parameter.requires_grad]
    assert held
    assert learnt
    assert max(map(list(dict(network.backbone.named_parameters())).index, held)) < len(held) + 1
    network.train_logits(films_of(2)).sum().backward()
    assert all(dict(network.backbone.named_parameters())[name].grad is None for name in held)
    network.freeze_first(0)
    assert all(parameter.requires_grad for parameter in network.parameters())


@pytest.mark.parametrize("backbone", ["densenet121", "test_convnext", "test_vit"])
def test_every_family_trains(backbone: str) -> None:
    recipe = TINY.changed(network__backbone=backbone, training__phases=[{"epochs": 1, "size": 64, "frozen_blocks": 1}])
    network = fit(random_set(16), recipe)
    assert torch.isfinite(network.head.weight).all()


def test_a_backbone_that_timm_does_not_know_is_refused_with_names_it_knows() -> None:
    with pytest.raises(BadRecipe, match=r"timm knows no densenet999_x.*"):
        FilmNet("densenet999_x", 2, 0.0, 0.0, None)
