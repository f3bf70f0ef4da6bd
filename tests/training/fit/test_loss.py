"""The masked loss and the source's intercept."""

from __future__ import annotations

import numpy as np
import torch
from torch.nn import functional

from training.fit.loss import SourceIntercept, masked_loss, positive_weights

UNKNOWN = float("nan")


def test_an_unknown_label_gives_no_gradient() -> None:
    logits = torch.zeros(2, 3, requires_grad=True)
    labels = torch.tensor([[1, UNKNOWN, 0], [UNKNOWN, 0, 1.0]])
    masked_loss(logits, labels, torch.ones(3), smoothing=0.1).backward()
    assert logits.grad is not None
    assert torch.equal(logits.grad == 0, torch.isnan(labels))


def test_without_weights_smoothing_and_masks_it_is_plain_cross_entropy() -> None:
    logits = torch.randn(8, 4, generator=torch.Generator().manual_seed(0))
    labels = torch.randint(0, 2, (8, 4), generator=torch.Generator().manual_seed(1)).float()
    plain = functional.binary_cross_entropy_with_logits(logits, labels)
    assert torch.allclose(masked_loss(logits, labels, torch.ones(4), 0.0), plain)


def test_rare_findings_weigh_more_but_never_above_the_limit() -> None:
    labels = np.array([[1, 1, 0]] + [[1, 0, 0]] * 49 + [[0, 0, UNKNOWN]] * 50, dtype=np.float32)
    weights = positive_weights(labels, power=0.5, limit=6.0)
    assert weights.tolist() == [1.0, 6.0, 1.0]


def test_the_intercept_starts_at_how_common_a_finding_is_in_each_source() -> None:
    labels = np.array([[0]] * 99 + [[1]] + [[1]] * 75 + [[0]] * 25, dtype=np.float32)
    sources = torch.tensor([0] * 100 + [1] * 100)
    intercept = SourceIntercept(labels, sources, 2)
    chances = torch.sigmoid(intercept.base + intercept(torch.tensor([0, 1]))).flatten()
    assert torch.allclose(chances, torch.tensor([0.015, 0.75]), atol=0.01)


def test_a_finding_that_a_source_does_not_know_has_no_offset_there() -> None:
    labels = np.array([[1], [0], [UNKNOWN], [UNKNOWN]], dtype=np.float32)
    intercept = SourceIntercept(labels, torch.tensor([0, 0, 1, 1]), 2)
    assert torch.isfinite(intercept.offsets).all()
    assert intercept.offsets.abs().max() < 1e-6


def test_an_uncertain_target_pulls_the_probability_to_itself_and_weighs_by_its_share() -> None:
    logits = torch.zeros(1, 1, requires_grad=True)
    masked_loss(logits, torch.tensor([[0.7]]), torch.ones(1), 0.0).backward()
    assert logits.grad is not None
    assert torch.allclose(logits.grad, torch.tensor([[0.5 - 0.7]]))
    heavy, light = (masked_loss(torch.zeros(1, 1), torch.tensor([[t]]), torch.tensor([3.0]), 0.0) for t in (1.0, 0.5))
    assert torch.allclose(heavy / light, torch.tensor(3.0 / 2.0))


def test_any_number_of_sources_has_an_offset_and_none_where_it_is_switched_off() -> None:
    labels = np.array([[0], [1], [1], [1], [0], [0]], dtype=np.float32)
    sources = torch.tensor([0, 0, 1, 1, 2, 2])
    apart = SourceIntercept(labels, sources, 3)(torch.tensor([0, 1, 2])).flatten()
    assert apart[1] > apart[0] > apart[2]
    off = SourceIntercept(labels, sources, 3, learn=False)
    assert not off(torch.tensor([0, 1, 2])).any()
    assert not any(parameter.requires_grad for parameter in off.parameters())
    assert torch.allclose(torch.sigmoid(off.base), torch.tensor([0.5]))
