"""The network: a timm backbone whose class activation maps, averaged, are its logits."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import timm
import torch
from timm.models import group_parameters
from torch import nn
from torch.nn import functional as F

from training.config import BadRecipe, Network
from training.network.lora import add_adapters, merge_adapters
from training.network.weights import NoWeights, load_imagenet, read_tensors

# Of a transformer's equal blocks this share stands before the embedding is taken: not yet the last quarter.
_EMBEDDING_DEPTH = 0.75


def _make(backbone: str, drop_path: float, size: int | None) -> nn.Module:
    if not timm.is_model(backbone):
        near = ", ".join(timm.list_models(f"*{backbone.split('_', maxsplit=1)[0]}*")[:5])
        raise BadRecipe(f"network.backbone: timm knows no {backbone}" + (f"; it knows {near}" if near else ""))
    options: dict[str, Any] = {"in_chans": 1, "num_classes": 0}
    if "densenet" not in backbone:
        options["drop_path_rate"] = drop_path
    if "vit" in backbone:
        # The grid of the last phase is the native one, so that the exported graph resamples no position.
        options |= {"dynamic_img_size": True} | ({} if size is None else {"img_size": size})
    if "convnext" in backbone:
        # The norm at each place instead of behind the mean: only so is the head linear in what it averages.
        options["head_norm_first"] = True
    return timm.create_model(backbone, **options)


class FilmNet(nn.Module):  # type: ignore[misc]
    """films (B, 1, S, S) -> logits (B, K), activation (B, K, h, w), embedding (B, E); any timm backbone by name.

    The mean of a finding's activation plus its bias is its logit (Zhou et al., CVPR 2016); of a transformer the map is
    that of its patch tokens. The embedding is the mean and spread over the frame of the last stage but one (of a
    transformer: three quarters of its blocks in): there a leg or a CT slice still differs from a chest film, while the
    last stage has learnt to look at findings alone (it let every leg film pass; docs/bundled-release.md).

    `size` is the side of the film that a transformer's positions are made for. Raises BadRecipe, NoWeights.
    """

    def __init__(
        self,
        backbone: str,
        findings: int,
        dropout: float,
        drop_path: float,
        weights: Path | None,
        size: int | None = None,
    ) -> None:
        super().__init__()
        self.backbone: Any = _make(backbone, drop_path, size)
        if weights is not None:
            load_imagenet(self.backbone, weights)
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(self.backbone.num_features, findings)
        self.tokens = bool(getattr(self.backbone, "num_prefix_tokens", None) is not None)
        stages = len(self.backbone.feature_info)
        self.middle = int(stages * _EMBEDDING_DEPTH) - 1 if self.tokens else stages - 2
        self.adapted = False

    def _features(self, features: torch.Tensor, films: torch.Tensor) -> torch.Tensor:
        if not self.tokens:
            return features
        patch = self.backbone.patch_embed.patch_size
        rows, columns = films.shape[-2] // patch[0], films.shape[-1] // patch[1]
        places = features[:, self.backbone.num_prefix_tokens :]
        return places.transpose(1, 2).reshape(-1, self.backbone.num_features, rows, columns)

    def forward(self, films: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """See the class."""
        features, (middle,) = self.backbone.forward_intermediates(films, indices=[self.middle])
        activation = F.conv2d(self._features(features, films), self.head.weight[:, :, None, None])
        mean = middle.mean(dim=(2, 3))
        spread = (middle - mean[:, :, None, None]).square().mean(dim=(2, 3)).clamp_min(1e-12).sqrt()
        return activation.mean(dim=(2, 3)) + self.head.bias, activation, torch.cat([mean, spread], dim=1)

    def train_logits(self, films: torch.Tensor) -> torch.Tensor:
        """Logits (B, K) with dropout on the pooled features."""
        features = self._features(self.backbone.forward_features(films), films)
        return torch.as_tensor(self.head(self.dropout(features.mean(dim=(2, 3)))))

    def add_adapters(self, network: Network) -> None:
        """Learn low-rank adapters and the head alone from now on, where the recipe says so."""
        if network.lora is not None:
            add_adapters(self.backbone, network.lora)
            self.adapted = True

    def merge_adapters(self) -> None:
        """Make the adapters a part of the weights."""
        if self.adapted:
            merge_adapters(self.backbone)
            self.adapted = False

    def freeze_first(self, blocks: int) -> None:
        """Hold the stem and the first `blocks` block stages fixed, as timm groups them; 0 frees everything."""
        for name, parameter in self.named_parameters():
            parameter.requires_grad_(not self.adapted or name.startswith("head.") or "lora_" in name)
        if blocks == 0:
            return
        # Group 0 is the stem; where timm knows no stem the first block stage is group 0, and nothing is lost by it.
        groups = group_parameters(self.backbone, self.backbone.group_matcher(coarse=True))
        held = {name for number, names in groups.items() if number <= blocks for name in names}
        for name, parameter in self.backbone.named_parameters():
            if name in held:
                parameter.requires_grad_(False)


def save_network(network: FilmNet, findings: Sequence[str]) -> dict[str, Any]:
    """What a run keeps of one network, for a warm start: weights by name and the findings' order."""
    return {"findings": list(findings), "state": network.state_dict()}


def warm_start(network: FilmNet, path: Path, findings: Sequence[str]) -> int:
    """Take the weights of an earlier run's network; a finding that it did not score keeps its own start.

    Returns how many findings were taken over. Raises NoWeights where the backbone is another.
    """
    kept = read_tensors(path)
    if not {"findings", "state"} <= set(kept):
        raise NoWeights(f"{path.name} is not a network of an earlier run: it has no findings and state")
    state = dict(kept["state"])
    theirs = list(kept["findings"])
    own = network.state_dict()
    if state["head.weight"].shape[1] != own["head.weight"].shape[1]:
        raise NoWeights(f"{path.name} is of another backbone or size: its head takes other features")
    shared = [name for name in findings if name in theirs]
    for part in ("head.weight", "head.bias"):
        rows = own[part].clone()
        for name in shared:
            rows[list(findings).index(name)] = state[part][theirs.index(name)]
        state[part] = rows
    try:
        network.load_state_dict(state)
    except RuntimeError as error:
        raise NoWeights(f"{path.name} is of another backbone or size: {str(error).splitlines()[0]}") from error
    return len(shared)


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
