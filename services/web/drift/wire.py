"""Bodies of drift: what a run found, as it is stored, shown and given out. Times are UTC."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from typing import Literal

from hilum.drift.site import SiteReport
from hilum.wire import Wire


class ShiftOut(Wire):
    """One comparison; `holm` is p corrected over all of its table."""

    kind: str
    part: str
    psi: float | None
    p: float
    holm: float


class PrevalenceOut(Wire):
    """A finding's share among the films, estimated from its calls (95 % interval)."""

    finding: str
    calls: float
    value: float
    low: float
    high: float


class CalibrationOut(Wire):
    """A finding on blind reads: positives seen against the sum of probabilities."""

    finding: str
    reads: int
    seen: int
    expected: float
    ratio: float | None
    low: float | None
    high: float | None
    z: float | None


class PointOut(Wire):
    """The evidence against the threshold at one time."""

    at: datetime
    value: float


class ExampleOut(Wire):
    """A film that speaks for the change."""

    study_uid: str
    film_uid: str


class DriftOut(Wire):
    """What is known of one site under one release. `state` "not enough data" has its `reason`."""

    site: str
    release: str
    precision: str
    made_at: datetime
    state: Literal["steady", "drift", "not enough data"]
    reason: str
    films: int
    left_out: int
    films_a_day: float
    baseline: int
    baseline_since: datetime | None
    threshold: float
    evidence: float
    alarm_at: datetime | None
    began_at: datetime | None
    led_by: dict[str, float]
    curve: list[PointOut]
    window: list[ShiftOut]
    population: str
    against_release: list[ShiftOut]
    labels: list[PrevalenceOut]
    labels_before: list[PrevalenceOut]
    outside_share: float | None
    calibration: list[CalibrationOut]
    examples: list[ExampleOut]


class DriftList(Wire):
    """The newest report of each site."""

    reports: list[DriftOut]


def when(seconds: float | None) -> datetime | None:
    """Seconds since 1970 as a time."""
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)


def drift_out(
    report: SiteReport,
    *,
    site: str,
    release: tuple[str, str],
    made_at: datetime,
    since: datetime | None,
    left_out: int,
    names: list[tuple[str, str]],
) -> DriftOut:
    """The body of `report`; `names` are (study, film) of each of its films' rows."""
    told = asdict(report)
    told["against_release"] = told.pop("release")
    told |= {"alarm_at": when(report.alarm_at), "began_at": when(report.began_at)}
    told["curve"] = [{"at": when(at), "value": value} for at, value in report.curve]
    told["examples"] = [{"study_uid": names[row][0], "film_uid": names[row][1]} for row in report.examples]
    return DriftOut.model_validate(
        {
            **told,
            "site": site,
            "release": release[0],
            "precision": release[1],
            "made_at": made_at,
            "baseline_since": since,
            "left_out": left_out,
        }
    )
