"""Bodies of the evidence calls."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from hilum.evidence import Evidence, Judgement, Plan
from hilum.problems import Problem


class PlanBody(BaseModel):
    """A plan; see `hilum.evidence.plan`. A bound of null is not judged."""

    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)

    min_studies: int = Field(default=200, ge=20, le=10_000_000)
    min_patients: int = Field(default=200, ge=20, le=10_000_000)
    min_positives: int = Field(default=15, ge=2, le=1_000_000)
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
    seed: int = Field(default=11, ge=0, le=2**31)

    def plan(self) -> Plan:
        """The plan; raises a 422 problem with its sentence."""
        try:
            return Plan(**self.model_dump())
        except ValueError as error:
            raise Problem(422, "bad-plan", f"The plan can't be used: {error}.") from None


class StoredPlan(BaseModel):
    """A stored plan."""

    name: str
    digest: str
    stored_at: datetime
    plan: dict[str, Any]


class EvidenceOut(BaseModel):
    """Answer of `GET` and `POST /v1/evidence`. `verdict` is null where no plan was given.

    `expected`: studies that should have a pair; `missing_share` of them have none (null: nothing is expected).
    """

    live: str
    shadow: str
    live_precision: str | None
    shadow_precision: str | None
    since: datetime | None
    until: datetime | None
    site: str | None
    computed_at: datetime
    expected: int
    missing: int
    missing_share: float | None
    exposed: int
    evidence: Evidence
    judgement: Judgement | None
    verdict: Literal["pass", "fail", "inconclusive"] | None
    plan: str | None = None
