"""What a triage simulation is told: arrivals, readers, waits; read from one YAML file, an unknown field is refused."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from hilum.triage import TriagePolicy

Share = Annotated[float, Field(ge=0.0, le=1.0)]
Positive = Annotated[float, Field(gt=0.0)]
HOURS = 24
DAYS = 7


class BadPlan(ValueError):
    """The file is no plan of a simulation; the text names the field."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Arrivals(_Part):
    """When studies come: weights per hour of the day and per day of the week, Monday first; only ratios count."""

    hours: tuple[Annotated[float, Field(ge=0)], ...] = Field(default=(1.0,) * HOURS, min_length=HOURS, max_length=HOURS)
    days: tuple[Annotated[float, Field(ge=0)], ...] = Field(default=(1.0,) * DAYS, min_length=DAYS, max_length=DAYS)

    @model_validator(mode="after")
    def _something_comes(self) -> Arrivals:
        if not (sum(self.hours) > 0 and sum(self.days) > 0):
            raise ValueError("no study ever comes: give at least one hour and one day a weight")
        return self


class Shift(_Part):
    """`readers` people who read from `start` to `end` o'clock on `days` (0 is Monday); `end` may lie past midnight."""

    readers: int = Field(ge=1)
    start: float = Field(default=0.0, ge=0.0, lt=HOURS)
    end: float = Field(default=float(HOURS), gt=0.0, le=2 * HOURS)
    days: tuple[Annotated[int, Field(ge=0, lt=DAYS)], ...] = tuple(range(DAYS))

    @model_validator(mode="after")
    def _lasts(self) -> Shift:
        if not self.start < self.end <= self.start + HOURS:
            raise ValueError("a shift ends after it starts, and within a day (8 to 32 is until 8 the next morning)")
        return self


class Reading(_Part):
    """Minutes a study takes to read: lognormal with `median_minutes` and `spread` (of the logarithm), or exponential.

    Films that show an acute finding take `critical_factor` times as long.
    """

    distribution: Literal["lognormal", "exponential"] = "lognormal"
    median_minutes: Positive = 2.0
    spread: Positive = 0.6
    critical_factor: Positive = 1.0


class Orders(_Part):
    """A share of the studies ordered with a priority (DICOM (0040,1003)) or from a location; the rest are routine."""

    share: Share
    priority: str = ""
    location: str = ""


class Waits(_Part):
    """Target waits of the bands, as a site signs them."""

    critical_minutes: Positive = 15.0
    urgent_minutes: Positive = 240.0
    routine_minutes: Positive = 1440.0
    within_band_share: Share = 0.25


class TriagePlan(_Part):
    """The whole plan. `critical_share` of the studies show an acute finding; None: as many as of the scored films.

    Studies that come in the `days` between warm-up and cool-down are counted: before, the room is not yet as busy as it
    will be; after, nobody comes who could overtake.
    """

    name: str = Field(default="triage", pattern=r"^[a-z0-9][a-z0-9-]{0,62}$")
    arrivals: Arrivals = Arrivals()
    shifts: tuple[Shift, ...] = Field(min_length=1)
    reading: Reading = Reading()
    waits: Waits = Waits()
    orders: tuple[Orders, ...] = ()
    critical_share: Annotated[float, Field(gt=0.0, lt=1.0)] | None = None
    utilisations: tuple[Annotated[float, Field(gt=0.0, lt=1.0)], ...] = (0.6, 0.8, 0.95)
    warm_up_days: int = Field(default=7, ge=0)
    days: int = Field(default=28, ge=1)
    cool_down_days: int = Field(default=7, ge=0)
    replications: int = Field(default=20, ge=2)
    seed: int = 1

    @model_validator(mode="after")
    def _fits(self) -> TriagePlan:
        if sum(order.share for order in self.orders) > 1:
            raise ValueError("the shares of the orders are more than all studies")
        self.policy()
        return self

    def policy(self) -> TriagePolicy:
        """The waits as `hilum.triage` takes them; raises ValueError where they are out of order."""
        return TriagePolicy(
            timedelta(minutes=self.waits.critical_minutes),
            timedelta(minutes=self.waits.urgent_minutes),
            timedelta(minutes=self.waits.routine_minutes),
            self.waits.within_band_share,
        )


def read_plan(path: Path) -> TriagePlan:
    """Read a plan from `path`; raises BadPlan naming the field."""
    try:
        return TriagePlan.model_validate(yaml.safe_load(path.read_text(encoding="utf-8")))
    except (OSError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise BadPlan(f"{path.name}: {error}") from error
    except ValidationError as error:
        first = error.errors()[0]
        raise BadPlan(f"{path.name}: {'.'.join(map(str, first['loc'])) or 'plan'}: {first['msg']}") from error
