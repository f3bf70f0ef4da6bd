"""`/numbers`: the lead's page. Every plot has its table beneath it; nothing on it names a patient."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Annotated

from fastapi import APIRouter, Depends, Query
from starlette.responses import Response

from services.web.context import WebDep, utc_now
from services.web.identity.access import need
from services.web.numbers.period import CHOICES, Choice, Period, last
from services.web.numbers.report import Agreement, Numbers, Reader, Wait, numbers
from services.web.pages.parts import Parts, parts
from services.web.pages.plot import Plot, plot
from services.web.pages.render import page, shell
from services.web.pages.words import BANDS, duration, share

router = APIRouter(include_in_schema=False)
WORDS = {"day": "Last 24 hours", "week": "7 days", "month": "30 days", "quarter": "91 days", "year": "365 days"}


def _label(start: datetime, period: Period) -> str:
    return start.strftime("%d %b %H:00" if period.hourly else "%d %b")


def plots(found: Numbers, period: Period) -> tuple[Plot, ...]:
    """Volume in, volume read, overdue and the longest wait, over time."""
    labels = [_label(step.start, period) for step in found.steps]
    per, end = ("per hour", "at each hour's end") if period.hourly else ("per day", "at each day's end")
    return (
        plot(f"Studies that arrived, {per}", "studies", labels, [s.arrived for s in found.steps]),
        plot(f"Studies first read, {per}", "studies", labels, [s.read for s in found.steps]),
        plot(f"Overdue studies {end}", "studies", labels, [s.overdue for s in found.steps], as_line=True),
        plot(
            f"Longest wait of what was first read, {per}",
            "minutes",
            labels,
            [s.longest_wait_seconds / 60 for s in found.steps],
        ),
    )


def _by_volume(waits: Sequence[Wait]) -> list[Wait]:
    return sorted(waits, key=lambda wait: -wait.studies)


def _waits(title: str, waits: Sequence[Wait], name: Callable[[str], str]) -> Parts:
    values = [(name(w.part), (w.median_seconds, w.p95_seconds)) for w in waits if w.studies]
    return parts(title, ("median", "95 % within"), values, duration)


def _agreement(title: str, found: Sequence[Agreement], name: Callable[[str], str]) -> Parts:
    shares = {(a.part, a.blind): a.share for a in found}
    names = dict.fromkeys(a.part for a in found)
    values = [(name(part), (shares.get((part, True)), shares.get((part, False)))) for part in names]
    return parts(title, ("blind", "answer shown"), values, share, top=1.0)


def _share(reader: Reader) -> float | None:
    judged = reader.agree + reader.disagree
    return reader.agree / judged if judged else None


def _release(digest: str) -> str:
    return digest[:12] or "no release"


def _site(name: str) -> str:
    return name or "not named"


def _count(value: float) -> str:
    return f"{value:,.0f}"


def part_plots(found: Numbers) -> tuple[Parts, ...]:
    """Waits, volume and agreement per band, site, release, reader and finding; the busiest first."""
    sites, releases = _by_volume(found.sites), _by_volume(found.releases)
    readers = sorted(found.readers, key=lambda reader: -reader.reads)
    return (
        _waits("From arrival to first read, by band", found.bands, lambda band: BANDS[band]),
        _waits("From arrival to first read, by site", sites, _site),
        _waits("From arrival to first read, by release", releases, _release),
        parts("Studies first read, by site", ("studies",), [(_site(w.part), (w.studies,)) for w in sites], _count),
        parts(
            "Studies first read, by release", ("studies",), [(_release(w.part), (w.studies,)) for w in releases], _count
        ),
        parts(
            "Reads, by reader", ("all", "second reviews"), [(r.reader, (r.reads, r.second)) for r in readers], _count
        ),
        _agreement("Agreement, by finding", found.findings, str),
        _agreement("Agreement, by release", found.by_release, _release),
        parts("Agreement, by reader", ("agreement",), [(r.reader, (_share(r),)) for r in readers], share, top=1.0),
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
            part_plots=part_plots(found),
            labels=[_label(step.start, span) for step in found.steps],
            duration=duration,
        )
