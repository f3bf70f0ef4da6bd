"""Which worker of a network this process is, and on what device."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import torch
import torch.distributed as dist


@dataclass(frozen=True)
class Place:
    """Worker `rank` of `workers` that fit one network together; `group` is their process group where there are two."""

    device: torch.device = field(default_factory=lambda: torch.device("cpu"))
    rank: int = 0
    workers: int = 1
    group: Any = None

    def total(self, value: torch.Tensor) -> float:
        """The sum of `value` over the workers: the same number in each."""
        if self.workers > 1:
            value = value.clone()
            dist.all_reduce(value, group=self.group)
        return float(value)

    def agreed(self, answer: bool) -> bool:
        """Worker 0's answer."""
        return self.total(torch.tensor(float(answer and self.rank == 0), device=self.device)) > 0
