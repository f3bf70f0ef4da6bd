"""`/numbers`: the lead's page. Every plot has its table beneath it; nothing on it names a patient."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from services.web.context import WebDep, utc_now
from services.web.identity.access import need
from services.web.numbers.period import CHOICES, Choice, Period, last
from services.web.numbers.report import Numbers, numbers
from services.web.pages.plot import Plot, plot
from services.web.pages.render import page, shell
from services.web.pages.words import duration

router = APIRouter(include_in_schema=False)
WORDS = {"day": "Last 24 hours", "week": "7 days", "month": "30 days", "quarter": "91 days", "year": "365 days"}


def _label(start: datetime, period: Period) -> str:
    return start.strftime("%d %b %H:00" if period.hourly else "%d %b")


def plots(found: Numbers, period: Period) -> tuple[Plot, ...]:
    """Volume in, volume read, and overdue over time."""
    labels = [_label(step.start, period) for step in found.steps]
    per, end = ("per hour", "at each hour's end") if period.hourly else ("per day", "at each day's end")
    return (
        plot(f"Studies that arrived, {per}", "studies", labels, [s.arrived for s in found.steps]),
        plot(f"Studies first read, {per}", "studies", labels, [s.read for s in found.steps]),
        plot(f"Overdue studies {end}", "studies", labels, [s.overdue for s in found.steps], as_line=True),
    )


@router.get("/numbers", dependencies=[Depends(need("lead", "admin"))])
def numbers_page(web: WebDep, period: Annotated[str, Query(max_length=16)] = "week") -> Response:
    """The numbers of the last day, week, month, quarter or year; what is none of these is a week."""
    choice: Choice = next((c for c in CHOICES if c == period), "week")
    now = utc_now()
    span = last(choice, now)
    with web.read() as session:
        found = numbers(session, span, now)
        return page(
            "numbers.html",
            **shell(web, session),
            place="numbers",
            choice=choice,
            choices=WORDS,
            numbers=found,
            plots=plots(found, span),
            labels=[_label(step.start, span) for step in found.steps],
            duration=duration,
        )
