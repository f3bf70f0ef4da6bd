"""Which time the numbers are of."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, get_args

Choice = Literal["day", "week", "month", "quarter", "year"]
CHOICES: tuple[Choice, ...] = get_args(Choice)
_LENGTHS = {"day": 1, "week": 7, "month": 30, "quarter": 91, "year": 365}
# Beyond this a plot by hours has more bars than a screen has room for.
HOURLY = timedelta(days=2)


@dataclass(frozen=True)
class Period:
    """From `since` up to `until`, both with their zone; `step` is an hour or a day, on UTC's clock."""

    since: datetime
    until: datetime

    @property
    def hourly(self) -> bool:
        """Whether plots are by hours."""
        return self.until - self.since <= HOURLY

    @property
    def step(self) -> timedelta:
        """Length of one bucket."""
        return timedelta(hours=1) if self.hourly else timedelta(days=1)

    def buckets(self) -> list[datetime]:
        """Beginning of each bucket, the first one may lie before `since`."""
        start = self.since.replace(minute=0, second=0, microsecond=0)
        start = start if self.hourly else start.replace(hour=0)
        found = []
        while start < self.until:
            found.append(start)
            start += self.step
        return found


def last(choice: Choice, now: datetime) -> Period:
    """The last day, week, month (30 days), quarter (91) or year (365) up to `now`."""
    return Period(now - timedelta(days=_LENGTHS[choice]), now)
