"""The masked loss and the source's intercept."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from training.data.manifest import UNKNOWN
from training.fit.loss import SourceIntercept, masked_loss, positive_weights


def test_an_unknown_label_gives_no_gradient() -> None:
    logits = torch.zeros(2, 3, requires_grad=True)
    labels = torch.tensor([[1, UNKNOWN, 0], [UNKNOWN, 0, 1]])
    masked_loss(logits, labels, torch.ones(3), smoothing=0.1).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad == 0, labels == UNKNOWN)


def test_without_weights_smoothing_and_masks_it_is_plain_cross_entropy() -> None:
    logits = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 2, (8, 4), generator=torch.Generator().manual_seed(1))
    plain = functional.binary_cross_entropy_with_logits(logits, labels.float())
    assert torch.allclose(masked_loss(logits, labels, torch.ones(4), 0.0), plain)


def test_rare_findings_weigh_more_but_never_above_the_limit() -> None:
    labels = np.array([[1, 1, 0]] + [[1, 0, 0]] * 49 + [[0, 0, UNKNOWN]] * 50, dtype=np.int8)
    weights = positive_weights(labels, power=0.5, limit=6.0)
    assert weights.tolist() == [1.0, 6.0, 1.0]


def test_the_intercept_starts_at_how_common_a_finding_is_in_each_source() -> None:
    labels = np.array([[0]] * 99 + [[1]] + [[1]] * 75 + [[0]] * 25, dtype=np.int8)
    sources = torch.tensor([0] * 100 + [1] * 100)
    intercept = SourceIntercept(labels, sources, 2)
    chances = torch.sigmoid(intercept.base + intercept(torch.tensor([0, 1]))).flatten()
    assert torch.allclose(chances, torch.tensor([0.015, 0.75]), atol=0.01)


def test_a_finding_that_a_source_does_not_know_has_no_offset_there() -> None:
    labels = np.array([[1], [0], [UNKNOWN], [UNKNOWN]], dtype=np.int8)
    intercept = SourceIntercept(labels, torch.tensor([0, 0, 1, 1]), 2)
    assert torch.isfinite(intercept.offsets).all()
    assert intercept.offsets.abs().max() < 1e-6
