"""How long things wait: what the service-level objectives and the alerts about waiting are computed from.

Gauges are read from the rows at each scrape, so that every replica says the same (take `max`, never `sum`).
"""

from __future__ import annotations

import math
from collections import Counter as Counts
from datetime import datetime, timedelta
from typing import get_args

from prometheus_client import Gauge, Histogram
from sqlalchemy import case, func, select
from sqlalchemy.orm import Session

from hilum import telemetry_traces
from hilum.gauges import Labels, replace_series
from hilum.triage import Band as TriageBand
from hilum.triage import TriagePolicy
from hilum.wire import Band
from services.web.tables import Film, Outbox, Prediction, Read, Study

RANKED = Histogram(
    "hilum_ranked_seconds",
    "From a film's acknowledgement to its first score, or to the answer that it can't be scored.",
    buckets=(1, 2, 5, 10, 20, 30, 60, 120, 300, 900, 3600, 14400),
)
FIRST_READ = Histogram(
    "hilum_first_read_seconds",
    "From a study's arrival to its first read, by the band it had then.",
    ["band"],
    buckets=(60, 300, 600, 900, 1800, 3600, 7200, 14400, 28800, 86400, 172800, 604800),
)
FILMS_OLDEST = Gauge(
    "hilum_films_waiting_oldest_seconds", "How long the longest waiting film waits for its first score; 0: none does."
)
STUDIES_OVERDUE = Gauge("hilum_studies_overdue", "Unread studies past their due time, by band.", ["band"])
OVERDUE = Gauge("hilum_studies_overdue_seconds", "How long the longest overdue study is overdue, by band.", ["band"])
BAND_WAIT = Gauge("hilum_band_wait_seconds", "The site's target wait, by band.", ["band"])
OUTBOX_OLDEST = Gauge(
    "hilum_outbox_oldest_seconds", "How long the oldest read waits that feedback has not taken; 0: none does."
)
SITE_STUDIES = Gauge("hilum_site_studies", "Studies that arrived in the last 24 hours, by site.", ["site"])
# What a site is called comes from outside: only the busiest get a series, the rest share one.
SITES = 20
OTHER_SITES = "(other)"
DAY = timedelta(hours=24)

for _band in get_args(Band):
    FIRST_READ.labels(_band)


def ranked(arrived_at: datetime, now: datetime) -> None:
    """A film got its first score."""
    RANKED.observe(max((now - arrived_at).total_seconds(), 0.0), telemetry_traces.exemplar())


def first_read(band: str, arrived_at: datetime, now: datetime) -> None:
    """A study got its first read."""
    FIRST_READ.labels(band).observe(max((now - arrived_at).total_seconds(), 0.0), telemetry_traces.exemplar())


def unread_since(session: Session, uid: str) -> tuple[str, datetime] | None:
    """Band and arrival of a study that nobody has read yet; None where somebody has, or for a synthetic one."""
    unread = select(Study.band, Study.arrived_at).where(
        Study.uid == uid, Study.last_read_at.is_(None), Study.synthetic.is_(False)
    )
    row = session.execute(unread).one_or_none()
    return None if row is None else (row[0], row[1])


def forget() -> None:
    """The rows can't be read: an old number would be a lie, and an alert must not be fed by it."""
    for gauge in (FILMS_OLDEST, OUTBOX_OLDEST):
        gauge.set(math.nan)
    for band in get_args(Band):
        STUDIES_OVERDUE.labels(band).set(math.nan)
        OVERDUE.labels(band).set(math.nan)
    SITE_STUDIES.clear()


def refresh(session: Session, policy: TriagePolicy, now: datetime) -> None:
    """Set the gauges from the rows; synthetic studies are nobody's work and do not count."""
    for band in TriageBand:
        BAND_WAIT.labels(str(band)).set(policy.wait(band).total_seconds())
    _overdue(session, now)
    scored_before = select(Prediction.film_uid).where(Prediction.film_uid == Film.uid).exists()
    oldest = session.scalar(select(func.min(Film.arrived_at)).where(Film.state == "waiting", ~scored_before))
    FILMS_OLDEST.set(_age(oldest, now))
    waiting = (Outbox.delivered_at.is_(None), Outbox.refused.is_(None))
    OUTBOX_OLDEST.set(
        _age(session.scalar(select(func.min(Read.read_at)).join(Outbox, Outbox.id == Read.id).where(*waiting)), now)
    )
    _sites(session, now)


def _overdue(session: Session, now: datetime) -> None:
    # A reopened study is overdue since its late film at the earliest.
    due = case((Study.reopened_at > Study.due_at, Study.reopened_at), else_=Study.due_at)
    late = select(Study.band, func.count(), func.min(due)).where(
        Study.status != "read", Study.synthetic.is_(False), Study.due_at < now, due < now
    )
    found = {band: (count, earliest) for band, count, earliest in session.execute(late.group_by(Study.band))}
    for band in get_args(Band):
        count, earliest = found.get(band, (0, None))
        STUDIES_OVERDUE.labels(band).set(count)
        OVERDUE.labels(band).set(_age(earliest, now))


def _sites(session: Session, now: datetime) -> None:
    arrived = select(Study.site, func.count()).where(Study.arrived_at > now - DAY, Study.synthetic.is_(False))
    counts = Counts({site or "(none)": count for site, count in session.execute(arrived.group_by(Study.site))})
    busiest = dict(counts.most_common(SITES))
    series: dict[Labels, float] = {(site,): float(count) for site, count in busiest.items()}
    if rest := counts.total() - sum(busiest.values()):
        series[OTHER_SITES,] = float(rest)
    replace_series(SITE_STUDIES, series)


def _age(since: datetime | None, now: datetime) -> float:
    return 0.0 if since is None else max((now - since).total_seconds(), 0.0)
