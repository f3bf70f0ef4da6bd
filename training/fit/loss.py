"""Masked multi-label loss with mild positive weighting, and the intercept that keeps the source out of a logit."""

from __future__ import annotations

import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from training.data.manifest import Targets


def positive_weights(targets: Targets, power: float, limit: float) -> torch.Tensor:
    """(absent / present) ** `power` per finding, (K,), within 1..`limit`; unknown labels do not count.

    A target between 0 and 1 counts as that share of a present film.
    """
    present = np.nansum(targets, axis=0)
    absent = np.nansum(1.0 - targets, axis=0)
    weights = [float(a / p) ** power if p > 0 and a > 0 else 1.0 for p, a in zip(present, absent, strict=True)]
    return torch.tensor(weights, dtype=torch.float32).clamp(1.0, limit)


def masked_loss(
    logits: torch.Tensor,
    targets: torch.Tensor,
    weights: torch.Tensor,
    smoothing: float,
    films: torch.Tensor | None = None,
) -> torch.Tensor:
    """Binary cross-entropy of `logits` (B, K) with known `targets` (B, K; 0..1, NaN unknown), divided by B * K.

    An unknown label gives no gradient at all. `weights` (K,) are those of positives; a target between 0 and 1 has its
    share of them. `smoothing` draws targets towards one half. `films` (B,) says how much each film counts.
    """
    known = ~torch.isnan(targets)
    wanted = targets.nan_to_num(0.0)
    each = F.binary_cross_entropy_with_logits(logits, wanted * (1 - smoothing) + 0.5 * smoothing, reduction="none")
    each = each * known * torch.lerp(torch.ones_like(weights), weights, wanted)
    if films is not None:
        each = each * films[:, None]
    return each.sum() / logits.numel()


class SourceIntercept(nn.Module):  # type: ignore[misc]
    """One learnt offset per source and finding, added in training and dropped at export.

    Sources differ in how common a finding is (pneumonia: 1 % of NIH's films, 74 % of Kermany's). The offset explains
    that difference, so that the network has no reason to recognise the source instead of the lung. `learn=False`
    leaves it out: all sources are one, and nothing is added. `base` (K,) is where the head's bias starts.
    """

    def __init__(self, targets: Targets, sources: torch.Tensor, count: int, learn: bool = True) -> None:
        super().__init__()
        if not learn:
            sources, count = torch.zeros_like(sources), 1
        self.learn = learn
        offsets = torch.zeros(count, targets.shape[1])
        labels = torch.as_tensor(targets)
        for source in range(count):
            rows = labels[sources == source]
            present, absent = rows.nansum(0), (1 - rows).nansum(0)
            offsets[source] = torch.log((present + 0.5) / (absent + 0.5))
            offsets[source][present + absent == 0] = float("nan")
        mean = offsets.nanmean(dim=0, keepdim=True).nan_to_num(0.0)
        # The common part is where the head's bias starts; only what differs between sources belongs here.
        self.base = mean[0]
        self.offsets = nn.Parameter((offsets - mean).nan_to_num(0.0), requires_grad=learn)

    def forward(self, sources: torch.Tensor) -> torch.Tensor:
        """Offsets (B, K) of films from `sources` (B,)."""
        if not self.learn:
            return torch.zeros(len(sources), self.offsets.shape[1], device=sources.device)
        return self.offsets[sources]
