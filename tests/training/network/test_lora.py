"""Adapters learn beside fixed weights and are gone after the merge."""

from __future__ import annotations

import pytest
import torch

from tests.training.fit.sets import TINY, random_set
from training.config import BadRecipe, Lora, Network
from training.fit.loop import fit
from training.network.film_net import FilmNet


def adapted(backbone: str, targets: tuple[str, ...]) -> FilmNet:
    torch.manual_seed(0)
    network = FilmNet(backbone, 2, 0.0, 0.0, None, size=64).eval()
    network.add_adapters(Network(backbone=backbone, lora=Lora(rank=2, targets=targets)))
    network.freeze_first(0)
    return network


@pytest.mark.parametrize(
    ("backbone", "targets"), [("test_vit", ("qkv", "proj", "fc1", "fc2")), ("test_efficientnet", ("conv_pwl",))]
)
def test_merged_adapters_give_what_they_gave_beside_the_weights(backbone: str, targets: tuple[str, ...]) -> None:
    network = adapted(backbone, targets)
    plain = {name.replace("base_layer.", "") for name in network.state_dict() if "lora_" not in name}
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if "lora_" in name:
                parameter.normal_(0.0, 0.05)
    films = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        beside = network.train_logits(films)
        network.merge_adapters()
        merged = network.train_logits(films)
    assert torch.allclose(beside, merged, atol=1e-4)
    assert set(network.state_dict()) == plain == set(FilmNet(backbone, 2, 0.0, 0.0, None, size=64).state_dict())


def test_only_adapters_and_head_learn() -> None:
    network = adapted("test_vit", ("qkv",))
    learnt = {name for name, parameter in network.named_parameters() if parameter.requires_grad}
    assert all("lora_" in name or name.startswith("head.") for name in learnt)
    assert any("lora_" in name for name in learnt)
    network.freeze_first(2)
    held = dict(network.named_parameters())
    assert not any(p.requires_grad for name, p in held.items() if name.startswith("backbone.blocks.0."))
    assert any(p.requires_grad for name, p in held.items() if name.startswith("backbone.blocks.5."))


def test_a_trained_network_with_adapters_ends_as_a_plain_one() -> None:
    lora = {"rank": 2, "alpha": 4.0, "dropout": 0.0, "targets": ["qkv", "fc1"]}
    recipe = TINY.changed(network__backbone="test_vit", network__lora=lora)
    before = FilmNet("test_vit", 3, 0.0, 0.0, None, size=64)
    network = fit(random_set(16), recipe)
    assert set(network.state_dict()) == set(before.state_dict())
    torch.manual_seed(recipe.seed)
    start = FilmNet("test_vit", 3, recipe.network.dropout, recipe.network.drop_path, None, size=64).state_dict()
    end = network.state_dict()
    assert not torch.equal(start["backbone.blocks.0.attn.qkv.weight"], end["backbone.blocks.0.attn.qkv.weight"])
    assert torch.equal(start["backbone.blocks.0.attn.proj.weight"], end["backbone.blocks.0.attn.proj.weight"])


def test_targets_that_name_no_layer_are_refused() -> None:
    with pytest.raises(BadRecipe, match=r"network\.lora\.targets"):
        adapted("test_vit", ("nothing_of_this_name",))
