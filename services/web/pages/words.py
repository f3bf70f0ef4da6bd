"""Numbers and times as people read them; static/format.js says the same in the browser."""

from __future__ import annotations

from datetime import UTC, datetime

BANDS = {"critical": "Critical", "urgent": "Urgent", "routine": "Routine"}
LIST_STATUSES = {
    "unread": "unread",
    "waiting": "waiting for a score",
    "scored": "scored, unread",
    "not_scored": "not scored",
    "escalated": "skipped by all",
    "closed": "reported elsewhere",
    "all": "all",
}
STATUSES = {"waiting": "waiting for its score", "scored": "scored", "not_scored": "not scored", "read": "read"}
LABELS = {1: "present", 0: "absent", -1: "uncertain", None: "not judged"}
_MINUTE = 60
_HOURS_AS_DAYS = 48


def duration(seconds: float) -> str:
    """A length of time, coarsely: "under 1 min", "12 min", "3 h 5 min", "4 days"."""
    minutes = int(abs(seconds) // _MINUTE)
    if minutes < 1:
        return "under 1 min"
    if minutes < _MINUTE:
        return f"{minutes} min"
    hours = minutes // _MINUTE
    if hours < _HOURS_AS_DAYS:
        return f"{hours} h {minutes % _MINUTE} min" if minutes % _MINUTE else f"{hours} h"
    return f"{hours // 24} days"


def ago(then: datetime, now: datetime | None = None) -> str:
    """How long ago `then` was."""
    return f"{duration(((now or datetime.now(UTC)) - then).total_seconds())} ago"


def waits(then: datetime, now: datetime | None = None) -> str:
    """How long something has been waiting since `then`."""
    return duration(((now or datetime.now(UTC)) - then).total_seconds())


def due(then: datetime, now: datetime | None = None) -> str:
    """How far off a due time is, or by how much it is overdue, in words."""
    left = (then - (now or datetime.now(UTC))).total_seconds()
    return f"in {duration(left)}" if left >= 0 else f"overdue by {duration(left)}"


def clock(then: datetime, now: datetime | None = None) -> str:
    """Clock time where the service runs, with the day where it is not today."""
    local = then.astimezone()
    today = (now or datetime.now(UTC)).astimezone().date()
    return local.strftime("%H:%M") if local.date() == today else local.strftime("%Y-%m-%d %H:%M")


def percent(probability: float) -> str:
    """A probability in per cent, below 10 % with a decimal: there the points of rare findings lie.

    Never "0 %" or "100 %", which would claim certainty. The space does not break.
    """
    if probability < 0.0005:
        return "<0.1\u00a0%"
    if probability < 0.0995:
        return f"{100 * probability:.1f}\u00a0%"
    if probability > 0.995:
        return ">99\u00a0%"
    return f"{100 * probability:.0f}\u00a0%"


def share(counted: float) -> str:
    """A share of things that were counted, in per cent: none is 0 % and all are 100 %, unlike a probability."""
    return f"{100 * counted:.0f}\u00a0%" if counted in {0, 1} else percent(counted)


def byte_count(count: int) -> str:
    """A size in B, kB or MB (powers of ten)."""
    if count < 1000:
        return f"{count} B"
    if count < 1_000_000:
        return f"{count / 1000:.{1 if count < 10_000 else 0}f} kB"
    return f"{count / 1_000_000:.{1 if count < 10_000_000 else 0}f} MB"


def plural(count: int, one: str, many: str | None = None) -> str:
    """ "1 film", "2 films"."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"
