"""AUROC per finding on the validation films: what early stopping and the search go by."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import torch
from torch.nn import functional as F

from training.data.manifest import UNKNOWN
from training.data.store import pixels_of
from training.evaluate.metrics import auroc
from training.fit.augment import standardise
from training.fit.sets import Frames, ValidationSet
from training.network.film_net import FilmNet


@torch.no_grad()  # type: ignore[untyped-decorator]
def logits_of(
    network: FilmNet,
    frames: Frames,
    size: int,
    min_std: float,
    device: torch.device | None = None,
    batch: int = 64,
) -> npt.NDArray[np.float64]:
    """Logits (N, K) of stored `frames` (N, H, W) enlarged to `size`; leaves `network` in evaluation mode."""
    network.eval()
    parts = []
    for start in range(0, len(frames), batch):
        pixels = torch.from_numpy(pixels_of(np.asarray(frames[np.arange(start, min(start + batch, len(frames)))])))
        films = standardise(pixels[:, None].to(device or torch.device("cpu")), min_std)
        if films.shape[-1] != size:
            films = F.interpolate(films, size=(size, size), mode="bilinear", align_corners=False)
        parts.append(network.train_logits(films.contiguous(memory_format=torch.channels_last)).float().cpu().numpy())
    made: npt.NDArray[np.float64] = np.concatenate(parts).astype(np.float64)
    return made


def validation_auroc(
    network: FilmNet, data: ValidationSet, size: int, min_std: float, device: torch.device, batch: int = 64
) -> npt.NDArray[np.float64]:
    """AUROC (K,) of `network` in its present weights; NaN where a finding has no known positive or no negative."""
    logits = logits_of(network, data.frames, size, min_std, device, batch)
    found = []
    for column in range(logits.shape[1]):
        known = data.labels[:, column] != UNKNOWN
        present = data.labels[known, column] == 1
        if not present.any() or present.all():
            found.append(float("nan"))
        else:
            found.append(float(auroc(logits[known, column], present, np.ones((1, int(known.sum()))))[0]))
    return np.array(found)
