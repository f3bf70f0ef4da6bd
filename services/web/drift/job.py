"""One run: judge each site under the release that is served, and keep the reports."""

from __future__ import annotations

from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, func, select
from sqlalchemy.engine import Engine
from sqlalchemy.orm import Session

from hilum.drift.site import Rules, judge
from hilum.storage import plain_errors, session_factory
from hilum.wire import ReferenceOut, ReleaseRef
from services.web.drift.rows import Hours, calibrations, gather, sites
from services.web.drift.tables import DriftBaseline, DriftReport
from services.web.drift.wire import DriftOut, drift_out
from services.web.settings import WebSettings

log = structlog.get_logger("hilum.web.drift")
# Sites that sent nothing for so long have no report.
QUIET = timedelta(days=30)
KEEP = timedelta(days=400)


def run(
    engine: Engine, settings: WebSettings, release: ReleaseRef, reference: ReferenceOut | None, now: datetime
) -> list[DriftOut]:
    """Judge and store; raises DatabaseUnavailable. A site that can't be judged has no report, and the log says why."""
    if reference is not None and reference.release != release:
        # The service changed its release between two questions: figures of one are nothing to the other.
        reference = None
    with plain_errors(), session_factory(engine)() as session:
        names = sites(session, release.digest, release.precision, now - QUIET)
    reports = []
    for site in names:
        try:
            with plain_errors(), session_factory(engine)() as session:
                found = judge_site(session, settings, site, release, reference, now)
        except (ValueError, KeyError, TypeError) as error:
            log.exception("a site can't be judged", site=site, reason=str(error))
            continue
        with plain_errors(), session_factory(engine).begin() as session:
            session.add(
                DriftReport(
                    site=site,
                    release_digest=release.digest,
                    precision=release.precision,
                    made_at=now,
                    payload=found.model_dump(mode="json"),
                )
            )
        log.info("judged", site=site, state=found.state, reason=found.reason, films=found.films)
        reports.append(found)
    with plain_errors(), session_factory(engine).begin() as session:
        session.execute(delete(DriftReport).where(DriftReport.made_at < now - KEEP))
    return reports


def judge_site(
    session: Session,
    settings: WebSettings,
    site: str,
    release: ReleaseRef,
    reference: ReferenceOut | None,
    now: datetime,
) -> DriftOut:
    """The report of one site."""
    hours = Hours(settings.drift_day_begins, settings.drift_day_ends)
    found = gather(
        session,
        site,
        release.digest,
        release.precision,
        now=now,
        baseline=settings.drift_baseline_films,
        most=settings.drift_most_films,
        hours=hours,
    )
    rules = Rules(settings.drift_baseline_films, settings.drift_days_between_alarms, settings.drift_fewest_a_day)
    reads = calibrations(session, site, release.digest, now - timedelta(days=settings.drift_reads_days))
    report = judge(found.films, reference, rules, reads)
    return drift_out(
        report,
        site=site,
        release=(release.digest, release.precision),
        made_at=now,
        since=found.since,
        left_out=found.left_out,
        names=found.names,
    )


def newest(session: Session) -> list[DriftOut]:
    """The newest report of each site, the sites in their order."""
    last = select(func.max(DriftReport.id)).group_by(DriftReport.site)
    rows = session.scalars(select(DriftReport).where(DriftReport.id.in_(last)).order_by(DriftReport.site))
    return [DriftOut.model_validate(row.payload) for row in rows]


def accept(session: Session, site: str, why: str, who: str, now: datetime) -> None:
    """From `now` on the site's films make a new baseline."""
    session.add(DriftBaseline(site=site, since=now, why=why, who=who, made_at=now))
    log.warning("a change is accepted: a new baseline begins", site=site, who=who)
