"""What the promoter answers and takes, as others see it: status, commands, the gate that decides now."""

from __future__ import annotations

from datetime import datetime
from typing import Any, Literal

from pydantic import Field

from hilum.wire import Wire

Command = Literal["approve", "hold", "resume", "reject", "rollback"]


class CandidateOut(Wire):
    """A version of the registry: `number` is the registry's, `version` the release's."""

    model: str
    number: str
    version: str
    digest: str
    precision: str


class NoteOut(Wire):
    """A step of the timeline. `record` is the key of its evidence, "" where there is none."""

    at: datetime
    state: str
    kind: str
    reason: str
    by: str
    record: str


class PromotionOut(Wire):
    """One release on its way, or one that ended. `failed`: metric, value, bound, n of the check that rejected it."""

    id: int
    candidate: CandidateOut
    state: str
    attempt: int
    tries: int
    started: datetime
    since: datetime
    deadline: datetime | None
    back_to: str | None
    approved_by: str
    approved_why: str
    failed: dict[str, Any] | None
    timeline: list[NoteOut]


class EnvironmentOut(Wire):
    """What Git asks of an environment, and what the cluster shows; `serving` is "" where that is not known."""

    name: str
    release: str
    precision: str
    attempt: int
    exposure: float
    serving: str
    healthy: bool
    synced: bool
    phase: str
    message: str


class PromotionStatus(Wire):
    """Answer of `GET /v1/promotion`.

    `away` names the parts that don't answer, `waits` why nothing moves, `queued` why a candidate does not start,
    `frozen` the freeze window of now. `record` is the gate record of the present state, whole.
    """

    state: str
    generation: int
    commit: str
    at: datetime
    current: PromotionOut | None
    ended: list[PromotionOut]
    environments: list[EnvironmentOut]
    away: dict[str, str]
    waits: str
    queued: str
    frozen: str
    record_key: str
    record: dict[str, Any] | None


class CommandIn(Wire):
    """Body of `POST /v1/promotion/COMMAND`. `by`: for whom, where the token may speak for others."""

    reason: str = Field(min_length=3, max_length=1000)
    by: str = Field(default="", max_length=200)
