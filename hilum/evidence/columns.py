"""Pairs as columns: what the statistics take, without a database."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float32]
Small = npt.NDArray[np.int8]
Labels = Small
Reading = Literal["blind", "other"]
# Beside 1 present, 0 absent, -1 uncertain.
NOT_JUDGED = -2


@dataclass(frozen=True, eq=False)
class Pairs:
    """N studies that the live and the shadow release (K findings that both established) have scored.

    `patients` (N,): any whole number per patient. `live`, `shadow` (N, K): probabilities in 0..1, NaN where that
    release scored no film of the study. `live_points`, `shadow_points` (K, 2): each release's own rule-out and alert
    point. `live_band`, `shadow_band` (N,): 0 critical, 1 urgent, 2 routine. `reads`: labels (N, K) of the blind reads
    and of the others: 1, 0, -1 or NOT_JUDGED. `order`, `read_order` (N,): place of the pair, and of its
    blind read, in the order in which they came in; None: that of the rows. Raises ValueError where shapes do not fit.
    """

    findings: tuple[str, ...]
    patients: npt.NDArray[np.int64]
    live: Floats
    shadow: Floats
    live_points: Floats
    shadow_points: Floats
    live_band: Small
    shadow_band: Small
    reads: dict[Reading, Labels] = field(default_factory=dict)
    order: npt.NDArray[np.int64] | None = None
    read_order: npt.NDArray[np.int64] | None = None

    def __post_init__(self) -> None:
        """Check the shapes."""
        n, k = len(self.patients), len(self.findings)
        wide = [self.live.shape, self.shadow.shape, *(labels.shape for labels in self.reads.values())]
        if set(wide) != {(n, k)} or {self.live_points.shape, self.shadow_points.shape} != {(k, 2)}:
            raise ValueError(f"columns do not fit {n} studies and {k} findings")
        if {self.live_band.shape, self.shadow_band.shape} != {(n,)}:
            raise ValueError(f"bands do not fit {n} studies")
