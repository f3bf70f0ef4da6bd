"""Masked multi-label loss with mild positive weighting, and the intercept that keeps the source out of a logit."""

from __future__ import annotations

import torch
from torch import nn
from torch.nn import functional as F

from training.data.manifest import UNKNOWN, Labels


def positive_weights(labels: Labels, power: float, limit: float) -> torch.Tensor:
    """(absent / present) ** `power` per finding, (K,), within 1..`limit`; unknown labels do not count."""
    present = (labels == 1).sum(axis=0)
    absent = (labels == 0).sum(axis=0)
    weights = [(a / p) ** power if p and a else 1.0 for p, a in zip(present, absent, strict=True)]
    return torch.tensor(weights, dtype=torch.float32).clamp(1.0, limit)


def masked_loss(logits: torch.Tensor, labels: torch.Tensor, weights: torch.Tensor, smoothing: float) -> torch.Tensor:
    """Binary cross-entropy of `logits` (B, K) over known `labels` (B, K; 1, 0, UNKNOWN), divided by B * K.

    An unknown label gives no gradient at all. `smoothing` draws targets towards one half.
    """
    known = (labels != UNKNOWN).float()
    targets = labels.clamp_min(0).float()
    smoothed = targets * (1 - smoothing) + 0.5 * smoothing
    each = F.binary_cross_entropy_with_logits(logits, smoothed, reduction="none")
    return (each * known * torch.where(targets > 0.5, weights, 1.0)).sum() / logits.numel()


class SourceIntercept(nn.Module):  # type: ignore[misc]
    """One learnt offset per source and finding, added in training and dropped at export.

    Sources differ in how common a finding is (pneumonia: 1 % of NIH's films, 74 % of Kermany's). The offset explains
    that difference, so that the network has no reason to recognise the source instead of the lung.
    """

    def __init__(self, labels: Labels, sources: torch.Tensor, count: int) -> None:
        super().__init__()
        offsets = torch.zeros(count, labels.shape[1])
        known = torch.as_tensor(labels)
        for source in range(count):
            rows = known[sources == source]
            present, absent = (rows == 1).sum(0).float(), (rows == 0).sum(0).float()
            offsets[source] = torch.log((present + 0.5) / (absent + 0.5))
            offsets[source][present + absent == 0] = float("nan")
        mean = offsets.nanmean(dim=0, keepdim=True).nan_to_num(0.0)
        # The common part is where the head's bias starts; only what differs between sources belongs here.
        self.base = mean[0]
        self.offsets = nn.Parameter((offsets - mean).nan_to_num(0.0))

    def forward(self, sources: torch.Tensor) -> torch.Tensor:
        """Offsets (B, K) of films from `sources` (B,)."""
        return self.offsets[sources]
