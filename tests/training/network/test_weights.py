"""Where first weights come from."""

from __future__ import annotations

from pathlib import Path

import pytest
import timm
import torch

from tests.training.fit.sets import TINY, random_set
from training.fit.loop import fit
from training.network.film_net import FilmNet, save_network, warm_start
from training.network.weights import NoWeights, imagenet_weights, weights_file


@pytest.mark.parametrize("number", [0, 1, 2])
def test_imagenet_weights_fill_every_tensor_of_the_backbone(number: int) -> None:
    weights = imagenet_weights(f"tf_efficientnet_lite{number}")
    stem = torch.load(weights, weights_only=True)["_conv_stem.weight"]
    network = FilmNet(f"tf_efficientnet_lite{number}", 2, 0.0, 0.0, weights)
    assert torch.allclose(network.backbone.conv_stem.weight[:, 0], stem.sum(dim=1))


def test_a_file_of_timms_own_names_is_taken_by_name_and_positions_are_resampled(tmp_path: Path) -> None:
    theirs = timm.create_model("test_vit", in_chans=3, num_classes=10)
    torch.save(theirs.state_dict(), tmp_path / "vit.pt")
    network = FilmNet("test_vit", 2, 0.0, 0.0, tmp_path / "vit.pt", size=64)
    ours, given = network.backbone.state_dict(), theirs.state_dict()
    assert torch.equal(ours["blocks.3.mlp.fc1.weight"], given["blocks.3.mlp.fc1.weight"])
    assert torch.allclose(ours["patch_embed.proj.weight"][:, 0], given["patch_embed.proj.weight"].sum(dim=1))
    assert ours["pos_embed"].shape[1] < given["pos_embed"].shape[1]


def test_weights_that_are_not_there_or_do_not_fit_are_refused_with_the_remedy(tmp_path: Path) -> None:
    with pytest.raises(NoWeights, match=r"network\.weights"):
        imagenet_weights("densenet121")
    with pytest.raises(NoWeights, match="is not a file"):
        weights_file("densenet121", str(tmp_path / "none.pt"), 0)
    with pytest.raises(NoWeights, match="member0"):
        weights_file("densenet121", f"release:{tmp_path}", 0)
    (tmp_path / "text.pt").write_text("no tensors", encoding="utf-8")
    with pytest.raises(NoWeights, match=r"text\.pt"):
        FilmNet("test_vit", 2, 0.0, 0.0, tmp_path / "text.pt")
    torch.save(timm.create_model("resnet18").state_dict(), tmp_path / "resnet.pt")
    with pytest.raises(NoWeights, match=r"resnet\.pt"):
        FilmNet("test_convnext", 2, 0.0, 0.0, tmp_path / "resnet.pt")


def test_a_warm_start_takes_the_backbone_and_the_findings_of_the_same_name(tmp_path: Path) -> None:
    before = FilmNet("test_efficientnet", 2, 0.0, 0.0, None)
    torch.save(save_network(before, ("Mass", "Edema")), tmp_path / "member0.pt")
    after = FilmNet("test_efficientnet", 3, 0.0, 0.0, None)
    own = after.head.weight.detach().clone()
    assert warm_start(after, tmp_path / "member0.pt", ("Effusion", "Edema", "Nodule")) == 1
    assert torch.equal(after.head.weight[1], before.head.weight[1])
    assert torch.equal(after.head.weight[[0, 2]], own[[0, 2]])
    assert torch.equal(after.backbone.conv_stem.weight, before.backbone.conv_stem.weight)
    with pytest.raises(NoWeights, match="another backbone or size"):
        warm_start(FilmNet("test_convnext", 2, 0.0, 0.0, None), tmp_path / "member0.pt", ("Mass", "Edema"))


def test_a_run_starts_from_the_networks_of_an_earlier_one(tmp_path: Path) -> None:
    data = random_set()
    earlier = fit(data, TINY)
    torch.save(save_network(earlier, data.findings), tmp_path / "member0.pt")
    # A learning rate of nought leaves the start as it was.
    still = TINY.changed(
        network__weights=f"release:{tmp_path}", training__learning_rate=0.0, training__head_learning_rate=0.0
    )
    later = fit(data, still)
    assert torch.allclose(later.head.weight, earlier.head.weight)
    assert torch.allclose(later.backbone.conv_stem.weight, earlier.backbone.conv_stem.weight)
