"""The plan of the gates: every number that a verdict rests on, in one versioned file with a digest.

The default plan lies in the package (`plan.toml`); a site overlays it with a TOML file that holds only what differs.
TOML, since serving has a reader for it in the standard library.
"""

from __future__ import annotations

import hashlib
import json
import tomllib
from functools import cached_property
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hilum.gates.sequential import Bounds

DEFAULT = Path(__file__).with_name("plan.toml")
Share = Field(gt=0, lt=1)


class BadPlan(ValueError):
    """The plan can't be used; the text names the field."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, ignored_types=(cached_property,))


class Tolerance(_Part):
    """A question that can fail and never holds anything up: a loss beyond `tolerance` fails."""

    tolerance: float = Field(ge=0, le=10)


class Margin(Tolerance):
    """A question that must be answered: beyond `tolerance` fails, surely below `margin` passes."""

    margin: float = Field(gt=0, le=10)

    @model_validator(mode="after")
    def _in_order(self) -> Margin:
        if self.tolerance >= self.margin:
            raise ValueError("the tolerance must lie below the margin")
        return self

    def bounds(self, alpha: float, beta: float, least: int = 1) -> Bounds:
        """As a sequential test."""
        return Bounds(self.tolerance, self.margin, alpha, beta, least)


class Errors(_Part):
    """What all gates together promise."""

    false_abort: float = Field(gt=0, le=0.2)
    miss: float = Field(gt=0, le=0.2)


class Staging(_Part):
    """Replay of the labelled set through both served endpoints, and the technical figures of the same run."""

    false_abort: float = Share
    min_films: int = Field(ge=4)
    min_patients: int = Field(ge=4)
    gated_positives: int = Field(ge=2)
    draws: int = Field(ge=200, le=20_000)
    seed: int = Field(ge=0, le=2**31)
    deadline_minutes: float = Field(gt=0)
    auroc: Margin
    finding_auroc: Tolerance
    sensitivity: Margin
    specificity: Margin
    brier: Margin
    subgroup: Tolerance
    requests: int = Field(ge=20)
    latency: Margin
    p99_ratio: float = Field(gt=1)
    throughput_ratio: float = Field(gt=0, lt=1)
    error_rate: Margin
    memory_ratio: float = Field(gt=1)
    memory_growth: float = Field(gt=0)
    start_seconds: float = Field(gt=0)


class Canary(_Part):
    """Shadow pairs, blind reads, and the technical figures of days."""

    false_abort: float = Share
    min_pairs: int = Field(ge=20)
    min_patients: int = Field(ge=20)
    min_positives: int = Field(ge=2)
    max_missing: float = Share
    deadline_days: float = Field(gt=0)
    disagreement: Margin
    shift: Margin
    critical_lost: Margin
    not_scored: Margin
    sensitivity: Margin
    specificity: Margin
    error_rate: Margin
    latency: Margin


class Production(_Part):
    """Probes of the golden film before and after the switch."""

    false_abort: float = Share
    error_rate: Margin
    latency: Margin
    min_probes: int = Field(ge=10)
    deadline_minutes: float = Field(gt=0)


class Guard(_Part):
    """Production after the switch, for `hours`."""

    false_abort: float = Share
    hours: float = Field(gt=0)
    agreement: Margin
    alert_rate: Margin


class GatePlan(_Part):
    """All of it. `digest` shows that what was fixed is what was used."""

    format: Literal[1]
    name: str = Field(pattern=r"^[A-Za-z0-9._-]{1,64}$")
    errors: Errors
    staging: Staging
    canary: Canary
    production: Production
    guard: Guard

    @model_validator(mode="after")
    def _shared(self) -> GatePlan:
        shared = sum(part.false_abort for part in (self.staging, self.canary, self.production, self.guard))
        if shared > self.errors.false_abort + 1e-9:
            raise ValueError(
                f"the environments' false_abort add up to {shared:g}; errors.false_abort is {self.errors.false_abort:g}"
            )
        return self

    @cached_property
    def digest(self) -> str:
        """sha256 over the canonical JSON of the whole plan."""
        text = json.dumps(self.model_dump(mode="json"), sort_keys=True, separators=(",", ":"))
        return hashlib.sha256(text.encode()).hexdigest()


def load_plan(overlay: str | Path | None = None) -> GatePlan:
    """The default plan, with what the file `overlay` says instead. Raises BadPlan with the field in its text."""
    whole = tomllib.loads(DEFAULT.read_text(encoding="utf-8"))
    if overlay:
        try:
            whole = _laid_over(whole, tomllib.loads(Path(overlay).read_text(encoding="utf-8")))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise BadPlan(f"{Path(overlay).name}: {error}") from error
    return parse_plan(whole)


def parse_plan(whole: dict[str, Any]) -> GatePlan:
    """The plan of plain values; raises BadPlan."""
    try:
        return GatePlan.model_validate(whole)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the plan"
        raise BadPlan(f"{where}: {first['msg']}") from error


def _laid_over(under: dict[str, Any], over: dict[str, Any]) -> dict[str, Any]:
    merged = dict(under)
    for key, value in over.items():
        both = isinstance(value, dict) and isinstance(merged.get(key), dict)
        merged[key] = _laid_over(merged[key], value) if both else value
    return merged
