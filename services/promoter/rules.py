"""What a site fixes beforehand: steps of exposure, deadlines, tries, approval, windows in which nothing advances."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.promoter.states import State

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKLY = re.compile(r"(\w{3}) (\d\d):(\d\d) - (\w{3}) (\d\d):(\d\d)")
_DATES = re.compile(r"(\d{4}-\d\d-\d\d) - (\d{4}-\d\d-\d\d)")
DEADLINES: Mapping[State, timedelta] = {
    State.STAGING: timedelta(hours=4),
    State.CANARY_SHADOW: timedelta(days=21),
    State.CANARY_EXPOSED: timedelta(days=21),
    State.AWAITING_APPROVAL: timedelta(days=14),
    State.PRODUCTION: timedelta(hours=4),
    State.GUARDED: timedelta(days=14),
    State.INTERRUPTED: timedelta(days=3),
}


@dataclass(frozen=True)
class Window:
    """A span that comes every week (`minutes` after Monday 00:00; may wrap), or once by date (both days included)."""

    text: str
    weekly: tuple[int, int] | None = None
    dates: tuple[datetime, datetime] | None = None

    def holds(self, moment: datetime) -> bool:
        """Whether `moment`, in the site's zone, lies in it."""
        if self.dates:
            return self.dates[0] <= moment.replace(tzinfo=None) < self.dates[1]
        assert self.weekly is not None  # noqa: S101 - one of the two is always there
        start, end = self.weekly
        at = moment.weekday() * 1440 + moment.hour * 60 + moment.minute
        return start <= at < end if start <= end else at >= start or at < end


def windows(text: str) -> tuple[Window, ...]:
    """Parse `Fri 16:00 - Mon 07:00; 2026-12-24 - 2026-12-27`; raises ValueError with what is wrong."""
    found = []
    for part in (each.strip() for each in text.split(";")):
        if not part:
            continue
        if hit := _WEEKLY.fullmatch(part):
            day1, hour1, minute1, day2, hour2, minute2 = hit.groups()
            found.append(Window(part, weekly=(_minute(day1, hour1, minute1), _minute(day2, hour2, minute2))))
        elif hit := _DATES.fullmatch(part):
            first, last = (datetime.combine(datetime.fromisoformat(d).date(), time()) for d in hit.groups())
            if last < first:
                raise ValueError(f"freeze window {part!r}: it ends before it begins")
            found.append(Window(part, dates=(first, last + timedelta(days=1))))
        else:
            raise ValueError(
                f"freeze window {part!r}: write `Fri 16:00 - Mon 07:00` or `2026-12-24 - 2026-12-27`, separated by `;`"
            )
    return tuple(found)


def _minute(day: str, hour: str, minute: str) -> int:
    if day.lower() not in DAYS or int(hour) > 23 or int(minute) > 59:
        raise ValueError(f"freeze window: no such time as {day} {hour}:{minute}")
    return DAYS.index(day.lower()) * 1440 + int(hour) * 60 + int(minute)


def zone(name: str) -> ZoneInfo:
    """The site's time zone; raises ValueError."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError) as error:
        raise ValueError(f"no such time zone: {name}") from error


@dataclass(frozen=True)
class Rules:
    """A site's rules. `exposure` holds rising shares of patients; empty: canary stays in shadow."""

    exposure: tuple[float, ...] = (0.05, 0.25)
    approval: bool = True
    canary_replicas: int = 1
    tries: int = 3
    retry: timedelta = timedelta(minutes=10)
    start: timedelta = timedelta(minutes=15)
    guard: timedelta = timedelta(days=2)
    deadlines: Mapping[State, timedelta] = field(default_factory=lambda: DEADLINES)
    freeze: tuple[Window, ...] = ()
    timezone: str = "UTC"
    analysis_required: bool = True

    def __post_init__(self) -> None:
        """Raises ValueError where the steps of exposure don't rise between 0 and 1."""
        if list(self.exposure) != sorted(set(self.exposure)) or not all(0 < share < 1 for share in self.exposure):
            raise ValueError("the steps of exposure rise, each between 0 and 1: 0.05,0.25")
        if self.tries < 1:
            raise ValueError("there is at least one try")

    def frozen(self, now: datetime) -> str:
        """The window that holds `now` ("": none)."""
        local = now.astimezone(zone(self.timezone)) if self.timezone != "UTC" else now.astimezone(UTC)
        return next((window.text for window in self.freeze if window.holds(local)), "")
