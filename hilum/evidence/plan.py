"""The plan of a gate: fixed before anybody looks, so that no bound is chosen after the figures."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any, Literal

Verdict = Literal["pass", "fail", "inconclusive"]


@dataclass(frozen=True)
class Plan:
    """What counts as enough, and how much worse the shadow release may be. A bound of None is not judged.

    `min_agreement`: alert agreement, mean over findings. `max_shift`: of a finding's mean probability, either way.
    `max_critical_lost`: share of studies that the live release calls critical and the shadow release does not.
    `max_not_scored`: share that the shadow release alone does not score. `*_margin`: loss on reads of kind `reads`,
    mean over findings with `min_positives` patients on either side; `finding_margin` fails a single finding (in
    sensitivity or AUROC). `looks`: how often the evidence will be judged; the error of 5 % is shared among them.
    """

    min_studies: int = 200
    min_patients: int = 200
    min_positives: int = 15
    max_missing: float = 0.1
    min_agreement: float | None = 0.9
    max_shift: float | None = 0.05
    max_critical_lost: float | None = 0.05
    max_not_scored: float | None = 0.02
    sensitivity_margin: float | None = None
    specificity_margin: float | None = None
    auroc_margin: float | None = None
    finding_margin: float | None = None
    reads: Literal["blind", "other"] = "blind"
    deadline: datetime | None = None
    looks: int = 1
    draws: int = 1000
    seed: int = 11

    def __post_init__(self) -> None:
        """Check the plan; raises ValueError with a plain sentence."""
        bounds = {name: getattr(self, name) for name in BOUNDS}
        if all(value is None for value in bounds.values()):
            raise ValueError("a plan has at least one bound")
        for name, value in [*bounds.items(), ("max_missing", self.max_missing)]:
            if value is not None and not 0 < value < 1:
                raise ValueError(f"{name} lies between 0 and 1")
        if self.min_studies < 20 or self.min_patients < 20 or self.min_positives < 2:
            raise ValueError("a plan asks for at least 20 studies, 20 patients and 2 positives")
        if not (1 <= self.looks <= 100 and 200 <= self.draws <= 5000):
            raise ValueError("a plan has 1 to 100 looks and 200 to 5000 draws")
        if self.deadline is not None and self.deadline.tzinfo is None:
            raise ValueError("the deadline needs a time zone")

    @property
    def alpha(self) -> float:
        """The error that one look may have, both sides together."""
        return 0.05 / self.looks

    @property
    def digest(self) -> str:
        """sha256 over the plan: what was fixed can be shown to be what was used."""
        return hashlib.sha256(json.dumps(self.to_json(), sort_keys=True).encode()).hexdigest()

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values."""
        deadline = None if self.deadline is None else self.deadline.isoformat()
        return {**asdict(self), "deadline": deadline}


BOUNDS = (
    "min_agreement",
    "max_shift",
    "max_critical_lost",
    "max_not_scored",
    "sensitivity_margin",
    "specificity_margin",
    "auroc_margin",
    "finding_margin",
)
