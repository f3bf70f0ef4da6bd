"""The learning rate over a run, and the averaged weights."""

from __future__ import annotations

import copy
import math
from typing import Any

import torch

from training.network.film_net import FilmNet


def learning_rate_at(step: int, steps: int, warm_up: float) -> float:
    """Share of the peak rate: linear warm-up over the first `warm_up` share of steps, then a cosine to 1 %."""
    rising = max(1, int(steps * warm_up))
    if step < rising:
        return (step + 1) / rising
    return 0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * (step - rising) / max(1, steps - rising)))


class Averaged:
    """Exponential moving average of a network's weights and of its batch-norm statistics."""

    def __init__(self, network: FilmNet, decay: float) -> None:
        self.network = copy.deepcopy(network).eval()
        self.decay = decay
        self.steps = 0

    @torch.no_grad()  # type: ignore[untyped-decorator]
    def update(self, network: FilmNet) -> None:
        """Draw the average towards `network`; early on the average is short, so that the start is forgotten."""
        self.steps += 1
        keep = min(self.decay, (1 + self.steps) / (10 + self.steps))
        theirs = network.state_dict()
        pairs = [(v, theirs[n]) for n, v in self.network.state_dict().items() if v.dtype.is_floating_point]
        torch._foreach_lerp_([mine for mine, _ in pairs], [other for _, other in pairs], 1 - keep)

    def state(self) -> dict[str, Any]:
        """For a checkpoint."""
        return {"network": self.network.state_dict(), "steps": self.steps}

    def restore(self, state: dict[str, Any]) -> None:
        """Go on from a checkpoint."""
        self.network.load_state_dict(state["network"])
        self.steps = int(state["steps"])
