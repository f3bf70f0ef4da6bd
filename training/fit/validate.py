"""AUROC per finding on the validation films: what early stopping and the search go by."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional as F

from training.data.manifest import UNKNOWN
from training.data.store import pixels_of
from training.evaluate.metrics import auroc
from training.fit.augment import standardise
from training.fit.sets import ValidationSet
from training.network.film_net import FilmNet


@torch.no_grad()  # type: ignore[untyped-decorator]
def validation_auroc(
    network: FilmNet, data: ValidationSet, size: int, min_std: float, device: torch.device, batch: int = 64
) -> np.ndarray[tuple[int], np.dtype[np.float64]]:
    """AUROC (K,) of `network` in its present weights; NaN where a finding has no known positive or no negative."""
    network.eval()
    parts = []
    for start in range(0, len(data.labels), batch):
        pixels = torch.from_numpy(
            pixels_of(np.asarray(data.frames[np.arange(start, min(start + batch, len(data.labels)))]))
        )
        films = standardise(pixels[:, None].to(device), min_std)
        if films.shape[-1] != size:
            films = F.interpolate(films, size=(size, size), mode="bilinear", align_corners=False)
        parts.append(network.train_logits(films.contiguous(memory_format=torch.channels_last)).float().cpu().numpy())
    logits = np.concatenate(parts).astype(np.float64)
    found = []
    for column in range(logits.shape[1]):
        known = data.labels[:, column] != UNKNOWN
        present = data.labels[known, column] == 1
        if not present.any() or present.all():
            found.append(float("nan"))
        else:
            found.append(float(auroc(logits[known, column], present, np.ones((1, int(known.sum()))))[0]))
    return np.array(found)
