"""How many real chest films a guard may refuse: so many of all, and so many of any group of them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

Mask = npt.NDArray[np.bool_]


@dataclass(frozen=True, eq=False)
class Budget:
    """Counts of films that may be refused: `everyone` of all, `each` of the films in each of `groups` (masks, (M,))."""

    everyone: int
    groups: Mapping[str, Mask] = field(default_factory=dict)
    each: Mapping[str, int] = field(default_factory=dict)

    @classmethod
    def of(cls, films: int, groups: Mapping[str, Mask], shares: tuple[float, float]) -> Budget:
        """`shares` of all films, and of any one group, rounded down."""
        # The hair keeps 2 % of 50 films from being 0.99999 of one.
        each = {name: int(shares[1] * int(mask.sum()) + 1e-9) for name, mask in groups.items()}
        return cls(int(shares[0] * films + 1e-9), groups, each)

    def spend(self, values: npt.NDArray[np.floating]) -> Mask:
        """The films (M,) with the largest `values` (M,), one after the other, up to the first that may not go."""
        gone = np.zeros(len(values), dtype=bool)
        for film in np.argsort(-values, kind="stable"):
            trial = gone.copy()
            trial[film] = True
            over = any(int((trial & mask).sum()) > self.each[name] for name, mask in self.groups.items() if mask[film])
            if over or int(trial.sum()) > self.everyone:
                return gone
            gone = trial
        return gone

    def without(self, gone: Mask) -> Budget:
        """What is left once the films of `gone` are refused."""
        each = {name: max(self.each[name] - int((gone & mask).sum()), 0) for name, mask in self.groups.items()}
        return Budget(max(self.everyone - int(gone.sum()), 0), self.groups, each)
