"""`/v1/numbers`: the numbers of a period, as JSON and CSV."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Query, Response

from hilum.problems import Problem
from services.web.context import WebDep, utc_now
from services.web.identity.access import need
from services.web.numbers.period import Choice, Period, last
from services.web.numbers.report import Numbers, numbers
from services.web.numbers.rows import as_csv

router = APIRouter(prefix="/v1", tags=["numbers"], dependencies=[Depends(need("lead", "admin"))])
LONGEST = timedelta(days=3 * 366)


def asked_period(
    period: Annotated[Choice, Query(description="The last day, week, month, quarter or year.")] = "week",
    since: Annotated[datetime | None, Query(description="Instead of `period`, with its zone.")] = None,
    until: Annotated[datetime | None, Query(description="Default: now.")] = None,
) -> Period:
    """The period that is asked for; raises a 422 problem where it makes no sense."""
    now = utc_now()
    if since is None and until is None:
        return last(period, now)
    end = until or now
    start = since or end - (last(period, now).until - last(period, now).since)
    if start.tzinfo is None or end.tzinfo is None:
        raise Problem(422, "bad-period", "Give times with their zone, e.g. 2026-11-21T00:00:00Z.")
    if start >= end or end - start > LONGEST:
        raise Problem(422, "bad-period", "The period ends after it begins and is three years long at most.")
    return Period(start, end)


PeriodDep = Annotated[Period, Depends(asked_period)]


@router.get("/numbers", summary="Numbers for the lead")
def get_numbers(web: WebDep, period: PeriodDep) -> Numbers:
    """Waits, volume, overdue studies, agreement, by reader, site and release. Times in seconds."""
    with web.read() as session:
        return numbers(session, period, utc_now())


@router.get("/numbers.csv", summary="The same as CSV", response_class=Response)
def get_csv(web: WebDep, period: PeriodDep) -> Response:
    """One long table: section, row, measure, value, unit."""
    with web.read() as session:
        text = as_csv(numbers(session, period, utc_now()))
    headers = {"Content-Disposition": 'attachment; filename="hilum-numbers.csv"'}
    return Response(text, media_type="text/csv; charset=utf-8", headers=headers)
